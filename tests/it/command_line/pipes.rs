//! Output that cannot be written, and readers that end.

use std::{
    fs::File,
    io::{BufRead as _, BufReader},
    process::{Child, Stdio},
};

use tokio::task;

use super::{create, output, userpool};
use crate::support::TestServer;

#[tokio::test(flavor = "multi_thread")]
async fn output_that_cannot_be_written_is_an_error() {
    let server = TestServer::start().await;
    let id = create(&server, "people").await;
    for arguments in [
        vec!["--help"],
        vec!["-h"],
        vec!["help", "list"],
        vec!["--version"],
        vec!["serve", "--help"],
        vec!["log", "export", "--help"],
        vec!["completions", "zsh"],
        vec!["serve", "--print-config"],
        vec!["list"],
        vec!["list", "-o", "json"],
        vec!["describe", &id],
        vec!["health"],
        vec!["watch", "--after", "0"],
    ] {
        let full = File::options().write(true).open("/dev/full").expect("a full disk");
        let mut command = userpool(&server.endpoint.to_string(), &arguments);
        command.stdout(full).stderr(Stdio::piped());
        let failed = output(command).await;
        assert_eq!(failed.code, 1, "{arguments:?}: {failed:?}");
        assert_eq!(
            failed.stderr,
            "userpool: cannot write to standard output: No space left on device (os error 28)\n",
            "{arguments:?}"
        );
    }
}

/// The exit code of a command whose reader closes its output after the first line.
fn after_first_line(mut child: Child) -> Option<i32> {
    let mut line = String::new();
    let mut stdout = BufReader::new(child.stdout.take().expect("a pipe"));
    stdout.read_line(&mut line).expect("a line");
    assert!(line.contains("WHAT"), "{line}");
    drop(stdout);
    child.wait().expect("an end").code()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_without_events_ends_when_its_reader_does() {
    let server = TestServer::start().await;
    let id = create(&server, "people").await;
    let endpoint = server.endpoint.to_string();
    for arguments in [vec!["watch"], vec!["history", &id, "--follow", "--since", "0s"]] {
        let mut command = userpool(&endpoint, &arguments);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let child = command.spawn().expect("it starts");
        let code = task::block_in_place(|| after_first_line(child));
        assert_eq!(code, Some(141), "{arguments:?}");
    }
    server.stop().await;
}
