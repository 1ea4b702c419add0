//! The README's tour, word for word: each command in its `console` blocks runs
//! against a real process and must print what the README shows.
//!
//! The test carries out the command that kills the server, and then starts the server
//! again as the README says.

use tempfile::TempDir;

use crate::{
    tools::grpcurl,
    transcript::{Reader, Server, steps},
};

/// The commands of the README that start and kill the server.
const SERVE: &str = "userpool serve";
const KILL: &str = "pkill -9 -x userpool";

#[tokio::test(flavor = "multi_thread")]
async fn the_tour_of_the_readme_works() {
    let Some(tools) = grpcurl("that the tour of the README works") else { return };
    let steps = steps("README.md");
    assert!(steps.len() >= 8, "the tour has {} steps", steps.len());

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
