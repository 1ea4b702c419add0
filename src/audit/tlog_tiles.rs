//! The Merkle tree as files that any web server can serve, as in C2SP's tlog-tiles: tiles of
//! hashes, and bundles of records.

use std::{collections::VecDeque, mem};

use super::merkle::{Edge, TILE_WIDTH, leaf_hash};

/// How many digits each part of a path has.
const PATH_DIGITS: u64 = 1000;

/// A file of the tree. Its contents never change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TileFile {
    /// Its path below the directory, with slashes.
    pub path: String,
    /// What it contains.
    pub contents: Vec<u8>,
}

/// Computes the files of a tree from its records.
#[derive(Debug, Default)]
pub struct TileFiles {
    tree: Edge,
    /// The records after the last full bundle; none if bundles are not wanted.
    bundle: Option<Bundle>,
    oversized: Vec<u64>,
}

/// The records of a bundle, each after its length.
#[derive(Debug, Default)]
struct Bundle {
    bytes: Vec<u8>,
    /// Whether one of its records is too large for it, so that there can be no such file.
    is_oversized: bool,
}

impl TileFiles {
    /// The files of an empty tree; with bundles of its records, or without.
    #[must_use]
    pub fn new(has_bundles: bool) -> Self {
        Self { bundle: has_bundles.then(Bundle::default), ..Self::default() }
    }

    /// Takes the stored bytes of the next record, and returns the files that this completes.
    pub fn push(&mut self, record: &[u8]) -> Vec<TileFile> {
        let full = self.tree.push(leaf_hash(record));
        if self.bundle.as_mut().is_some_and(|bundle| !bundle.push(record)) {
            self.oversized.push(self.tree.size());
        }
        let mut files: Vec<_> = full
            .iter()
            .map(|tile| TileFile {
                path: path(&tile.level.to_string(), tile.index, TILE_WIDTH),
                contents: tile.hashes.iter().flat_map(|hash| hash.0).collect(),
            })
            .collect();
        if !files.is_empty()
            && let Some(bundle) = &mut self.bundle
        {
            let index = (self.tree.size() / TILE_WIDTH).saturating_sub(1);
            files.extend(mem::take(bundle).into_file(index, TILE_WIDTH));
        }
        files
    }

    /// The files that are not full, with which a tree of this size is complete.
    #[must_use]
    pub fn finish(self) -> Vec<TileFile> {
        let Self { tree, bundle, .. } = self;
        let size = tree.size();
        let mut files = Vec::new();
        for level in (0..).take_while(|level| size.checked_shr(level * 8).unwrap_or(0) > 0) {
            let (index, hashes) = tree.last_tile(level);
            let width = u64::try_from(hashes.len()).unwrap_or(u64::MAX);
            if width > 0 {
                let contents = hashes.iter().flat_map(|hash| hash.0).collect();
                files.push(TileFile { path: path(&level.to_string(), index, width), contents });
            }
        }
        let width = size % TILE_WIDTH;
        if let Some(bundle) = bundle.filter(|_| width > 0) {
            files.extend(bundle.into_file(size / TILE_WIDTH, width));
        }
        files
    }

    /// The positions of the records that are too large for a bundle. There is no file for a
    /// bundle with one of them.
    #[must_use]
    pub fn oversized(&self) -> &[u64] {
        &self.oversized
    }
}

impl Bundle {
    /// Adds a record; returns whether it fits.
    fn push(&mut self, record: &[u8]) -> bool {
        let Ok(length) = u16::try_from(record.len()) else {
            self.is_oversized = true;
            return false;
        };
        self.bytes.extend(length.to_be_bytes());
        self.bytes.extend(record);
        true
    }

    fn into_file(self, index: u64, width: u64) -> Option<TileFile> {
        let contents = self.bytes;
        (!self.is_oversized).then(|| TileFile { path: path("entries", index, width), contents })
    }
}

/// The path of a tile or a bundle: its index in groups of three digits, which begin with x
/// except the last, and its width unless it is full.
fn path(kind: &str, index: u64, width: u64) -> String {
    let mut groups = VecDeque::from([format!("{:03}", index % PATH_DIGITS)]);
    let mut rest = index / PATH_DIGITS;
    while rest > 0 {
        groups.push_front(format!("x{:03}", rest % PATH_DIGITS));
        rest /= PATH_DIGITS;
    }
    let groups: Vec<_> = groups.into();
    let path = format!("tile/{kind}/{}", groups.join("/"));
    if width == TILE_WIDTH { path } else { format!("{path}.p/{width}") }
}
