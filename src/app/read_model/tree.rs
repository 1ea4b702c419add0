//! The Merkle tree over the records of the log. The store has its full tiles, and the other
//! hashes are in memory.

use crate::{
    app::LoadError,
    audit::{
        LogReader,
        checkpoint::LogState,
        merkle::{self, Edge, Nodes, TILE_WIDTH, Tile, leaf_hash},
    },
    event_log::{EventLog, Hash, Head, LogId, Position},
};

use super::{Damage, ReadModel, ReadModelError, key};

/// How many bytes a hash has.
const HASH_BYTES: usize = 32;

/// The tree as of one moment.
#[derive(Debug)]
pub(in crate::app) struct Tree<'a> {
    model: &'a ReadModel,
    head: Head,
    log_id: Option<LogId>,
    edge: Edge,
}

impl ReadModel {
    /// The Merkle tree of the records that the read model shows.
    pub(in crate::app) fn tree(&self) -> Tree<'_> {
        let index = self.index();
        let (head, log_id) = (index.checkpoint.head(), index.checkpoint.log_id());
        Tree { model: self, head, log_id, edge: index.tree.clone() }
    }

    /// Restores the tree of a read model that was opened: the records after its last full tile
    /// are read from the log.
    ///
    /// # Errors
    /// The log cannot be read, or a full tile is missing.
    pub(in crate::app) async fn restore_tree(&self, log: &dyn EventLog) -> Result<(), LoadError> {
        let end = self.head().position;
        let mut reader = LogReader::after(log, Position(end.0 - end.0 % TILE_WIDTH), end);
        let mut leaves = Vec::new();
        while let Some(record) = reader.next().await? {
            leaves.push(leaf_hash(&record.stored));
        }
        let tree = Edge::open(&FullTiles(self), end.0, leaves)?;
        self.index_mut().tree = tree;
        Ok(())
    }

    /// Reports that the tree of the first `size` records is not that of the log.
    pub(in crate::app) fn report_tree(&self, size: u64) -> ReadModelError {
        let error = Damage::Root { size }.into();
        self.report(&error);
        error
    }

    /// The hashes of a full tile.
    fn tile(&self, level: u32, index: u64) -> Result<Vec<Hash>, ReadModelError> {
        let row = self.get(&key::tile(level, index))?.unwrap_or_default();
        let (hashes, _) = row.as_chunks::<HASH_BYTES>();
        Ok(hashes.iter().copied().map(Hash).collect())
    }
}

impl Tree<'_> {
    /// How many leaves it has.
    pub(in crate::app) const fn size(&self) -> u64 {
        self.edge.size()
    }

    /// The end of the log.
    pub(in crate::app) fn state(&self) -> LogState {
        LogState { head: self.head, root: self.edge.root(), log_id: self.log_id }
    }

    /// The root of its first `size` leaves.
    pub(in crate::app) fn root(&self, size: u64) -> Result<Hash, ReadModelError> {
        if size == self.size() { Ok(self.edge.root()) } else { merkle::root(self, size) }
    }
}

impl Nodes for Tree<'_> {
    type Error = ReadModelError;

    fn hashes(&self, level: u32, first: u64, count: u64) -> Result<Vec<Hash>, ReadModelError> {
        match self.edge.last_tile(level) {
            (last, hashes) if last == first / TILE_WIDTH => part(hashes, level, first, count),
            _ => FullTiles(self.model).hashes(level, first, count),
        }
    }
}

/// The full tiles alone.
struct FullTiles<'a>(&'a ReadModel);

impl Nodes for FullTiles<'_> {
    type Error = ReadModelError;

    fn hashes(&self, level: u32, first: u64, count: u64) -> Result<Vec<Hash>, ReadModelError> {
        let tile = || self.0.tile(level, first / TILE_WIDTH);
        self.0.checked(|| part(&tile()?, level, first, count))
    }
}

/// Some of the hashes of a tile.
fn part(tile: &[Hash], level: u32, first: u64, count: u64) -> Result<Vec<Hash>, ReadModelError> {
    let (index, place) = (first / TILE_WIDTH, first % TILE_WIDTH);
    let [start, end] = [place, place.saturating_add(count)]
        .map(|place| usize::try_from(place).unwrap_or(usize::MAX));
    let hashes = tile.get(start..end).map(<[Hash]>::to_vec);
    hashes.ok_or_else(|| Damage::Tile { level, index }.into())
}

/// The row of a full tile.
pub(super) fn row(tile: &Tile) -> (Vec<u8>, Vec<u8>) {
    let hashes = tile.hashes.iter().flat_map(|hash| hash.0).collect();
    (key::tile(tile.level, tile.index), hashes)
}
