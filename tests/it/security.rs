//! The permissions of two certificates, as docs/guides/roles.md shows them, word for
//! word.

use tempfile::TempDir;

use crate::{
    tools::grpcurl,
    transcript::{Reader, Server, steps},
};

#[tokio::test(flavor = "multi_thread")]
async fn the_chapter_on_two_certificates_works() {
    let Some(tools) = grpcurl("that the output in docs/guides/roles.md is right") else { return };
    let steps = steps("docs/guides/roles.md");
    assert!(steps.len() >= 10, "the chapter has {} steps", steps.len());
    let directory = TempDir::new().expect("a directory");
    let mut reader = Reader::new(tools);
    let mut server: Option<Server> = None;
    for step in steps {
        if step.command.starts_with("userpool serve") {
            server = Some(Server::start(&step.command, directory.path()).await);
        } else {
            let address = server.as_ref().map_or("", |server| server.address.as_str());
            reader.take(&step, address).await;
        }
    }
    server.expect("a server").kill().await;
}
