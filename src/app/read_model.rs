//! The user pools as clients read them, in a sled database of their own.
//!
//! One tree, so that a batch of events and the checkpoint are one atomic write:
//!
//! | key | value |
//! |---|---|
//! | `p` user pool ID | the user pool |
//! | `d` prefix | the user pool that has the domain |
//! | `c` position of its creation | the ID of a user pool that is not deleted |
//! | `r` user pool ID, 0, revision | the position of the event |
//! | `i` request ID | the event that the request led to |
//! | `m` | the checkpoint |
//!
//! Lookups are done where they are called: one lookup is a page that sled mostly
//! has in memory, and costs less than a change of threads.

use std::{collections::BTreeMap, fs::File, ops::RangeInclusive, path::Path};

use bytes::Bytes;
use prost::Message;
use uuid::Uuid;

use crate::{
    event_log::{BoxError, DbFile, Hash, Head, Position},
    proto::{UserPool, UserPoolEvent},
    user_pool::{Event, UserPoolId},
};

use super::{
    stored::{Checkpoint, EncodedPool, StoredDomain, StoredPool, StoredRequest},
    unsynced::InUse,
};

/// How much of it sled keeps in memory, in bytes.
const CACHE: u64 = 256 * 1024 * 1024;
/// The form of what is stored. Another form is rebuilt.
const FORM: u32 = 1;

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
    /// Dropped after it: whoever opens it next must not find it held.
    _file: DbFile,
    /// And then this, when nothing is written any more.
    _in_use: InUse,
}

impl ReadModel {
    pub(super) fn open(path: &Path) -> Result<Self, ReadModelError> {
        let in_use = InUse::mark(path).map_err(|error| ReadModelError::Engine(error.into()))?;
        // Not synced: what a crash takes is projected again.
        let config = sled::Config::new().path(path).cache_capacity(CACHE);
        let db = config.flush_every_ms(Some(1000)).open()?;
        let file =
            File::open(path.join("db")).map_err(|error| ReadModelError::Engine(error.into()))?;
        let file = DbFile::new(&db, file);
        Ok(Self { db, _file: file, _in_use: in_use })
    }

    /// Where the projection stands, or nothing where the form is another one.
    pub(super) fn checkpoint(&self) -> Result<Option<Checkpoint>, ReadModelError> {
        let checkpoint: Option<Checkpoint> = self.get(key::checkpoint())?;
        let fresh = self.db.is_empty().then(|| Checkpoint { form: FORM, ..Default::default() });
        Ok(checkpoint.or(fresh).filter(|checkpoint| checkpoint.form == FORM))
    }

    pub(super) fn user_pool_count(&self) -> Result<u64, ReadModelError> {
        let checkpoint: Option<Checkpoint> = self.get(key::checkpoint())?;
        Ok(checkpoint.unwrap_or_default().user_pool_count)
    }

    pub(super) fn pool(&self, id: &UserPoolId) -> Result<Option<StoredPool>, ReadModelError> {
        self.get(key::pool(id.as_str()))
    }

    pub(super) fn encoded_pool(
        &self,
        id: &UserPoolId,
    ) -> Result<Option<EncodedPool>, ReadModelError> {
        let stored = self.db.get(key::pool(id.as_str()))?;
        Ok(stored.map(|stored| EncodedPool::decode(Bytes::from_owner(stored))).transpose()?)
    }

    pub(super) fn domain(&self, prefix: &str) -> Result<Option<Domain>, ReadModelError> {
        let stored: Option<StoredDomain> = self.get(key::domain(prefix))?;
        Ok(stored.map(|stored| domain(prefix.to_owned(), stored)))
    }

    pub(super) fn request(&self, id: Uuid) -> Result<Option<StoredRequest>, ReadModelError> {
        self.get(key::request(id))
    }

    pub(super) fn pools(&self, after: u64, limit: usize) -> Result<Vec<PoolEntry>, ReadModelError> {
        let start = key::created(after.saturating_add(1));
        let mut entries = Vec::new();
        for entry in self.db.range(start..=key::created(u64::MAX)) {
            if entries.len() == limit {
                break;
            }
            let (key, id) = entry?;
            let id = String::from_utf8_lossy(&id);
            // It may have been deleted since the range came to it.
            let pool: Option<StoredPool> = self.get(key::pool(&id))?;
            if let Some(pool) = pool.filter(|pool| !pool.deleted) {
                entries.push(PoolEntry { created_position: key::created_position(&key), pool });
            }
        }
        Ok(entries)
    }

    pub(super) fn domains(&self, after: &str, limit: usize) -> Result<Vec<Domain>, ReadModelError> {
        // No prefix sorts between one and the same with a zero byte after it.
        let start = key::domain(&format!("{after}\0"));
        let mut domains = Vec::new();
        for entry in self.db.range(start..key::after_domains()).take(limit) {
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
        let key =
            |revision| key::revision(id.as_str(), i64::try_from(revision).unwrap_or(i64::MAX));
        let mut positions = Vec::new();
        for entry in self.db.range(key(*revisions.start())..=key(*revisions.end())) {
            let (_, position) = entry?;
            let position = position.as_ref().try_into().map(u64::from_be_bytes);
            positions
                .push(Position(position.map_err(|error| ReadModelError::Engine(Box::new(error)))?));
        }
        Ok(positions)
    }

    /// Applies events in order, with the checkpoint, in one atomic write. Events
    /// that were applied before change nothing.
    pub(super) fn apply(&self, events: &[UserPoolEvent]) -> Result<(), ReadModelError> {
        let Some(last) = events.last() else { return Ok(()) };
        let mut changes = Changes { model: self, pools: BTreeMap::new(), writes: BTreeMap::new() };
        let mut count = self.user_pool_count()?;
        for event in events {
            changes.apply(event, &mut count)?;
        }
        let checkpoint = Checkpoint {
            form: FORM,
            position: u64::try_from(last.position).unwrap_or_default(),
            hash: last.hash.clone(),
            record_time: last.record_time,
            user_pool_count: count,
        };
        let mut batch = sled::Batch::default();
        for pool in changes.pools.values() {
            let id = pool.user_pool.as_ref().and_then(|pool| pool.id.as_deref());
            batch.insert(key::pool(id.unwrap_or_default()), pool.encode_to_vec());
        }
        for (key, value) in changes.writes {
            match value {
                Some(value) => batch.insert(key, value),
                None => batch.remove(key),
            }
        }
        batch.insert(key::checkpoint(), checkpoint.encode_to_vec());
        self.db.apply_batch(batch)?;
        Ok(())
    }

    fn get<M: Message + Default>(&self, key: Vec<u8>) -> Result<Option<M>, ReadModelError> {
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

/// The writes that a batch of events adds up to.
struct Changes<'a> {
    model: &'a ReadModel,
    pools: BTreeMap<String, StoredPool>,
    writes: BTreeMap<Vec<u8>, Option<Vec<u8>>>,
}

impl Changes<'_> {
    fn apply(&mut self, event: &UserPoolEvent, count: &mut u64) -> Result<(), ReadModelError> {
        let id = &event.user_pool_id;
        let known = match self.pools.remove(id) {
            Some(pool) => Some(pool),
            None => self.model.get(key::pool(id))?,
        };
        let pool = known.unwrap_or_default();
        if event.revision <= pool.revision {
            self.pools.insert(id.clone(), pool);
            return Ok(());
        }
        let Some(payload) = event.payload.clone() else { return Ok(()) };
        let at = event.record_time.unwrap_or_default();
        let pool = pool.after(payload.clone(), event.position, at);
        self.index(event, &payload, pool.created_position, count);
        self.pools.insert(id.clone(), pool);
        Ok(())
    }

    fn index(&mut self, event: &UserPoolEvent, payload: &Event, created: i64, count: &mut u64) {
        let id = &event.user_pool_id;
        let created = key::created(u64::try_from(created).unwrap_or_default());
        match payload {
            Event::UserPoolCreated(_) => {
                self.writes.insert(created, Some(id.as_bytes().to_vec()));
                *count = count.saturating_add(1);
            }
            Event::UserPoolDeleted(_) => {
                self.writes.insert(created, None);
                *count = count.saturating_sub(1);
            }
            Event::UserPoolDomainCreated(assigned) => {
                let stored = StoredDomain { user_pool_id: id.clone() }.encode_to_vec();
                self.writes.insert(key::domain(&assigned.domain), Some(stored));
            }
            Event::UserPoolDomainDeleted(removed) => {
                self.writes.insert(key::domain(&removed.domain), None);
            }
            Event::UserPoolUpdated(_) | Event::UserPoolStatusChanged(_) => (),
        }
        let position = event.position.to_be_bytes().to_vec();
        self.writes.insert(key::revision(id, event.revision), Some(position));
        let request_id = event.request_id.as_deref().and_then(|id| Uuid::try_parse(id).ok());
        if let Some(request_id) = request_id {
            let fingerprint = event.request_fingerprint.clone().unwrap_or_default();
            let stored = StoredRequest { fingerprint, position: event.position };
            self.writes.insert(key::request(request_id), Some(stored.encode_to_vec()));
        }
    }
}

/// A pool that was deleted keeps its last state; one that is there has no other.
impl From<StoredPool> for UserPool {
    fn from(stored: StoredPool) -> Self {
        stored.user_pool.map(|pool| *pool).unwrap_or_default()
    }
}

fn domain(prefix: String, stored: StoredDomain) -> Domain {
    Domain { prefix, user_pool_id: UserPoolId::new(stored.user_pool_id) }
}

/// The keys; see the table above.
mod key {
    use uuid::Uuid;

    pub(super) fn checkpoint() -> Vec<u8> {
        b"m".to_vec()
    }

    pub(super) fn pool(id: &str) -> Vec<u8> {
        [b"p", id.as_bytes()].concat()
    }

    pub(super) fn domain(prefix: &str) -> Vec<u8> {
        [b"d", prefix.as_bytes()].concat()
    }

    pub(super) fn after_domains() -> Vec<u8> {
        b"e".to_vec()
    }

    pub(super) fn created(position: u64) -> Vec<u8> {
        [b"c".as_slice(), &position.to_be_bytes()].concat()
    }

    pub(super) fn created_position(key: &[u8]) -> u64 {
        key.split_first_chunk::<1>()
            .and_then(|(_, position)| position.try_into().ok())
            .map_or(0, u64::from_be_bytes)
    }

    pub(super) fn revision(id: &str, revision: i64) -> Vec<u8> {
        [b"r", id.as_bytes(), b"\0", &revision.to_be_bytes()].concat()
    }

    pub(super) fn request(id: Uuid) -> Vec<u8> {
        [b"i".as_slice(), id.as_bytes()].concat()
    }
}
