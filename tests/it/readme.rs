//! The README and the tutorials, word for word: each command in their `console` blocks runs
//! against a real process and must print what they show.
//!
//! The test carries out the command that kills the server, and then starts the server
//! again as the tutorial says.

use tempfile::TempDir;

use crate::{
    tools::grpcurl,
    transcript::{Reader, Server, steps},
};

/// The commands that start and kill the server.
const SERVE: &str = "userpool serve";
const KILL: &str = r#"kill -9 "$(lsof -t -i :50051 -s TCP:LISTEN)""#;

/// Takes the steps of these pages, one page after another, on a new server.
async fn take(pages: &[&str]) {
    let Some(tools) = grpcurl(&format!("that the commands in {pages:?} work")) else { return };
    let steps: Vec<_> = pages.iter().flat_map(|page| steps(page)).collect();
    assert!(steps.len() >= 8, "{pages:?} have {} steps", steps.len());

    let directory = TempDir::new().expect("a directory");
    let mut server = Server::start(SERVE, directory.path()).await;
    let mut reader = Reader::new(tools);
    for step in steps {
        if step.command == KILL {
            server.kill().await;
            server = Server::start(SERVE, directory.path()).await;
        } else {
            reader.take(&step, &server.address).await;
        }
    }
    server.kill().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_steps_of_the_readme_work() {
    take(&["README.md"]).await;
}

/// The tutorial for auditors continues the other one.
#[tokio::test(flavor = "multi_thread")]
async fn the_tutorials_work() {
    take(&["docs/tutorial.md", "docs/tutorial-for-auditors.md"]).await;
}
