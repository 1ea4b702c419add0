//! The read model: the user pools as clients read them, in a separate store.
//!
//! | key | value |
//! |---|---|
//! | `p` position of its creation | a user pool that is not deleted |
//! | `x` position of its creation | the last state of a deleted user pool |
//! | `u` user pool ID | the position of its creation |
//! | `r` position of its creation, revision | the position of the event with that revision, from 2 |
//! | `d` prefix | the user pool that owns the domain |
//! | `i` request ID | the event that the request recorded |
//! | `m` | the checkpoint |
//!
//! Large values are ordered by creation and not by ID, because IDs are random: a new user
//! pool is written next to the previous one, and not at a random place on the disk.
//!
//! Lookups block the calling thread: usually the page is in memory, and switching threads
//! would cost more.

mod changes;
mod key;
mod memory;
mod places;
mod sled;
mod store;

use std::{ops::RangeInclusive, path::Path};

use bytes::Bytes;
use prost::Message;
use uuid::Uuid;

use crate::{
    event_log::{BoxError, Hash, Head, Position},
    proto::UserPool,
    user_pool::UserPoolId,
};

use super::stored::{self, Checkpoint, EncodedPool, FORM, StoredDomain, StoredPool, StoredRequest};

pub(super) use self::changes::{Changes, IndexChange};
use self::{memory::MemoryStore, places::Places, sled::SledStore, store::Store};

/// How many bytes of the read model are cached in memory by default.
pub const CACHE: u64 = 256 * 1024 * 1024;

/// The read model cannot be read or written. To rebuild it, delete it and start the
/// server.
#[derive(Debug, thiserror::Error)]
pub enum ReadModelError {
    /// The store failed, or is damaged.
    #[error("cannot read or write the read model")]
    Engine(#[source] BoxError),
    /// A value differs from what was written.
    #[error("the read model is damaged")]
    Damaged(#[from] prost::DecodeError),
}

/// A domain in use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Domain {
    /// The prefix.
    pub prefix: String,
    /// Its owner.
    pub user_pool_id: UserPoolId,
}

/// A user pool in a list.
#[derive(Debug, Clone, PartialEq)]
pub struct PoolEntry {
    /// The position of its creation, which is its place in the list.
    pub created_position: u64,
    /// The user pool.
    pub pool: StoredPool,
}

/// The read model.
#[derive(Debug)]
pub struct ReadModel {
    store: Box<dyn Store>,
    /// `None` if the store is in memory, where a lookup is as fast.
    places: Option<Places>,
}

impl ReadModel {
    /// Opens the read model in a directory, and caches about `cache` bytes of it in memory.
    pub(super) fn open(path: &Path, cache: u64) -> Result<Self, ReadModelError> {
        let store = SledStore::open(path, cache).map_err(ReadModelError::Engine)?;
        Ok(Self { store: Box::new(store), places: Some(Places::default()) })
    }

    /// An empty read model in memory.
    pub(super) fn in_memory() -> Self {
        Self { store: Box::new(MemoryStore::default()), places: None }
    }

    /// The last projected record, or `None` if the stored form has another version.
    pub(super) fn checkpoint(&self) -> Result<Option<Checkpoint>, ReadModelError> {
        let checkpoint = match self.message(key::CHECKPOINT)? {
            Some(checkpoint) => Some(checkpoint),
            None if self.range(Vec::new()..=key::LAST.to_vec(), 1)?.is_empty() => {
                Some(Checkpoint { form: FORM, ..Checkpoint::default() })
            }
            None => None,
        };
        Ok(checkpoint.filter(|checkpoint| checkpoint.form == FORM))
    }

    pub(super) fn pool(&self, id: &UserPoolId) -> Result<Option<StoredPool>, ReadModelError> {
        let stored = self.stored_pool(id)?;
        Ok(stored.map(|stored| StoredPool::decode(stored.as_ref())).transpose()?)
    }

    pub(super) fn encoded_pool(
        &self,
        id: &UserPoolId,
    ) -> Result<Option<EncodedPool>, ReadModelError> {
        let stored = self.stored_pool(id)?;
        Ok(stored.map(EncodedPool::decode).transpose()?)
    }

    fn stored_pool(&self, id: &UserPoolId) -> Result<Option<Bytes>, ReadModelError> {
        let places = self.places.as_ref();
        if let Some(created) = places.and_then(|places| places.guess(id.as_str()))
            && let Some(stored) = self.get(&key::pool(created))?
            && stored::is_of(&stored, id.as_str())
        {
            return Ok(Some(stored));
        }
        let Some(created) = self.created(id)? else { return Ok(None) };
        // In this order, because the pool may be deleted between the two lookups.
        let stored = self.get(&key::pool(created))?;
        if stored.is_none() {
            return self.get(&key::deleted_pool(created));
        }
        if let Some(places) = places {
            places.note(id.as_str(), created);
        }
        Ok(stored)
    }

    /// The position of the creation of a user pool.
    fn created(&self, id: &UserPoolId) -> Result<Option<u64>, ReadModelError> {
        Ok(self.get(&key::created(id.as_str()))?.map(|stored| key::position(&stored)))
    }

    pub(super) fn domain(&self, prefix: &str) -> Result<Option<Domain>, ReadModelError> {
        let stored: Option<StoredDomain> = self.message(&key::domain(prefix))?;
        Ok(stored.map(|stored| domain(prefix.to_owned(), stored)))
    }

    pub(super) fn request(&self, id: Uuid) -> Result<Option<StoredRequest>, ReadModelError> {
        self.message(&key::request(id))
    }

    pub(super) fn pools(&self, after: u64, limit: usize) -> Result<Vec<PoolEntry>, ReadModelError> {
        let places = key::pool(after.saturating_add(1))..=key::pool(u64::MAX);
        let entry = |(key, stored): (Bytes, Bytes)| {
            let pool = StoredPool::decode(stored)?;
            Ok(PoolEntry { created_position: key::position(&key), pool })
        };
        self.range(places, limit)?.into_iter().map(entry).collect()
    }

    pub(super) fn domains(&self, after: &str, limit: usize) -> Result<Vec<Domain>, ReadModelError> {
        // No prefix sorts between `after` and `after` with a zero byte appended.
        let start = key::domain(&format!("{after}\0"));
        let entry = |(key, stored): (Bytes, Bytes)| {
            let prefix = String::from_utf8_lossy(key.get(1..).unwrap_or_default()).into_owned();
            Ok(domain(prefix, StoredDomain::decode(stored)?))
        };
        let entries = self.range(start..=key::AFTER_DOMAINS.to_vec(), limit)?;
        entries.into_iter().map(entry).collect()
    }

    /// The positions of the events of a user pool with these revisions, in order.
    pub(super) fn positions(
        &self,
        id: &UserPoolId,
        revisions: RangeInclusive<u64>,
    ) -> Result<Vec<Position>, ReadModelError> {
        let Some(created) = self.created(id)? else { return Ok(Vec::new()) };
        let (first, last) = revisions.into_inner();
        let creation = (first <= 1 && last >= 1).then_some(Position(created));
        let rest = key::revision(created, first.max(2))..=key::revision(created, last.max(2));
        let rest = if last > 1 { self.range(rest, usize::MAX)? } else { Vec::new() };
        let rest = rest.iter().map(|(_, stored)| Position(key::position(stored)));
        Ok(creation.into_iter().chain(rest).collect())
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

impl Checkpoint {
    /// The head of the log that the read model shows.
    pub(super) fn head(&self) -> Head {
        let hash = Hash(self.hash.as_slice().try_into().unwrap_or_default());
        Head { position: Position(self.position), hash }
    }
}

/// The current state of a user pool, or its last one if it was deleted.
impl From<StoredPool> for UserPool {
    fn from(stored: StoredPool) -> Self {
        stored.user_pool.map(|pool| *pool).unwrap_or_default()
    }
}

fn domain(prefix: String, stored: StoredDomain) -> Domain {
    Domain { prefix, user_pool_id: UserPoolId::from_trusted(stored.user_pool_id) }
}
