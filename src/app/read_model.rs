//! The read model: the user pools as clients read them, in a separate store.
//!
//! | key | value |
//! |---|---|
//! | `p` position of its creation | the state of a user pool that is not deleted |
//! | `x` position of its creation | the last state of a deleted user pool |
//! | `e` position of its creation | the ID of a user pool that is not deleted, and the sum of its state |
//! | `g` position of its creation | the same of a deleted user pool |
//! | `r` position of its creation, revision | the position of the event with that revision, from 2 |
//! | `n` name, a zero byte, position of its creation | nothing: a user pool that is not deleted has the name |
//! | `s` name, a zero byte, position of its creation | the same of a deleted user pool |
//! | `u` position of its creation | nothing: the user pool is not deleted, and has no domain |
//! | `d` name | the user pool that owns the domain |
//! | `c` hour, type | how many events of the type were recorded in the hour |
//! | `h` level, index | a full tile of the Merkle tree over the records: 256 hashes |
//! | `i` request ID | the event that the request recorded |
//! | `m` | the checkpoint |
//!
//! States are ordered by creation and not by ID, because IDs are random: the state of a new
//! user pool is written next to the previous one. The rows `n`, `s` and `u` follow from the
//! states: a list that has a filter finds user pools in them, and then reads the states.
//!
//! **Nothing is served or decided on that is not what was written.** The store is not
//! synced, and disks return wrong data. So the read model is opened only if its checkpoint
//! is a position of the log with the right hash, and if all entries and rows together have
//! the digest of the checkpoint. The entries are kept in memory, and a state is used only if it has the sum
//! of its entry. Damage that is found later ends the process, and the next start rebuilds
//! the read model from the log.
//!
//! Lookups block the calling thread: usually the data is in memory, and switching threads
//! would cost more.

mod cache;
mod changes;
mod counts;
mod disk;
mod domains;
mod error;
mod find;
mod index;
mod key;
mod load;
mod memory;
mod pool_rows;
mod scrub;
mod store;
mod tree;

use std::{
    ops::RangeInclusive,
    path::Path,
    sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
};

use bytes::Bytes;
use prost::Message;
use tokio::sync::watch;
use uuid::Uuid;

use crate::{
    event_log::{Head, LogId, Position},
    telemetry::error_chain,
    user_pool::UserPoolId,
};

use super::stored::{self, Checkpoint, EncodedPool, FORM, StoredEntry, StoredPool, StoredRequest};

use self::{
    cache::StateCache,
    disk::DiskStore,
    index::{Entry, Index, NewEntry, row_sum, sum_of},
    memory::MemoryStore,
    store::Store,
};
pub(super) use self::{
    changes::{Changes, IndexChange},
    counts::{HourCount, SECONDS_PER_HOUR, hour_of},
    error::ProjectError,
    scrub::scrub,
};
pub use self::{
    domains::Domain,
    error::{Damage, ReadModelError},
    find::PoolPage,
};

/// How many bytes of the read model are cached in memory by default.
pub const CACHE: u64 = 256 * 1024 * 1024;

/// How many keys are read at a time when the read model is opened.
const VISITED_PAGE: usize = 4096;
/// The same for tiles, which have 8 KiB each.
const VISITED_TILES: usize = 64;

/// The read model.
#[derive(Debug)]
pub struct ReadModel {
    store: Box<dyn Store>,
    /// Changed together with the store: while a batch is applied, it is locked.
    index: RwLock<Index>,
    /// The states that were used last. `None` if the store is in memory.
    cache: Option<StateCache>,
    /// Whether damage was found.
    damaged: watch::Sender<bool>,
}

impl ReadModel {
    /// Creates an empty read model in a directory that is empty or missing, and caches
    /// about `cache` bytes of it in memory. It can be opened again after the first
    /// [`apply`](Self::apply).
    pub(super) fn create(path: &Path, cache: u64) -> Result<Self, ReadModelError> {
        let (store, states) = Self::open_store(path, cache)?;
        Ok(Self::new(Box::new(store), Index::default(), Some(states)))
    }

    /// Opens the read model in a directory, and caches about `cache` bytes of it in memory.
    ///
    /// # Errors
    /// It is not as a read model of this version left it.
    pub(super) fn open(path: &Path, cache: u64) -> Result<Self, ReadModelError> {
        let (store, states) = Self::open_store(path, cache)?;
        let mut model = Self::new(Box::new(store), Index::default(), Some(states));
        let index = model.read_index()?;
        model.index = RwLock::new(index);
        Ok(model)
    }

    /// An empty read model in memory.
    pub(super) fn in_memory() -> Self {
        Self::new(Box::new(MemoryStore::default()), Index::default(), None)
    }

    fn new(store: Box<dyn Store>, index: Index, cache: Option<StateCache>) -> Self {
        Self { store, index: RwLock::new(index), cache, damaged: watch::Sender::new(false) }
    }

    /// Opens the store and creates the cache of states, which share the memory.
    fn open_store(path: &Path, cache: u64) -> Result<(DiskStore, StateCache), ReadModelError> {
        // The store caches blocks, of which lookups need the indexes most.
        let blocks = cache / 4;
        let store = DiskStore::open(path, blocks).map_err(ReadModelError::Engine)?;
        Ok((store, StateCache::new(cache.saturating_sub(blocks))))
    }

    /// Reads the index from the store, and verifies it.
    fn read_index(&self) -> Result<Index, ReadModelError> {
        let checkpoint: Option<Checkpoint> = self.message(key::CHECKPOINT)?;
        let checkpoint = checkpoint.ok_or(Damage::Unfinished)?;
        if checkpoint.form != FORM {
            return Err(Damage::OtherForm(checkpoint.form).into());
        }
        if checkpoint.damaged {
            return Err(Damage::Reported.into());
        }
        self.check_last_state(checkpoint.last_created)?;
        let mut index = Index::new(checkpoint);
        for letter in key::ENTRIES {
            self.for_each(letter, |key, stored| {
                let StoredEntry { user_pool_id: id, sum } = StoredEntry::decode(stored)?;
                index.set(&NewEntry { id, entry: Entry { created: key::position(&key), sum } });
                Ok(())
            })?;
        }
        let mut found = index.sum();
        for letter in key::ROWS {
            self.for_each(letter, |key, value| {
                found = found.wrapping_add(row_sum(&key, &value));
                Ok(())
            })?;
        }
        let expected = index.checkpoint.digest;
        if found == expected { Ok(index) } else { Err(Damage::Digest { found, expected }.into()) }
    }

    /// Visits every key that begins with this letter, and its value, in order.
    fn for_each(
        &self,
        letter: u8,
        mut visit: impl FnMut(Bytes, Bytes) -> Result<(), ReadModelError>,
    ) -> Result<(), ReadModelError> {
        let count = if letter == key::TILES { VISITED_TILES } else { VISITED_PAGE };
        // No key is a letter alone.
        let end = vec![letter.saturating_add(1)];
        let mut next = Some(vec![letter]);
        while let Some(first) = next {
            let page = self.range(first..=end.clone(), count)?;
            next = page.last().map(|(key, _)| [key.as_ref(), &[0]].concat());
            page.into_iter().try_for_each(|(key, value)| visit(key, value))?;
        }
        Ok(())
    }

    /// Checks that the states are not older than the index: their tables are written at other
    /// times. Newer states are found when the events are projected again.
    fn check_last_state(&self, created: u64) -> Result<(), ReadModelError> {
        let Some(StoredEntry { sum, .. }) = self.stored_entry(created)? else { return Ok(()) };
        let state = self.stored_state(created)?;
        match state.filter(|state| sum_of(state) == sum) {
            Some(_) => Ok(()),
            None => Err(Damage::OldStates.into()),
        }
    }

    /// The entry of the user pool that was created at this position, as it is stored.
    fn stored_entry(&self, created: u64) -> Result<Option<StoredEntry>, ReadModelError> {
        match self.message(&key::entry(created))? {
            Some(entry) => Ok(Some(entry)),
            None => self.message(&key::deleted_entry(created)),
        }
    }

    /// The state of the user pool that was created at this position, as it is stored.
    fn stored_state(&self, created: u64) -> Result<Option<Bytes>, ReadModelError> {
        // In this order, because the user pool may be deleted between the two lookups.
        match self.get(&key::pool(created))? {
            Some(stored) => Ok(Some(stored)),
            None => self.get(&key::deleted_pool(created)),
        }
    }

    /// The last record that was projected.
    pub(super) fn head(&self) -> Head {
        self.index().checkpoint.head()
    }

    /// The ID of the log; `None` while the log is empty.
    pub(super) fn log_id(&self) -> Option<LogId> {
        self.index().checkpoint.log_id()
    }

    /// How many user pools and domains there are.
    pub(super) fn counts(&self) -> (u64, u64) {
        let Checkpoint { user_pool_count, domain_count, .. } = &self.index().checkpoint;
        (*user_pool_count, *domain_count)
    }

    /// The sum over all states and rows. Read models of the same form have the same digest at
    /// the same position of a log.
    pub(super) fn digest(&self) -> u64 {
        self.index().checkpoint.digest
    }

    /// Whether damage was found; changes once at most.
    pub(super) fn damaged(&self) -> watch::Receiver<bool> {
        self.damaged.subscribe()
    }

    pub(super) fn pool(&self, id: &UserPoolId) -> Result<Option<StoredPool>, ReadModelError> {
        self.checked(|| Ok(self.stored_pool(id)?.map(StoredPool::decode).transpose()?))
    }

    pub(super) fn encoded_pool(
        &self,
        id: &UserPoolId,
    ) -> Result<Option<EncodedPool>, ReadModelError> {
        self.checked(|| Ok(self.stored_pool(id)?.map(EncodedPool::decode).transpose()?))
    }

    fn stored_pool(&self, id: &UserPoolId) -> Result<Option<Bytes>, ReadModelError> {
        let entry = |index: &Index| index.get(id.as_str());
        let Some(stored) = self.state(entry)? else { return Ok(None) };
        // Two IDs would need the same hash.
        Ok(Some(stored).filter(|stored| stored::is_of(stored, id.as_str())))
    }

    /// The state of the user pool with an entry.
    fn state(
        &self,
        entry: impl Fn(&Index) -> Option<Entry>,
    ) -> Result<Option<Bytes>, ReadModelError> {
        let Some(cache) = &self.cache else { return self.uncached_state(entry) };
        let Some(Entry { created, sum }) = entry(&self.index()) else { return Ok(None) };
        if let Some(stored) = cache.get(created, sum) {
            return Ok(Some(stored));
        }
        let stored = self.uncached_state(entry)?;
        if let Some(stored) = &stored {
            cache.insert(created, sum_of(stored), stored.clone());
        }
        Ok(stored)
    }

    /// The state of the user pool with an entry, read from the store and verified.
    fn uncached_state(
        &self,
        entry: impl Fn(&Index) -> Option<Entry>,
    ) -> Result<Option<Bytes>, ReadModelError> {
        let mut expected = entry(&self.index());
        while let Some(Entry { created, sum }) = expected {
            let stored = self.stored_state(created)?;
            if stored.as_ref().is_some_and(|stored| sum_of(stored) == sum) {
                return Ok(stored);
            }
            // A batch may have been applied since the entry was read.
            let now = entry(&self.index());
            if now == expected {
                return Err(Damage::State { created }.into());
            }
            expected = now;
        }
        Ok(None)
    }

    pub(super) fn request(&self, id: Uuid) -> Result<Option<StoredRequest>, ReadModelError> {
        self.checked(|| self.message(&key::request(id)))
    }

    /// The positions of the events of a user pool with these revisions, in order.
    pub(super) fn positions(
        &self,
        id: &UserPoolId,
        revisions: RangeInclusive<u64>,
    ) -> Result<Vec<Position>, ReadModelError> {
        let Some(Entry { created, .. }) = self.index().get(id.as_str()) else {
            return Ok(Vec::new());
        };
        let (first, last) = revisions.into_inner();
        let creation = (first <= 1 && last >= 1).then_some(Position(created));
        let rest = key::revision(created, first.max(2))..=key::revision(created, last.max(2));
        let rest = if last > 1 {
            self.checked(|| self.range(rest.clone(), usize::MAX))?
        } else {
            Vec::new()
        };
        let rest = rest.iter().map(|(_, stored)| Position(key::position(stored)));
        Ok(creation.into_iter().chain(rest).collect())
    }

    /// Reads from the store, and reports a failure as damage.
    fn checked<T>(
        &self,
        read: impl Fn() -> Result<T, ReadModelError>,
    ) -> Result<T, ReadModelError> {
        read().inspect_err(|error| self.report(error))
    }

    /// Makes sure that nothing more is decided on this read model, and that the next start
    /// rebuilds it.
    pub(super) fn report(&self, error: &ReadModelError) {
        let index = self.index_mut();
        if self.damaged.send_replace(true) {
            return;
        }
        tracing::error!(
            error = error_chain(error),
            "the read model is damaged; it is rebuilt at the next start"
        );
        let checkpoint = Checkpoint { damaged: true, ..index.checkpoint.clone() };
        let write = (key::CHECKPOINT.to_vec(), Some(checkpoint.encode_to_vec().into()));
        if let Err(error) = self.store.write(vec![write]) {
            tracing::error!(error, "cannot mark the read model as damaged");
        }
    }

    fn index(&self) -> RwLockReadGuard<'_, Index> {
        self.index.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn index_mut(&self) -> RwLockWriteGuard<'_, Index> {
        self.index.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn get(&self, key: &[u8]) -> Result<Option<Bytes>, ReadModelError> {
        self.store.get(key).map_err(ReadModelError::Engine)
    }

    fn message<M: Message + Default>(&self, key: &[u8]) -> Result<Option<M>, ReadModelError> {
        Ok(self.get(key)?.map(M::decode).transpose()?)
    }

    fn range(
        &self,
        keys: RangeInclusive<Vec<u8>>,
        limit: usize,
    ) -> Result<Vec<(Bytes, Bytes)>, ReadModelError> {
        self.store.range(keys, limit).map_err(ReadModelError::Engine)
    }
}
