//! Every setting is in the example file, in the reference and in the environment, with
//! its default.

use std::{collections::BTreeMap, fs};

use tempfile::TempDir;

use crate::{
    binary::{run, userpool},
    tools::repository,
};

#[tokio::test(flavor = "multi_thread")]
async fn the_example_file_has_every_setting_once_with_its_default() {
    let mut documented = BTreeMap::new();
    for (name, value) in example() {
        assert!(documented.insert(name.clone(), value).is_none(), "{name} is there twice");
    }
    let settings = settings().await;
    assert!(settings.keys().eq(documented.keys()), "{settings:?}\n{documented:?}");
    for (name, default) in settings {
        // A setting without a default has an example value.
        assert!(default.is_none_or(|default| documented[&name] == default), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_example_file_is_valid_also_with_every_default() {
    let text = fs::read_to_string(repository().join(EXAMPLE)).expect("the example");
    checked("--check-config", &text).await;
    let with_default =
        |(name, default): (String, Option<_>)| Some(format!("{name} = {}", default?));
    let defaults: Vec<_> = settings().await.into_iter().filter_map(with_default).collect();
    checked("--check-config", &defaults.join("\n")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_example_value_is_valid() {
    let lines: Vec<_> = example().map(|(name, value)| format!("{name} = {value}")).collect();
    let printed = checked("--print-config", &lines.join("\n")).await;
    assert!(printed.lines().all(|line| line.ends_with("example.toml")), "{printed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_has_every_setting_with_its_default() {
    let page = fs::read_to_string(repository().join(PAGE)).expect("a page");
    let table: BTreeMap<_, _> = page.lines().filter_map(row).collect();
    let settings = settings().await;
    assert!(settings.keys().eq(table.keys()), "{settings:?}\n{table:?}");
    for (name, default) in settings {
        let shown = table[&name].trim_matches('`');
        assert_eq!(shown, default.unwrap_or_default().trim_matches('"'), "{name}");
    }
}

/// A row of the table of settings: the name and the default.
fn row(line: &str) -> Option<(String, &str)> {
    let mut cells = line.strip_prefix("| `--")?.split('|').map(str::trim);
    let (flag, variable, default) = (cells.next()?, cells.next()?, cells.next()?);
    let name = flag.strip_suffix('`')?;
    let expected = format!("`USERPOOL_{}`", name.replace('-', "_").to_uppercase());
    assert_eq!(variable, expected);
    Some((name.to_owned(), default))
}

/// The page that lists all settings.
const PAGE: &str = "docs/reference/configuration.md";

/// The path of the example.
const EXAMPLE: &str = "deploy/userpool.example.toml";

/// The settings in the example, uncommented.
fn example() -> impl Iterator<Item = (String, String)> {
    let text = fs::read_to_string(repository().join(EXAMPLE)).expect("the example");
    let lines: Vec<_> = text.lines().map(str::to_owned).collect();
    lines.into_iter().filter_map(|line| {
        let (name, value) = line.strip_prefix("# ")?.split_once(" = ")?;
        let named = !name.contains(|letter: char| letter != '-' && !letter.is_ascii_lowercase());
        named.then(|| (name.to_owned(), value.to_owned()))
    })
}

/// Every setting with its default, if it has one.
async fn settings() -> BTreeMap<String, Option<String>> {
    let output = run(userpool().args(["serve", "--print-config"])).await;
    let printed = String::from_utf8(output.stdout).expect("UTF-8");
    let setting = |line: &str| {
        let line = line.strip_suffix("  # default").unwrap_or(line);
        let unset = line.strip_prefix("# ").and_then(|line| line.strip_suffix(" is not set"));
        let default = line.split_once(" = ");
        let default = default.map(|(name, value)| (name.to_owned(), Some(value.to_owned())));
        default.or_else(|| Some((unset?.to_owned(), None))).expect("a setting")
    };
    let settings: BTreeMap<_, _> = printed.lines().map(setting).collect();
    assert!(settings.len() > 10, "{printed}");
    settings
}

/// The output of the server for such a file, which must be valid.
async fn checked(flag: &str, text: &str) -> String {
    let directory = TempDir::new().expect("a directory");
    let file = directory.path().join("example.toml");
    fs::write(&file, text).expect("written");
    let mut command = userpool();
    let output = run(command.args(["serve", flag, "--config"]).arg(&file)).await;
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).expect("UTF-8")
}
