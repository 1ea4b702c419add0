//! The user pools as clients read them, in a sled database of their own.
//!
//! One tree, so that a batch of events and the checkpoint are one atomic write:
//!
//! | key | value |
//! |---|---|
//! | `p` position of its creation | a user pool that is not deleted |
//! | `x` position of its creation | a user pool that was deleted, as it was last |
//! | `u` user pool ID | the position of its creation |
//! | `r` position of its creation, revision | the position of an event after that one |
//! | `d` prefix | the user pool that has the domain |
//! | `i` request ID | the event that the request led to |
//! | `m` | the checkpoint |
//!
//! What is large is in the order of creation and not of the IDs, which are random: a
//! new user pool is written next to the one before, and not anywhere on the disk.
//!
//! Lookups are done where they are called: one lookup is a page that sled mostly
//! has in memory, and costs less than a change of threads.

mod changes;
mod key;
mod places;

use std::{fs::File, ops::RangeInclusive, path::Path};

use bytes::Bytes;
use prost::Message;
use sled::IVec;
use uuid::Uuid;

use crate::{
    event_log::{BoxError, DbFile, Hash, Head, Position},
    proto::{UserPool, UserPoolEvent},
    user_pool::UserPoolId,
};

use super::{
    stored::{self, Checkpoint, EncodedPool, StoredDomain, StoredPool, StoredRequest},
    unsynced::InUse,
};

pub(super) use self::changes::{Changes, Indexed};
use self::places::Places;

/// How much of a read model is kept in memory where nothing else is said, in bytes.
pub const CACHE: u64 = 256 * 1024 * 1024;
/// The least that sled can work with.
const LEAST_CACHE: u64 = 1024 * 1024;
/// The form of what is stored. Another form is rebuilt.
const FORM: u32 = 2;

/// The read model cannot be read or written. It can be rebuilt: delete it and
/// start again.
#[derive(Debug, thiserror::Error)]
pub enum ReadModelError {
    /// sled failed, or is damaged.
    #[error("the read model cannot be used")]
    Engine(#[source] BoxError),
    /// A value is not what was written.
    #[error("the read model is damaged")]
    Damaged(#[from] prost::DecodeError),
}

impl From<sled::Error> for ReadModelError {
    fn from(error: sled::Error) -> Self {
        Self::Engine(error.into())
    }
}

/// A domain in use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Domain {
    /// The prefix.
    pub prefix: String,
    /// The user pool that has it.
    pub user_pool_id: UserPoolId,
}

/// A user pool in a list.
#[derive(Debug, Clone, PartialEq)]
pub struct PoolEntry {
    /// The position of its creation: its place in the list.
    pub created_position: u64,
    /// The user pool.
    pub pool: StoredPool,
}

/// The read model.
#[derive(Debug)]
pub struct ReadModel {
    db: sled::Db,
    places: Places,
    /// Dropped after it: whoever opens it next must not find it held.
    _file: DbFile,
    /// And then this, when nothing is written any more.
    _in_use: InUse,
}

impl ReadModel {
    /// `cache` bytes of it, or a few more, are kept in memory.
    pub(super) fn open(path: &Path, cache: u64) -> Result<Self, ReadModelError> {
        let in_use = InUse::mark(path).map_err(|error| ReadModelError::Engine(error.into()))?;
        // Neither flushed nor synced: what a crash takes is projected again.
        let config = sled::Config::new().path(path).cache_capacity(cache.max(LEAST_CACHE));
        let db = config.flush_every_ms(None).open()?;
        let file =
            File::open(path.join("db")).map_err(|error| ReadModelError::Engine(error.into()))?;
        let file = DbFile::new(&db, file);
        Ok(Self { db, places: Places::default(), _file: file, _in_use: in_use })
    }

    /// Where the projection stands, or nothing where the form is another one.
    pub(super) fn checkpoint(&self) -> Result<Option<Checkpoint>, ReadModelError> {
        let checkpoint: Option<Checkpoint> = self.get(key::CHECKPOINT)?;
        let fresh = || Checkpoint { form: FORM, ..Checkpoint::default() };
        let checkpoint = checkpoint.or_else(|| self.db.is_empty().then(fresh));
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
        Ok(stored.map(|stored| EncodedPool::decode(Bytes::from_owner(stored))).transpose()?)
    }

    fn stored_pool(&self, id: &UserPoolId) -> Result<Option<IVec>, ReadModelError> {
        if let Some(created) = self.places.guess(id.as_str())
            && let Some(stored) = self.db.get(key::pool(created))?
            && stored::is_of(&stored, id.as_str())
        {
            return Ok(Some(stored));
        }
        let Some(created) = self.created(id)? else { return Ok(None) };
        // In this order: it may be deleted in between.
        let stored = self.db.get(key::pool(created))?;
        if stored.is_some() {
            self.places.note(id.as_str(), created);
            return Ok(stored);
        }
        Ok(self.db.get(key::deleted_pool(created))?)
    }

    /// The position of the creation of a user pool.
    fn created(&self, id: &UserPoolId) -> Result<Option<u64>, ReadModelError> {
        Ok(self.db.get(key::created(id.as_str()))?.map(|stored| key::position(&stored)))
    }

    pub(super) fn domain(&self, prefix: &str) -> Result<Option<Domain>, ReadModelError> {
        let stored: Option<StoredDomain> = self.get(key::domain(prefix))?;
        Ok(stored.map(|stored| domain(prefix.to_owned(), stored)))
    }

    pub(super) fn request(&self, id: Uuid) -> Result<Option<StoredRequest>, ReadModelError> {
        self.get(key::request(id))
    }

    pub(super) fn pools(&self, after: u64, limit: usize) -> Result<Vec<PoolEntry>, ReadModelError> {
        let places = key::pool(after.saturating_add(1))..=key::pool(u64::MAX);
        let entry = |entry: sled::Result<(IVec, IVec)>| {
            let (key, stored) = entry?;
            let pool = StoredPool::decode(stored.as_ref())?;
            Ok(PoolEntry { created_position: key::position(&key), pool })
        };
        self.db.range(places).take(limit).map(entry).collect()
    }

    pub(super) fn domains(&self, after: &str, limit: usize) -> Result<Vec<Domain>, ReadModelError> {
        // No prefix sorts between one and the same with a zero byte after it.
        let start = key::domain(&format!("{after}\0"));
        let mut domains = Vec::new();
        for entry in self.db.range(start..key::AFTER_DOMAINS.to_vec()).take(limit) {
            let (key, stored) = entry?;
            let prefix = String::from_utf8_lossy(key.get(1..).unwrap_or_default()).into_owned();
            domains.push(domain(prefix, StoredDomain::decode(stored.as_ref())?));
        }
        Ok(domains)
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
        let rest = (last > 1).then(|| self.db.range(rest)).into_iter().flatten();
        let rest = rest.map(|entry| Ok(Position(key::position(&entry?.1))));
        creation.map(Ok).into_iter().chain(rest).collect()
    }

    /// Changes, of which there are none yet, after what is there.
    pub(super) fn changes(&self) -> Result<Changes, ReadModelError> {
        Ok(Changes::after(self.checkpoint()?.unwrap_or_default()))
    }

    /// Makes the changes, with the checkpoint, in one atomic write.
    pub(super) fn apply(&self, changes: Changes) -> Result<(), ReadModelError> {
        let mut batch = sled::Batch::default();
        for (key, value) in changes.into_writes() {
            match value {
                Some(value) => batch.insert(key, value),
                None => batch.remove(key),
            }
        }
        Ok(self.db.apply_batch(batch)?)
    }

    /// Projects events of the log into a read model that nobody reads yet: in the order
    /// of the keys, which sled's batches do not keep, and not in one write. The
    /// checkpoint is written last, so that what a crash has interrupted is done again.
    /// Events that were applied before change nothing.
    pub(super) fn load(&self, events: Vec<UserPoolEvent>) -> Result<(), ReadModelError> {
        let mut changes = self.changes()?;
        for mut event in events {
            changes.project(self, &mut event)?;
        }
        for (key, value) in changes.into_writes() {
            match value {
                Some(value) => self.db.insert(key, value)?,
                None => self.db.remove(key)?,
            };
        }
        Ok(())
    }

    fn get<M: Message + Default>(
        &self,
        key: impl AsRef<[u8]>,
    ) -> Result<Option<M>, ReadModelError> {
        let stored = self.db.get(key)?;
        Ok(stored.map(|stored| M::decode(stored.as_ref())).transpose()?)
    }
}

impl Checkpoint {
    /// The head of the log that the read model shows.
    pub(super) fn head(&self) -> Head {
        let hash = Hash(self.hash.as_slice().try_into().unwrap_or_default());
        Head { position: Position(self.position), hash }
    }
}

/// A pool that was deleted keeps its last state; one that is there has no other.
impl From<StoredPool> for UserPool {
    fn from(stored: StoredPool) -> Self {
        stored.user_pool.map(|pool| *pool).unwrap_or_default()
    }
}

fn domain(prefix: String, stored: StoredDomain) -> Domain {
    Domain { prefix, user_pool_id: UserPoolId::from_trusted(stored.user_pool_id) }
}
