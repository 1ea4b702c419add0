//! Exports of a log and of its ranges: the real binary writes, compresses, verifies and
//! imports them, without trusting them.

mod compression;
mod csv;
mod files;
mod ranges;
mod rules;
mod verification;

use std::{
    fs,
    path::{Path, PathBuf},
};

use tempfile::TempDir;
use userpool::{
    event_log::{Hash, Head, Position},
    proto::{self, UserPoolEvent},
};

use crate::{
    binary::{self, userpool},
    tools::repository,
};

/// How a command ended.
#[derive(Debug)]
struct Run {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

/// Runs the binary with these arguments in a directory.
async fn run(directory: &Path, arguments: &[&str]) -> Run {
    let output = binary::run(userpool().args(arguments).current_dir(directory)).await;
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    Run { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

/// Runs the binary, which must succeed, and returns what it prints.
async fn printed(directory: &Path, arguments: &[&str]) -> String {
    let run = run(directory, arguments).await;
    assert_eq!(run.code, Some(0), "{arguments:?}: {run:?}");
    run.stdout
}

/// A log of 16 events, as format 1 exported it: four user pools with domains, an update and a
/// deletion, and five more.
fn whole() -> String {
    fs::read_to_string(repository().join("tests/fixtures/data-directory-2.jsonl"))
        .expect("an export")
}

/// A directory with that log in `data`, and its export in `whole.jsonl`.
async fn directory() -> TempDir {
    let directory = TempDir::new().expect("a directory");
    write(directory.path(), "whole.jsonl", whole());
    printed(directory.path(), &["log", "import", "whole.jsonl", "--data-dir", "data"]).await;
    directory
}

fn write(directory: &Path, name: &str, contents: impl AsRef<[u8]>) -> PathBuf {
    let path = directory.join(name);
    fs::write(&path, contents).expect("written");
    path
}

fn events(export: &str) -> Vec<UserPoolEvent> {
    let events = export.lines().filter(|line| !line.starts_with("{\"userpoolExport\""));
    events.map(|line| proto::from_json(line).expect("an event")).collect()
}

/// The place of an event in the chain.
fn head(event: &UserPoolEvent) -> Head {
    let position = Position(u64::try_from(event.position).expect("positive"));
    Head { position, hash: Hash(event.hash.as_slice().try_into().expect("32 bytes")) }
}

/// The event as a checkpoint argument.
fn checkpoint(event: &UserPoolEvent) -> String {
    let Head { position, hash } = head(event);
    format!("{position}:{hash}")
}
