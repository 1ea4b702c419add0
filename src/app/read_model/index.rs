//! The index: where the state of each user pool is stored, and the sum that the stored
//! bytes must have. It is in memory, and the store has a copy of it.

use std::collections::HashMap;

use prost::Message as _;
use rustc_hash::FxBuildHasher;
use sha2::{Digest as _, Sha256};
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use crate::{
    app::stored::{Checkpoint, FORM, StoredEntry},
    audit::merkle::Edge,
};

/// The first 128 bits of the SHA-256 of a user pool ID: no two IDs share them, and they
/// take less memory than the ID.
type IdHash = u128;

/// The checkpoint, and an entry for each user pool that ever existed.
#[derive(Debug)]
pub(super) struct Index {
    pub(super) checkpoint: Checkpoint,
    /// The Merkle tree of the records up to the checkpoint.
    pub(super) tree: Edge,
    entries: HashMap<IdHash, Entry, FxBuildHasher>,
}

/// The index of an empty read model.
impl Default for Index {
    fn default() -> Self {
        Self::new(Checkpoint { form: FORM, ..Checkpoint::default() })
    }
}

/// Where the state of a user pool is stored, and its sum.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Entry {
    /// The position of its creation.
    pub(super) created: u64,
    /// The [sum](sum_of) of its stored state.
    pub(super) sum: u64,
}

/// An entry with the ID of its user pool.
#[derive(Debug)]
pub(super) struct NewEntry {
    pub(super) id: String,
    pub(super) entry: Entry,
}

/// What an index has after changes.
#[derive(Debug)]
pub(super) struct Next {
    pub(super) entries: Vec<NewEntry>,
    pub(super) checkpoint: Checkpoint,
    pub(super) tree: Edge,
}

impl NewEntry {
    /// The entry in its stored form.
    pub(super) fn encode(&self) -> Vec<u8> {
        StoredEntry { user_pool_id: self.id.clone(), sum: self.entry.sum }.encode_to_vec()
    }
}

impl Index {
    /// An index without user pools.
    pub(super) fn new(checkpoint: Checkpoint) -> Self {
        Self { checkpoint, tree: Edge::default(), entries: HashMap::default() }
    }

    pub(super) fn get(&self, id: &str) -> Option<Entry> {
        self.entries.get(&hash_of(id)).copied()
    }

    /// Sets the entry of a user pool.
    pub(super) fn set(&mut self, NewEntry { id, entry }: &NewEntry) {
        self.entries.insert(hash_of(id), *entry);
    }

    /// Sets the entries of user pools.
    pub(super) fn set_all(&mut self, entries: &[NewEntry]) {
        for entry in entries {
            self.set(entry);
        }
    }

    /// Moves on to a later checkpoint.
    pub(super) fn advance(&mut self, next: Next) {
        let Next { entries, checkpoint, tree } = next;
        self.set_all(&entries);
        (self.checkpoint, self.tree) = (checkpoint, tree);
    }

    /// The sum of the sums of all entries.
    pub(super) fn sum(&self) -> u64 {
        self.entries.values().fold(0, |digest, entry| digest.wrapping_add(entry.sum))
    }
}

/// A sum over the stored bytes of a state, which contain the ID, the revision and the
/// position of its last event. It detects damage; it does not withstand an attacker, who
/// could change the sum as well.
pub(super) fn sum_of(stored: &[u8]) -> u64 {
    xxh3_64(stored)
}

/// The sum of a row with its key. The digest includes the rows that [`key::ROWS`](super::key::ROWS)
/// lists.
pub(super) fn row_sum(key: &[u8], value: &[u8]) -> u64 {
    xxh3_64_with_seed(value, xxh3_64(key))
}

fn hash_of(id: &str) -> IdHash {
    let hash = Sha256::digest(id);
    hash.first_chunk().copied().map_or(0, IdHash::from_be_bytes)
}
