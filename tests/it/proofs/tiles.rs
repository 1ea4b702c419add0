//! The files of a tree are what Go's package tlog reads, and one that is changed is refused.

use std::{fs, path::Path};

use chrono::DateTime;
use data_encoding::BASE64;
use serde_json::{Value, json};
use tempfile::TempDir;
use userpool::{
    audit::{
        TileFile, TileFiles,
        checkpoint::{LogState, Signer},
    },
    event_log::{Head, Position},
};

use super::{Tree, judge};
use crate::random::Random;

/// So many that a path has two groups of digits, and that there are three levels.
const MANY: u64 = 256 * 1000 + 300;
/// How many changes are tried.
const MUTATIONS: usize = 1000;

/// The files of the tree whose leaf with index n is n in eight bytes, and the key of its
/// checkpoint.
struct Files {
    directory: TempDir,
    tiles: Vec<TileFile>,
    key: String,
}

impl Files {
    fn of(size: u64) -> Self {
        let directory = TempDir::new().expect("a directory");
        let mut files = TileFiles::new(true);
        let mut tiles: Vec<_> =
            (0..size).flat_map(|index| files.push(&index.to_be_bytes())).collect();
        assert!(files.oversized().is_empty());
        tiles.extend(files.finish());
        for file in &tiles {
            write(directory.path(), &file.path, &file.contents);
        }
        let keys = TempDir::new().expect("a directory");
        let signer = Signer::open(&keys.path().join("key"), &keys.path().join("none"));
        let signer = signer.expect("a key");
        let head = Head { position: Position(size), ..Head::default() };
        let state = LogState { head, root: Tree::of(size).edge.root(), log_id: None };
        let checkpoint =
            signer.sign(&state, DateTime::from_timestamp(1_512_950_400, 0).expect("2017"));
        write(directory.path(), "checkpoint", checkpoint.note.as_bytes());
        Self { directory, tiles, key: signer.note_key(None).to_string() }
    }

    fn question(&self, changed: &str, contents: &[u8]) -> Value {
        json!({"Tiles": {
            "Directory": self.directory.path(), "Key": self.key, "Entries": true,
            "Changed": changed, "Contents": BASE64.encode(contents),
        }})
    }
}

fn write(directory: &Path, path: &str, contents: &[u8]) {
    let path = directory.join(path);
    fs::create_dir_all(path.parent().expect("a parent")).expect("created");
    fs::write(path, contents).expect("written");
}

#[test]
fn go_reads_trees_from_tiles() {
    let sizes = [0, 1, 2, 255, 256, 257, 511, 512, 700, 65_535, 65_536, 65_537, MANY];
    let all: Vec<_> = sizes.into_iter().map(Files::of).collect();
    let questions: Vec<_> = all.iter().map(|files| files.question("", &[])).collect();
    judge::assert_accepted(&questions, "that Go reads the tree from tiles");
    let paths: Vec<_> = all[12].tiles.iter().map(|file| file.path.as_str()).collect();
    for path in [
        "tile/0/000",
        "tile/0/x001/000",
        "tile/0/x001/001.p/44",
        "tile/1/003.p/233",
        "tile/2/000.p/3",
        "tile/entries/999",
        "tile/entries/x001/001.p/44",
    ] {
        assert!(paths.contains(&path), "{path}");
    }
}

#[test]
fn a_changed_tile_is_refused() {
    let files = Files::of(700);
    judge::assert_accepted(&[files.question("", &[])], "that Go reads the tree from tiles");
    let mut random = Random::from_seed(18);
    let change = |_| {
        let file = &files.tiles[random.below(files.tiles.len())];
        let mut contents = file.contents.clone();
        let place = random.below(contents.len());
        match random.below(4) {
            0 => contents[place] ^= 1 << random.below(8),
            1 => drop(contents.remove(place)),
            2 => contents.insert(place, 0),
            _ => contents.truncate(place),
        }
        files.question(&file.path, &contents)
    };
    let questions: Vec<_> = (0..MUTATIONS).map(change).collect();
    judge::assert_refused(&questions, "that Go refuses changed tiles");
}

#[test]
fn a_bundle_with_a_record_that_is_too_large_is_left_out() {
    let mut files = TileFiles::new(true);
    let mut written = Vec::new();
    for position in 1..=600_u64 {
        let length = if position == 300 {
            65_536
        } else {
            65_535 / usize::try_from(position).expect("small")
        };
        written.extend(files.push(&vec![0; length]));
    }
    assert_eq!(files.oversized(), [300]);
    written.extend(files.finish());
    let paths: Vec<_> = written.iter().map(|file| file.path.as_str()).collect();
    assert_eq!(
        paths,
        [
            "tile/0/000",
            "tile/entries/000",
            "tile/0/001",
            "tile/0/002.p/88",
            "tile/1/000.p/2",
            "tile/entries/002.p/88"
        ]
    );
}
