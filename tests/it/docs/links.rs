//! Links lead to files and headings that exist, and names of files and tests are right.

use std::{collections::BTreeSet, fs, path::Path};

use regex::Regex;

use super::{Page, pages};
use crate::tools::repository;

/// The index of the book.
const INDEX: &str = "docs/README.md";

/// The anchors of a page's headings, as GitHub makes them.
fn anchors(page: &Page) -> BTreeSet<String> {
    let mut anchors = BTreeSet::new();
    for line in page.prose().filter(|line| line.starts_with('#')) {
        let heading = line.trim_start_matches('#').trim().to_lowercase();
        let kept = |letter: &char| letter.is_alphanumeric() || " -_".contains(*letter);
        let anchor: String = heading.chars().filter(kept).collect::<String>().replace(' ', "-");
        let repeated = (1..).map(|number| format!("{anchor}-{number}"));
        let mut names = [anchor.clone()].into_iter().chain(repeated);
        anchors.insert(names.find(|name| !anchors.contains(name)).expect("a name"));
    }
    anchors
}

/// The path in the repository to which a link in the page leads, and its anchor.
fn target(page: &Page, link: &str) -> (String, Option<String>) {
    let (path, anchor) = match link.split_once('#') {
        Some((path, anchor)) => (path, Some(anchor.to_owned())),
        None => (link, None),
    };
    if path.is_empty() {
        return (page.path.clone(), anchor);
    }
    let mut parts: Vec<_> = page.path.split('/').collect();
    parts.pop();
    for part in path.split('/') {
        match part {
            ".." => drop(parts.pop()),
            "." | "" => {}
            part => parts.push(part),
        }
    }
    (parts.join("/"), anchor)
}

/// The links of a page to files and headings of the repository.
fn links(page: &Page) -> Vec<(String, Option<String>)> {
    let link = Regex::new(r"\]\(([^)\s]+)\)").expect("a pattern");
    let prose: Vec<_> = page.prose().collect();
    let prose = prose.join("\n");
    let links = link.captures_iter(&prose).map(|link| link[1].to_owned());
    let links = links.filter(|link| !link.contains("://"));
    links.map(|link| target(page, &link)).collect()
}

#[test]
fn every_link_leads_to_a_file_and_a_heading() {
    let mut dead = Vec::new();
    let mut count = 0;
    for page in pages() {
        for (path, anchor) in links(&page) {
            count += 1;
            let exists = repository().join(&path).exists();
            let has_heading = exists
                && anchor
                    .as_ref()
                    .is_none_or(|anchor| anchors(&Page::read(&path)).contains(anchor));
            if !has_heading {
                dead.push(format!("{}: {path}#{}", page.path, anchor.unwrap_or_default()));
            }
        }
    }
    assert!(dead.is_empty(), "{dead:#?}");
    assert!(count > 100, "{count} links were found");
}

#[test]
fn every_page_of_the_book_is_in_its_index() {
    let listed: BTreeSet<_> = links(&Page::read(INDEX)).into_iter().map(|(path, _)| path).collect();
    let pages = pages().into_iter().map(|page| page.path);
    let missing: Vec<_> = pages
        .filter(|path| path.starts_with("docs/") && path != INDEX && !listed.contains(path))
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
}

/// All Rust sources below the directory.
fn sources(directory: &Path) -> String {
    let entries = fs::read_dir(directory).expect("a directory");
    let texts = entries.map(|entry| {
        let path = entry.expect("an entry").path();
        match path.extension() {
            Some(extension) if extension == "rs" => fs::read_to_string(&path).expect("a file"),
            None if path.is_dir() => sources(&path),
            _ => String::new(),
        }
    });
    texts.collect()
}

/// In code, a path that begins with a directory of the repository is one, and words with
/// underscores that read like the name of a test are one.
#[test]
fn the_pages_name_only_existing_paths_and_tests() {
    let code = Regex::new("`([^`\n]+)`").expect("a pattern");
    let path = r"^(?:[A-Z_]+=\S+ )?((?:src|tests|docs|proto|deploy|benches|examples|fuzz|\.ci|\.github)/[\w./-]+)";
    let (path, test) = (
        Regex::new(path).expect("a pattern"),
        Regex::new(r"^[a-z]+(?:_[a-z0-9]+){3,}$").expect("a pattern"),
    );
    let tests = sources(&repository().join("tests"));
    let (mut paths, mut names, mut wrong) = (0, 0, Vec::new());
    for page in pages().into_iter().filter(|page| page.path != "CHANGELOG.md") {
        for line in page.prose() {
            for word in code.captures_iter(line) {
                if let Some(path) = path.captures(&word[1]) {
                    paths += 1;
                    if !repository().join(&path[1]).exists() {
                        wrong.push(format!("{}: {}", page.path, &path[1]));
                    }
                } else if test.is_match(&word[1]) && is_guide(&page) {
                    names += 1;
                    if !tests.contains(&format!("fn {}(", &word[1])) {
                        wrong.push(format!("{}: there is no test {}", page.path, &word[1]));
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(paths > 40 && names > 8, "{paths} paths and {names} tests were found");
}

/// A page for those who change the code, where such words are names of tests.
fn is_guide(page: &Page) -> bool {
    page.path.starts_with(".github/") || page.path.starts_with("docs/internals/")
}
