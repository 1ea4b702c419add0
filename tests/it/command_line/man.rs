//! `userpool man` writes a page for each command.

use std::{collections::BTreeSet, fs, path::Path, process::Command};

use regex::Regex;

use super::{output, run_with, userpool};

#[tokio::test]
async fn man_writes_a_page_for_each_command_with_its_flags() {
    let directory = tempfile::tempdir().expect("a directory");
    let target = directory.path().join("new/man");
    for _ in 0..2 {
        let written = output(userpool("", &["man", target.to_str().expect("UTF-8")])).await;
        assert_eq!((written.code, &*written.stderr), (0, ""));
    }

    // A flag, and the first words of its help.
    let flag = Regex::new(r"(?m)^ +(?:-\w, )?(--[a-z-]+).*\n +(\w+ \w+ \w+)").expect("a pattern");
    let mut pages = BTreeSet::new();
    let mut left = vec![vec!["userpool".to_owned()]];
    while let Some(command) = left.pop() {
        let arguments = command.iter().skip(1).map(String::as_str);
        let help = run_with("", &arguments.chain(["--help"]).collect::<Vec<_>>(), "").await.stdout;
        let page = format!("{}.1", command.join("-"));
        let text = fs::read_to_string(target.join(&page)).expect(&page).replace('\\', "");
        for flag in flag.captures_iter(&help) {
            assert!(text.contains(&flag[1]) && text.contains(&flag[2]), "{page}: {}", &flag[0]);
        }
        let version = concat!("userpool ", env!("CARGO_PKG_VERSION"));
        assert!(text.contains(version), "{page}");
        pages.insert(page);
        let commands = help.split_once("Commands:\n").map_or("", |(_, after)| after);
        let names = commands.lines().take_while(|line| !line.is_empty());
        let names = names.filter(|line| line.starts_with("  ") && !line.starts_with("   "));
        let names = names.filter_map(|line| line.split_whitespace().next());
        left.extend(
            names
                .filter(|name| *name != "help")
                .map(|name| command.iter().cloned().chain([name.to_owned()]).collect()),
        );
    }
    assert!(pages.len() > 30, "{pages:?}");
    let written = fs::read_dir(&target).expect("a directory");
    let written = written.map(|page| page.expect("an entry").file_name().into_string());
    assert_eq!(written.collect::<Result<BTreeSet<_>, _>>().expect("UTF-8"), pages);
    for page in &pages {
        assert_readable(&target.join(page));
    }
}

/// The page has no errors, if this machine has man.
fn assert_readable(page: &Path) {
    let mut man = Command::new("man");
    man.args(["--warnings", "--local-file", "-Tutf8"]).arg(page).env("MANWIDTH", "200");
    let Ok(shown) = man.output() else { return };
    let warnings = String::from_utf8_lossy(&shown.stderr);
    assert!(shown.status.success() && warnings.is_empty(), "{}: {warnings}", page.display());
}

#[tokio::test]
async fn man_names_the_directory_that_it_cannot_write() {
    let file = tempfile::NamedTempFile::new().expect("a file");
    let path = file.path().to_str().expect("UTF-8");
    let refused = output(userpool("", &["man", path])).await;
    assert_eq!(refused.code, 1);
    assert!(refused.stderr.contains(path), "{}", refused.stderr);
}
