//! The order of the rooms, which `src/lib.rs` states, is the order in the sources.

mod cycles;
mod examples;
mod knowledge;
mod modules;
mod tokens;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
    sync::LazyLock,
};

use regex::Regex;

use self::modules::{Crate, Target};
use crate::tools::repository;

/// A longer file is hard to read from end to end.
const MAX_LINES: usize = 400;

/// The one file of the server that reads the clock and makes identifiers, and the one
/// of the client, which knows nothing of the server.
const SOURCES: [&str; 2] = ["app/source.rs", "client/random.rs"];

/// The modules of the crate. To read them takes a second, so the tests share them.
static CRATE: LazyLock<Crate> = LazyLock::new(|| Crate::read(&files()));

#[test]
fn a_room_imports_only_from_the_rooms_above_it() {
    let rooms = rooms();
    let violations = order_violations(&CRATE, &rooms);
    assert!(violations.is_empty(), "\n{}", violations.join("\n"));
    let imports = CRATE.modules.values().map(|module| module.references.len()).sum::<usize>();
    assert!(imports > 1000, "only {imports} paths were found");
}

#[test]
fn a_room_names_nothing_that_its_row_excludes() {
    let mut found = Vec::new();
    for (room, unknown) in table() {
        let unknown = knowledge::unknown(&unknown);
        let unknown = unknown.unwrap_or_else(|phrase| panic!("{room}: no meaning of {phrase:?}"));
        found.extend(knowledge::violations(&CRATE, &room, &unknown));
    }
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}

#[test]
fn a_room_has_no_import_cycles() {
    let found: Vec<_> = rooms().iter().flat_map(|room| cycles::cycles(&CRATE, room)).collect();
    assert!(found.is_empty(), "\n{}", found.join("\n\n"));
}

#[test]
fn no_code_hides_an_import() {
    assert!(CRATE.faults.is_empty(), "\n{}", CRATE.faults.join("\n"));
}

#[test]
fn the_table_of_rooms_is_complete() {
    let lib = read(&repository().join("src/lib.rs"));
    let module = Regex::new(r"(?m)^pub mod (\w+);").expect("a pattern");
    let declared = module.captures_iter(&lib).map(|found| found[1].to_owned());
    assert_eq!(rooms().into_iter().collect::<BTreeSet<_>>(), declared.collect());
}

#[test]
fn no_file_is_longer_than_400_lines() {
    for (file, source) in files() {
        let lines = source.lines().count();
        assert!(lines <= MAX_LINES, "{file} has {lines} lines");
    }
}

#[test]
fn a_function_name_has_at_most_60_characters() {
    let long = Regex::new(r"fn ([a-z0-9_]{61,})").expect("a pattern");
    for top in ["src", "tests"] {
        for (file, source) in rust_files(top) {
            let name = long.captures(&source).map(|found| found[1].to_owned());
            assert_eq!(name, None, "in {top}/{file}");
        }
    }
}

#[test]
fn time_and_identifiers_come_from_one_place() {
    let banned = [
        "std::time::SystemTime::now",
        "chrono::Utc::now",
        "chrono::Local::now",
        "uuid::Uuid::now_v7",
        "uuid::Uuid::new_v4",
    ];
    let mut owners = BTreeSet::new();
    for (path, module) in &CRATE.modules {
        for reference in &module.references {
            if let Target::Outside(outside) = CRATE.resolve(path, &reference.segments)
                && banned.contains(&outside.join("::").as_str())
            {
                owners.insert(module.file.as_str());
            }
        }
    }
    assert_eq!(owners, BTreeSet::from(SOURCES));
}

#[test]
fn every_file_says_what_it_is_for() {
    for (file, source) in files() {
        assert!(source.starts_with("//! "), "{file}");
    }
}

/// The sources, by path below `src`.
fn files() -> BTreeMap<String, String> {
    let files = rust_files("src");
    assert!(files.len() > 30, "{} files were found", files.len());
    files
}

/// The Rust files below a directory of the repository, by path below it.
fn rust_files(top: &str) -> BTreeMap<String, String> {
    let top = repository().join(top);
    let mut files = BTreeMap::new();
    let mut directories = vec![top.clone()];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(&directory).expect("a directory") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                directories.push(path);
                continue;
            }
            let file = path.strip_prefix(&top).expect("a path below it");
            if file.extension().is_some_and(|extension| extension == "rs") {
                files.insert(file.to_string_lossy().into_owned(), read(&path));
            }
        }
    }
    files
}

/// The table in `src/lib.rs`: the rooms, top to bottom, and what each knows nothing of.
fn table() -> Vec<(String, String)> {
    let lib = read(&repository().join("src/lib.rs"));
    let row = Regex::new(r"(?m)^//! \| \[`(\w+)`\] \|.*\| (.*) \|$").expect("a pattern");
    let rows = row.captures_iter(&lib).map(|found| (found[1].to_owned(), found[2].to_owned()));
    let rows: Vec<_> = rows.collect();
    assert!(rows.len() > 5, "the table has {rows:?}");
    rows
}

fn rooms() -> Vec<String> {
    table().into_iter().map(|(room, _)| room).collect()
}

/// The paths into rooms below the one that names them.
fn order_violations(krate: &Crate, rooms: &[String]) -> Vec<String> {
    let place = |room: &str| rooms.iter().position(|other| other == room);
    let mut violations = Vec::new();
    for (path, module) in krate.modules.iter().filter(|(path, _)| *path != "crate") {
        let here = path.split("::").nth(1).unwrap_or_default();
        for reference in &module.references {
            let Some(named) = Crate::absolute(path, &reference.segments) else { continue };
            let allowed = match named.get(1) {
                Some(there) if named[0] == "crate" => {
                    place(there).is_some_and(|there| Some(there) <= place(here))
                }
                // The root of the crate, or a path above it.
                _ => false,
            };
            if !allowed {
                violations.push(format!("{}: {}", module.file, reference.segments.join("::")));
            }
        }
    }
    violations
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).expect("a readable file")
}
