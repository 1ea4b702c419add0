//! The commands in documents: those with output are run by tests, and the others exist.

use std::{collections::BTreeSet, process::Command};

use regex::Regex;
use userpool::proto::DESCRIPTORS;

use super::{Page, pages};

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
pub(super) fn commands(text: &str) -> Vec<String> {
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

/// The page with all operations and commands.
const REFERENCE: &str = "docs/reference/README.md";

#[test]
fn the_reference_names_every_operation_and_command() {
    let page = Page::read(REFERENCE).text;
    let services = DESCRIPTORS.services();
    let methods = services.flat_map(|service| {
        service.methods().map(|method| method.name().to_owned()).collect::<Vec<_>>()
    });
    let help = Command::new(env!("CARGO_BIN_EXE_userpool")).arg("-h").output().expect("it runs");
    let help = String::from_utf8(help.stdout).expect("UTF-8");
    let (_, listed) = help.split_once("\nCommands:\n").expect("commands");
    let (listed, _) = listed.split_once("\n\n").expect("their end");
    let names = listed.lines().filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    let names = names.filter_map(|line| line.split_whitespace().next());
    let names = names.filter(|name| *name != "help").map(str::to_owned);
    let expected: Vec<_> = methods.chain(names).collect();
    assert!(expected.len() > 45, "{expected:?}");
    let is_missing = |name: &&String| {
        let word = Regex::new(&format!("(?-u:\\b){name}(?-u:\\b)")).expect("a pattern");
        !word.is_match(&page)
    };
    let missing: Vec<_> = expected.iter().filter(is_missing).collect();
    assert!(missing.is_empty(), "{missing:?}");
}
