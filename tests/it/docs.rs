//! The documentation: every page is in the index, its links lead somewhere, its commands exist,
//! and what it repeats from elsewhere is the same there.

mod api;
mod commands;
mod generated;
mod guides;
mod links;

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::tools::repository;

/// Where the documents are, besides the top level.
const DIRECTORIES: [&str; 3] = ["docs", "examples", ".github"];

/// A longer README is not read.
const MAX_README_LINES: usize = 150;

/// A document: its path in the repository, and its text.
struct Page {
    path: String,
    text: String,
}

impl Page {
    fn read(path: &str) -> Self {
        let text = fs::read_to_string(repository().join(path)).expect(path);
        Self { path: path.to_owned(), text }
    }

    /// Lines outside of blocks of code.
    fn prose(&self) -> impl Iterator<Item = &str> {
        let mut inside = false;
        self.text.lines().filter(move |line| {
            let is_fence = line.starts_with("```");
            inside ^= is_fence;
            !inside && !is_fence
        })
    }
}

/// Every Markdown file of the repository, except generated and installed ones.
fn pages() -> Vec<Page> {
    let mut paths = vec![PathBuf::from("README.md"), PathBuf::from("CHANGELOG.md")];
    for directory in DIRECTORIES {
        add_pages(Path::new(directory), &mut paths);
    }
    let paths = paths.iter().map(|path| path.to_str().expect("UTF-8"));
    let pages: Vec<_> = paths.map(Page::read).collect();
    assert!(pages.len() > 20, "only {} pages were found", pages.len());
    pages
}

fn add_pages(directory: &Path, paths: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(repository().join(directory)).expect("a directory") {
        let entry = entry.expect("an entry");
        let path = directory.join(entry.file_name());
        let is_installed = path.ends_with("node_modules") || path.ends_with(".venv");
        if entry.path().is_dir() && !is_installed {
            add_pages(&path, paths);
        } else if path.extension().is_some_and(|extension| extension == "md") {
            paths.push(path);
        }
    }
}

#[test]
fn the_readme_has_at_most_150_lines() {
    let lines = Page::read("README.md").text.lines().count();
    assert!(lines <= MAX_README_LINES, "{lines} lines");
}

/// `benches/run` writes both.
#[test]
fn the_readme_has_figures_of_the_performance_page() {
    const BEGIN: &str = "<!-- Written by benches/run, from here -->\n";
    let [readme, performance] = ["README.md", "docs/concepts/performance.md"].map(Page::read);
    let (_, figures) = readme.text.split_once(BEGIN).expect("figures");
    let (figures, _) = figures.split_once("\n<!-- to here -->").expect("their end");
    let figures: Vec<_> = figures.lines().filter(|line| !line.is_empty()).collect();
    // The machine, two lines of the heading, and three figures.
    assert_eq!(figures.len(), 6, "{figures:?}");
    for figure in figures {
        assert!(performance.text.lines().any(|line| line == figure), "{figure}");
    }
}
