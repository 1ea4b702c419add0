//! The commands in documents: those with output are run by tests, and the others exist.

use std::{collections::BTreeSet, process::Command};

use super::pages;

/// The pages whose `console` blocks tests run: `readme`, `security`, `operations` and
/// `client::examples`.
const RUN: [&str; 6] = [
    "README.md",
    "docs/guides/roles.md",
    "docs/operating/runbook.md",
    "docs/tutorial-for-auditors.md",
    "docs/tutorial.md",
    "examples/README.md",
];

#[test]
fn every_block_with_output_is_run_by_a_test() {
    let shown: BTreeSet<_> = pages()
        .into_iter()
        .filter(|page| page.text.lines().any(|line| line == "```console"))
        .map(|page| page.path)
        .collect();
    assert_eq!(shown, BTreeSet::from(RUN.map(str::to_owned)));
}

/// The commands of `userpool` in the `sh` blocks of a text, without comments.
fn commands(text: &str) -> Vec<String> {
    let blocks = text.split("```sh\n").skip(1).filter_map(|rest| rest.split("```").next());
    let lines = blocks.flat_map(|block| {
        let joined = block.replace("\\\n", " ");
        joined.lines().map(str::to_owned).collect::<Vec<_>>()
    });
    lines
        .map(|line| line.split(" #").next().unwrap_or_default().trim().to_owned())
        .filter(|line| line.starts_with("userpool "))
        .collect()
}

/// With `--help`, nothing is carried out, but what comes before it is parsed.
#[test]
fn every_command_in_a_block_has_flags_that_exist() {
    let mut count = 0;
    for page in pages() {
        for command in commands(&page.text) {
            count += 1;
            let command = command.split(['>', '|']).next().unwrap_or_default();
            let command =
                format!("{command} --help").replacen("userpool", env!("CARGO_BIN_EXE_userpool"), 1);
            let mut bash = Command::new("bash");
            bash.args(["-c", &command]).env("USERPOOL_ENDPOINT", "localhost:50051");
            let ran = bash.output().expect("bash runs");
            let errors = String::from_utf8_lossy(&ran.stderr);
            // A file is read as soon as its flag is.
            let is_accepted = ran.status.success() || errors.contains("No such file or directory");
            assert!(is_accepted, "{}: {command}\n{errors}", page.path);
        }
    }
    assert!(count > 20, "{count} commands were found");
}
