//! The order of the rooms, which `src/lib.rs` states, is the order in the sources.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use regex::Regex;

use crate::tools::repository;

/// The longest file that is still read from end to end.
const LINES: usize = 400;

#[test]
fn a_room_imports_only_from_the_rooms_above_it() {
    let rooms = rooms();
    let mut imports = 0;
    for source in sources() {
        let Some(here) = rooms.iter().position(|room| *room == source.room) else {
            assert_eq!(source.room, "main", "{} is in no room", source.path.display());
            continue;
        };
        for imported in imported_rooms(&source.code) {
            let there = rooms.iter().position(|room| *room == imported);
            let there = there.expect("an import from a room");
            let path = source.path.display();
            assert!(there <= here, "{path}: {} imports from {imported}", source.room);
            imports += usize::from(there < here);
        }
    }
    assert!(imports > 20, "only {imports} imports were found");
}

#[test]
fn the_rules_know_nothing_of_the_log_and_the_log_nothing_of_messages() {
    for source in sources() {
        let imported = imported_rooms(&source.code);
        let strange = match source.room.as_str() {
            "user_pool" => "event_log",
            "event_log" => "proto",
            _ => continue,
        };
        let path = source.path.display();
        assert!(!imported.contains(strange), "{path} imports from {strange}");
    }
}

#[test]
fn the_table_of_rooms_is_complete() {
    let lib = read(&repository().join("src/lib.rs"));
    let module = Regex::new(r"(?m)^pub mod (\w+);").expect("a pattern");
    let declared = module.captures_iter(&lib).map(|found| found[1].to_owned());
    assert_eq!(rooms().into_iter().collect::<BTreeSet<_>>(), declared.collect());
}

/// `super` leads out of a room only from its root, and from below by way of two.
#[test]
fn no_room_is_left_by_the_back_door() {
    let super_path = Regex::new(r"(?-u:\b)super::").expect("a pattern");
    for source in sources() {
        let path = source.path.display();
        assert!(!source.code.contains("super::super"), "{path} climbs twice");
        let root = source.depth == 1 || (source.depth == 2 && source.path.ends_with("mod.rs"));
        assert!(!root || !super_path.is_match(&source.code), "{path} climbs out of its room");
    }
}

#[test]
fn no_file_is_longer_than_a_reader_s_patience() {
    for source in sources() {
        let lines = source.text.lines().count();
        assert!(lines <= LINES, "{} has {lines} lines", source.path.display());
    }
}

#[test]
fn time_and_identifiers_come_from_one_place() {
    let owner = repository().join("src/app/source.rs");
    let banned = Regex::new(r"(SystemTime|Utc|Local)::now|Uuid::(now_v7|new_v4)");
    let banned = banned.expect("a pattern");
    for source in sources() {
        let found = banned.is_match(&source.code);
        assert_eq!(found, source.path == owner, "{}", source.path.display());
    }
}

#[test]
fn every_file_says_what_it_is_for() {
    for source in sources() {
        assert!(source.text.starts_with("//! "), "{}", source.path.display());
    }
}

/// A file under `src`.
struct Source {
    path: PathBuf,
    /// The first step of its module path.
    room: String,
    /// How many steps below `src` it is.
    depth: usize,
    text: String,
    /// The text without comments.
    code: String,
}

fn sources() -> Vec<Source> {
    let top = repository().join("src");
    let mut sources = Vec::new();
    let mut directories = vec![top.clone()];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(&directory).expect("a directory") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                directories.push(path);
                continue;
            }
            let inside = path.strip_prefix(&top).expect("a path under src");
            let depth = inside.components().count();
            let first = inside.components().next().expect("a file name");
            let first = Path::new(first.as_os_str()).file_stem().expect("a name");
            let room = first.to_string_lossy().into_owned();
            if room == "lib" {
                continue;
            }
            let text = read(&path);
            let comment = |line: &&str| !line.trim_start().starts_with("//");
            let code = text.lines().filter(comment).collect::<Vec<_>>().join("\n");
            sources.push(Source { path, room, depth, text, code });
        }
    }
    assert!(sources.len() > 30, "{} sources were found", sources.len());
    sources
}

/// The rooms, top to bottom, as the table in `src/lib.rs` has them.
fn rooms() -> Vec<String> {
    let lib = read(&repository().join("src/lib.rs"));
    let row = Regex::new(r"(?m)^//! \| \[`(\w+)`\] \|").expect("a pattern");
    let rooms: Vec<_> = row.captures_iter(&lib).map(|found| found[1].to_owned()).collect();
    assert!(rooms.len() > 5, "the table has {rooms:?}");
    rooms
}

/// What the code names after `crate::`, in a path or in the braces of a `use`.
fn imported_rooms(code: &str) -> BTreeSet<String> {
    let path = Regex::new(r"(?-u:\b)crate::(\w+)").expect("a pattern");
    let inner = Regex::new(r"\{[^{}]*\}").expect("a pattern");
    let mut rooms: BTreeSet<_> =
        path.captures_iter(code).map(|found| found[1].to_owned()).collect();
    for (start, opening) in code.match_indices("crate::{") {
        let mut depth = 1;
        let inside = code[start + opening.len()..].chars().take_while(|letter| {
            depth += i32::from(*letter == '{') - i32::from(*letter == '}');
            depth > 0
        });
        // What is in inner braces says nothing of the room.
        let mut outer: String = inside.collect();
        while inner.is_match(&outer) {
            outer = inner.replace_all(&outer, "").into_owned();
        }
        let first = |path: &str| path.split("::").next().unwrap_or_default().trim().to_owned();
        rooms.extend(outer.split(',').map(first).filter(|room| !room.is_empty()));
    }
    rooms
}

#[test]
fn imports_are_found_however_they_are_written() {
    let code = "use crate::{\n    app::{App, read_model::{A, B}},\n    grpc::CallLayer,\n};\n\
                use crate::proto::UserPool;\nlet x = crate::cli::run();";
    let expected = ["app", "cli", "grpc", "proto"].map(str::to_owned);
    assert_eq!(imported_rooms(code), BTreeSet::from(expected));
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).expect("a readable file")
}
