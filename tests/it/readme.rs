//! The README's tour, word for word: each command in its `console` blocks is run
//! against a real process, and must print what the README shows.
//!
//! IDs and times differ from run to run, so they are compared by kind alone. The
//! command that kills the server is carried out by the test, which then starts it
//! again as the reader is told to.

use std::{collections::HashMap, fs, path::Path, process::Stdio};

use regex::{Captures, Regex};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::{Child, Command},
};

use crate::tools::{grpcurl, repository};

/// What the README calls the server, and how it kills it.
const ADDRESS: &str = "localhost:50051";
const KILL: &str = "pkill -9 -x userpool";

#[tokio::test(flavor = "multi_thread")]
async fn the_tour_of_the_readme_is_true() {
    let Some(tools) = grpcurl("that the README's tour is true") else { return };
    let readme = fs::read_to_string(repository().join("README.md")).expect("a README");
    let steps = steps(&readme);
    assert!(steps.len() >= 8, "the tour has {} steps", steps.len());

    let id = Regex::new("us-east-1_[0-9A-Za-z]{9}").expect("a pattern");
    let directory = TempDir::new().expect("a directory");
    let (mut server, mut address) = serve(directory.path()).await;
    // The IDs that this run was given for those that the README shows.
    let mut ids: HashMap<String, String> = HashMap::new();
    for Step { command, shown } in steps {
        if command == KILL {
            server.kill().await.expect("killed");
            (server, address) = serve(directory.path()).await;
            continue;
        }
        let command = command.replace(ADDRESS, &address);
        let given = |shown: &Captures<'_>| ids.get(&shown[0]).cloned().unwrap_or_default();
        let command = id.replace_all(&command, given).into_owned();
        let printed = run(&tools, &address, &command).await;
        for (shown, given) in id.find_iter(&shown).zip(id.find_iter(&printed)) {
            let known = ids.entry(shown.as_str().to_owned()).or_insert(given.as_str().to_owned());
            assert_eq!(known, given.as_str(), "$ {command}\n{printed}");
        }
        assert_eq!(by_kind(&printed), by_kind(&shown), "$ {command}\n{printed}");
    }
    server.kill().await.expect("killed");
}

struct Step {
    command: String,
    shown: String,
}

/// The commands of the `console` blocks: what follows `$ `, over as many lines as
/// its quotes are open or a backslash continues it, and what is shown below.
fn steps(readme: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut inside = false;
    for line in readme.lines() {
        if line.starts_with("```") {
            inside = line == "```console";
        }
        if !inside || line.starts_with("```") {
            continue;
        }
        if let Some(step) = steps.last_mut().filter(|step| is_open(&step.command)) {
            step.command.extend(["\n", line]);
        } else if let Some(command) = line.strip_prefix("$ ") {
            steps.push(Step { command: command.to_owned(), shown: String::new() });
        } else if let Some(step) = steps.last_mut() {
            step.shown.extend([line, "\n"]);
        }
    }
    steps
}

fn is_open(command: &str) -> bool {
    command.ends_with('\\') || command.matches('\'').count() % 2 == 1
}

/// The text without what differs from run to run.
fn by_kind(text: &str) -> String {
    let mut text = text.trim().to_owned();
    for (pattern, kind) in [
        ("us-east-1_[0-9A-Za-z]{9}", "ID"),
        (r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?Z", "TIME"),
        (r"127\.0\.0\.1:\d+", "ADDRESS"),
        ("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "UUID"),
        ("[0-9a-f]{64}", "HASH"),
        // grpcurl indents details with tabs.
        (r"[ \t]+", " "),
    ] {
        text = Regex::new(pattern).expect("a pattern").replace_all(&text, kind).into_owned();
    }
    text
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

async fn run(tools: &Path, address: &str, command: &str) -> String {
    let path = std::env::var("PATH").unwrap_or_default();
    let binary = Path::new(env!("CARGO_BIN_EXE_userpool")).parent().expect("a directory");
    let output = Command::new("bash")
        .args(["-c", &format!("{command} 2>&1")])
        .current_dir(repository())
        .env("PATH", format!("{}:{}:{path}", tools.display(), binary.display()))
        .env("USERPOOL_ENDPOINT", address)
        .output()
        .await
        .expect("bash runs");
    String::from_utf8_lossy(&output.stdout).into_owned()
}
