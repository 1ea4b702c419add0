//! Proofs: that an event is in the log, and that a log was continued, in the formats that
//! public tools verify.

pub(crate) mod judge;
mod mutations;
mod published;
mod server;
mod tiles;
mod trees;
mod witness_faults;
pub(crate) mod witness_servers;
pub(crate) mod witnesses;

use std::{collections::HashMap, convert::Infallible};

use data_encoding::BASE64;
use userpool::{
    audit::merkle::{Edge, Nodes, TILE_WIDTH, leaf_hash},
    event_log::Hash,
};

/// A tree in memory.
#[derive(Debug, Default)]
pub(crate) struct Tree {
    edge: Edge,
    tiles: HashMap<(u32, u64), Vec<Hash>>,
}

impl Tree {
    /// The tree whose leaf with index n is n in eight bytes, big-endian.
    fn of(size: u64) -> Self {
        let mut tree = Self::default();
        for index in 0..size {
            for tile in tree.edge.push(leaf_hash(&index.to_be_bytes())) {
                tree.tiles.insert((tile.level, tile.index), tile.hashes);
            }
        }
        tree
    }
}

impl Nodes for Tree {
    type Error = Infallible;

    fn hashes(&self, level: u32, first: u64, count: u64) -> Result<Vec<Hash>, Infallible> {
        let place = usize::try_from(first % TILE_WIDTH).expect("a place");
        let count = usize::try_from(count).expect("a count");
        let (last, hashes) = self.edge.last_tile(level);
        let index = first / TILE_WIDTH;
        let tile = if index == last { hashes } else { self.tiles[&(level, index)].as_slice() };
        Ok(tile[place..place + count].to_vec())
    }
}

/// A hash as JSON and notes have it.
fn base64(hash: Hash) -> String {
    BASE64.encode(&hash.0)
}

/// Hashes as JSON has them.
fn all_base64(hashes: &[Hash]) -> Vec<String> {
    hashes.iter().copied().map(base64).collect()
}
