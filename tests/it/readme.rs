//! The README's tour, word for word: each command in its `console` blocks is run
//! against a real process, and must print what the README shows.
//!
//! The command that kills the server is carried out by the test, which then starts it
//! again as the reader is told to.

use std::{path::Path, process::Stdio};

use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::{Child, Command},
};

use crate::{
    tools::grpcurl,
    transcript::{Reader, steps},
};

/// How the README kills the server.
const KILL: &str = "pkill -9 -x userpool";

#[tokio::test(flavor = "multi_thread")]
async fn the_tour_of_the_readme_is_true() {
    let Some(tools) = grpcurl("that the README's tour is true") else { return };
    let steps = steps("README.md");
    assert!(steps.len() >= 8, "the tour has {} steps", steps.len());

    let directory = TempDir::new().expect("a directory");
    let (mut server, mut address) = serve(directory.path()).await;
    let mut reader = Reader::new(tools);
    for step in steps {
        if step.command == KILL {
            server.kill().await.expect("killed");
            (server, address) = serve(directory.path()).await;
        } else {
            reader.take(&step, &address).await;
        }
    }
    server.kill().await.expect("killed");
}

async fn serve(data_dir: &Path) -> (Child, String) {
    let mut server = Command::new(env!("CARGO_BIN_EXE_userpool"))
        .args(["serve", "--listen", "127.0.0.1:0", "--data-dir"])
        .arg(data_dir)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .expect("the server starts");
    let stdout = server.stdout.take().expect("a pipe");
    let line = BufReader::new(stdout).lines().next_line().await.expect("readable").expect("a line");
    let address = line.strip_prefix("userpool listening on ").expect("the address").to_owned();
    (server, address)
}
