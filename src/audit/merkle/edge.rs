//! The right edge of the tree: the hashes that are not in full tiles yet, which are enough to
//! append leaves and to compute the root.

use std::mem;

use crate::event_log::Hash;

use super::{Nodes, TILE_HEIGHT, TILE_WIDTH, fold};

/// The hashes of a tree that are not in full tiles.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Edge {
    size: u64,
    /// The hashes of each level, fewer than a tile has.
    levels: Vec<Vec<Hash>>,
}

/// A full tile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tile {
    /// Its level: 0 for the hashes of records.
    pub level: u32,
    /// Its index in the level, from 0.
    pub index: u64,
    /// Its hashes.
    pub hashes: Vec<Hash>,
}

impl Edge {
    /// The edge of a tree whose full tiles are kept, given the hashes of the leaves after the
    /// last full tile.
    ///
    /// # Errors
    /// A full tile cannot be read.
    pub fn open<N: Nodes>(full: &N, size: u64, last_leaves: Vec<Hash>) -> Result<Self, N::Error> {
        let mut levels = vec![last_leaves];
        let mut full_tiles = size >> TILE_HEIGHT;
        for level in 0.. {
            if full_tiles == 0 {
                break;
            }
            let first = full_tiles / TILE_WIDTH * TILE_WIDTH;
            let roots = (first..full_tiles)
                .map(|tile| Ok(fold(&full.hashes(level, tile * TILE_WIDTH, TILE_WIDTH)?)));
            levels.push(roots.collect::<Result<_, _>>()?);
            full_tiles >>= TILE_HEIGHT;
        }
        Ok(Self { size, levels })
    }

    /// How many leaves the tree has.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// The index of the tile of a level that is not full yet, and its hashes.
    #[must_use]
    pub fn last_tile(&self, level: u32) -> (u64, &[Hash]) {
        let index = self.size.checked_shr(level.saturating_add(1).saturating_mul(TILE_HEIGHT));
        let place = usize::try_from(level).unwrap_or(usize::MAX);
        (index.unwrap_or_default(), self.levels.get(place).map_or(&[], Vec::as_slice))
    }

    /// Appends a leaf, and returns the tiles that this makes full.
    pub fn push(&mut self, leaf: Hash) -> Vec<Tile> {
        self.size = self.size.saturating_add(1);
        let mut full = Vec::new();
        let (mut hash, mut level, mut index) = (leaf, 0, self.size);
        loop {
            let place = usize::try_from(level).unwrap_or(usize::MAX);
            if self.levels.len() <= place {
                self.levels.push(Vec::new());
            }
            let Some(hashes) = self.levels.get_mut(place) else { return full };
            hashes.push(hash);
            index >>= TILE_HEIGHT;
            if u64::try_from(hashes.len()).unwrap_or(u64::MAX) < TILE_WIDTH {
                return full;
            }
            let hashes = mem::take(hashes);
            hash = fold(&hashes);
            full.push(Tile { level, index: index.saturating_sub(1), hashes });
            level = level.saturating_add(1);
        }
    }

    /// The root of the tree.
    #[must_use]
    pub fn root(&self) -> Hash {
        let above = |below: Option<Hash>, level: &Vec<Hash>| {
            let hashes: Vec<_> = level.iter().copied().chain(below).collect();
            if hashes.is_empty() { None } else { Some(fold(&hashes)) }
        };
        self.levels.iter().fold(None, above).unwrap_or_else(|| fold(&[]))
    }
}
