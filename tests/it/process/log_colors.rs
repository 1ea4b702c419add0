//! The colors of the process log.

use std::process::Stdio;

use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::Command,
    task,
};

use crate::{binary::serve, terminal::Terminal};

/// The log of a server that starts and stops, on a terminal or in a pipe.
async fn log(variables: &[(&str, &str)], on_terminal: bool) -> String {
    let directory = TempDir::new().expect("a directory");
    let terminal = Terminal::new(80);
    let mut command = serve(directory.path());
    command.args(["--listen", "127.0.0.1:0", "--log-format", "pretty"]);
    command.envs(variables.iter().copied());
    if on_terminal {
        command.stderr(terminal.stdio());
    }
    let mut child = command.stdout(Stdio::piped()).spawn().expect("it starts");
    let mut stderr = child.stderr.take();
    // The command has a descriptor of the terminal.
    drop(command);
    let mut stdout = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    stdout.next_line().await.expect("readable").expect("a line");
    let process = child.id().expect("it runs").to_string();
    let stopped = Command::new("sh").args(["-c", "kill -s TERM $0", &process]).status().await;
    assert!(stopped.expect("a shell").success());
    let text = match &mut stderr {
        None => task::block_in_place(|| terminal.output()),
        Some(stderr) => {
            let mut text = String::new();
            let read = tokio::io::AsyncReadExt::read_to_string(stderr, &mut text);
            read.await.expect("UTF-8");
            text
        }
    };
    assert!(child.wait().await.expect("an end").success());
    assert!(text.contains("log opened"), "{text}");
    text
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_follows_the_variables_for_colors() {
    let xterm = ("TERM", "xterm");
    for (variables, on_terminal, has_colors) in [
        (vec![xterm], true, true),
        (vec![xterm, ("NO_COLOR", "1")], true, false),
        (vec![xterm, ("CLICOLOR", "0")], true, false),
        (vec![("TERM", "dumb")], true, false),
        (vec![xterm, ("CLICOLOR_FORCE", "1")], false, true),
        (vec![xterm], false, false),
    ] {
        let text = log(&variables, on_terminal).await;
        assert_eq!(text.contains('\u{1b}'), has_colors, "{variables:?}: {text}");
    }
}
