//! The pages that are written from the code: the commands from their help, and the API from the
//! schema. `USERPOOL_WRITE_DOCS=1 tests/run docs` writes them.

use std::{env, fmt::Write as _, fs, process::Command};

use crate::tools::repository;

use super::api;

/// Checks that a page has this text, or writes it.
fn check(path: &str, text: &str) {
    let file = repository().join(path);
    if env::var_os("USERPOOL_WRITE_DOCS").is_some() {
        fs::write(&file, text).expect("written");
    }
    let page = fs::read_to_string(&file).unwrap_or_default();
    let first = page.lines().zip(text.lines()).find(|(page, text)| page != text);
    assert!(page == text, "USERPOOL_WRITE_DOCS=1 tests/run docs writes {path}; {first:?}");
}

/// What the command prints, in the width of a terminal with 100 columns.
fn help(command: &[String], flag: &str) -> String {
    let mut userpool = Command::new(env!("CARGO_BIN_EXE_userpool"));
    // Neither the size of a terminal nor settings are in the page.
    userpool.args(command).arg(flag).env_clear().env("COLUMNS", "100");
    let ran = userpool.output().expect("it runs");
    assert!(ran.status.success(), "{command:?}");
    String::from_utf8(ran.stdout).expect("UTF-8")
}

/// The section of a help text with this heading.
fn part<'a>(help: &'a str, heading: &str) -> Option<&'a str> {
    let (_, rest) = help.split_once(&format!("\n{heading}:\n"))?;
    rest.split("\n\n").next()
}

/// The commands below a command, from its help.
fn commands(help: &str) -> Vec<String> {
    let lines = part(help, "Commands").unwrap_or_default().lines();
    let names = lines.filter_map(|line| {
        let name = line.strip_prefix("  ").filter(|name| !name.starts_with(' '))?;
        name.split_whitespace().next()
    });
    names.filter(|name| *name != "help").map(str::to_owned).collect()
}

fn add_command(page: &mut String, command: &[String]) {
    let help = help(command, "-h");
    let nested = commands(&help);
    if nested.is_empty() || command.is_empty() {
        let name = command.join(" ");
        let heading = if command.is_empty() { "All commands".to_owned() } else { name };
        // Writing to a string cannot fail.
        let _ = writeln!(page, "\n## {heading}\n\n```text\n{}\n```", help.trim_end());
    }
    for name in nested {
        add_command(page, &[command, &[name]].concat());
    }
}

#[test]
fn the_page_of_commands_shows_their_help() {
    let mut page = "# Commands\n\n[The command line](../guides/command-line.md) says how to use \
                    them. A test compares this page with `userpool COMMAND -h`. `--help` also shows \
                    the flags of the connection, which are the same for every client command:\n"
        .to_owned();
    let status = help(&["status".to_owned()], "--help");
    let (_, connection) = status.split_once("\nConnection:\n").expect("flags of the connection");
    let (connection, _) = connection.split_once("\nExample").expect("examples");
    let _ = writeln!(page, "\n```text\n{}\n```", connection.trim_end());
    add_command(&mut page, &[]);
    check("docs/reference/cli.md", &page);
}

#[test]
fn the_page_of_the_api_has_the_comments_of_the_schema() {
    check("docs/reference/api.md", &api::page());
}
