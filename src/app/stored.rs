//! The stored values of the read model. A change here requires a new value of
//! [`FORM`], which makes the next start rebuild the read model.

use bytes::Bytes;
use prost::{DecodeError, Message as _};
use prost_types::Timestamp;

use crate::{
    event_log::{Hash, Head, LogId, Position},
    proto::{UserPool, first_field},
    user_pool::{Event, UserPoolState, evolve},
};

/// The version of the stored form. A read model with another one is rebuilt.
pub(super) const FORM: u32 = 6;

/// A user pool and its place in the log.
#[derive(Clone, PartialEq, prost::Message)]
pub struct StoredPool {
    /// The user pool; its last state if it was deleted.
    #[prost(message, optional, boxed, tag = "1")]
    pub user_pool: Option<Box<UserPool>>,
    /// Whether it was deleted.
    #[prost(bool, tag = "2")]
    pub deleted: bool,
    /// How many events it has.
    #[prost(int64, tag = "3")]
    pub revision: i64,
    /// The position of the last of them.
    #[prost(int64, tag = "4")]
    pub position: i64,
    /// The position of the first of them.
    #[prost(int64, tag = "5")]
    pub created_position: i64,
    /// When it was deleted; absent if it was not.
    #[prost(message, optional, tag = "6")]
    pub deletion_time: Option<Timestamp>,
}

/// A [`StoredPool`] whose user pool stays encoded, which is enough for responses.
#[derive(Clone, PartialEq, prost::Message)]
pub struct EncodedPool {
    /// The user pool; its last state if it was deleted.
    #[prost(bytes = "bytes", optional, tag = "1")]
    pub user_pool: Option<Bytes>,
    /// Whether it was deleted.
    #[prost(bool, tag = "2")]
    pub deleted: bool,
    /// How many events it has.
    #[prost(int64, tag = "3")]
    pub revision: i64,
    /// The position of the last of them.
    #[prost(int64, tag = "4")]
    pub position: i64,
    /// The position of the first of them.
    #[prost(int64, tag = "5")]
    pub created_position: i64,
    /// When it was deleted; absent if it was not.
    #[prost(message, optional, tag = "6")]
    pub deletion_time: Option<Timestamp>,
}

impl From<&StoredPool> for EncodedPool {
    fn from(pool: &StoredPool) -> Self {
        let StoredPool { user_pool, deleted, revision, position, created_position, deletion_time } =
            pool;
        Self {
            user_pool: user_pool.as_ref().map(|user_pool| user_pool.encode_to_vec().into()),
            deleted: *deleted,
            revision: *revision,
            position: *position,
            created_position: *created_position,
            deletion_time: *deletion_time,
        }
    }
}

impl TryFrom<&EncodedPool> for StoredPool {
    type Error = DecodeError;

    fn try_from(pool: &EncodedPool) -> Result<Self, DecodeError> {
        let EncodedPool { user_pool, deleted, revision, position, created_position, deletion_time } =
            pool;
        Ok(Self {
            user_pool: user_pool.clone().map(UserPool::decode).transpose()?.map(Box::new),
            deleted: *deleted,
            revision: *revision,
            position: *position,
            created_position: *created_position,
            deletion_time: *deletion_time,
        })
    }
}

impl StoredPool {
    /// The state that commands are decided on.
    #[must_use]
    pub fn state(&self) -> UserPoolState {
        state(self.user_pool.clone(), self.deleted)
    }

    /// The user pool after its next event, at `position`.
    pub(super) fn apply(mut self, event: Event, position: i64, at: Timestamp) -> Self {
        let created_position = if self.revision == 0 { position } else { self.created_position };
        let revision = self.revision.saturating_add(1);
        let before = state(self.user_pool.take(), self.deleted);
        let (user_pool, deleted) = match evolve(before, event, at) {
            UserPoolState::Active(pool) => (Some(pool), false),
            UserPoolState::Deleted(last) => (Some(last), true),
            UserPoolState::Absent => (None, true),
        };
        let deletion_time = deleted.then(|| self.deletion_time.unwrap_or(at));
        Self { user_pool, deleted, revision, position, created_position, deletion_time }
    }
}

/// The current state of a user pool, or its last one if it was deleted.
impl From<StoredPool> for UserPool {
    fn from(stored: StoredPool) -> Self {
        stored.user_pool.map(|pool| *pool).unwrap_or_default()
    }
}

fn state(user_pool: Option<Box<UserPool>>, deleted: bool) -> UserPoolState {
    match user_pool {
        Some(last) if deleted => UserPoolState::Deleted(last),
        Some(pool) => UserPoolState::Active(pool),
        None => UserPoolState::Absent,
    }
}

/// The parts of a stored user pool that rows are made of. The rest is skipped, so that this
/// takes less time than to decode it.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct IndexedPool {
    #[prost(message, optional, tag = "1")]
    pub(super) user_pool: Option<IndexedSettings>,
    #[prost(bool, tag = "2")]
    pub(super) deleted: bool,
    #[prost(int64, tag = "5")]
    pub(super) created_position: i64,
}

/// The same of its settings.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct IndexedSettings {
    #[prost(string, optional, tag = "2")]
    pub(super) name: Option<String>,
    #[prost(string, optional, tag = "25")]
    pub(super) domain: Option<String>,
    #[prost(string, optional, tag = "60")]
    pub(super) custom_domain: Option<String>,
}

/// Whether a stored user pool has this ID: the first field of its first field.
pub(super) fn is_of(stored: &[u8], id: &str) -> bool {
    first_field(stored).and_then(first_field) == Some(id.as_bytes())
}

/// The entry of a user pool in the index.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct StoredEntry {
    #[prost(string, tag = "1")]
    pub(super) user_pool_id: String,
    /// The sum of the stored state.
    #[prost(fixed64, tag = "2")]
    pub(super) sum: u64,
}

/// The owner of a domain. A [`StoredEntry`] can be decoded as one, too.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct StoredDomain {
    #[prost(string, tag = "1")]
    pub(super) user_pool_id: String,
}

/// The event that a request with a request ID recorded.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct StoredRequest {
    #[prost(bytes = "vec", tag = "1")]
    pub(super) fingerprint: Vec<u8>,
    #[prost(int64, tag = "2")]
    pub(super) position: i64,
}

/// The last record that was projected.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Checkpoint {
    /// The form of the read model.
    #[prost(uint32, tag = "1")]
    pub(super) form: u32,
    /// Its position.
    #[prost(uint64, tag = "2")]
    pub(super) position: u64,
    /// Its hash, which identifies the log that the read model belongs to.
    #[prost(bytes = "vec", tag = "3")]
    pub(super) hash: Vec<u8>,
    /// When it was recorded.
    #[prost(message, optional, tag = "4")]
    pub(super) record_time: Option<Timestamp>,
    /// How many user pools there are.
    #[prost(uint64, tag = "5")]
    pub(super) user_pool_count: u64,
    /// The sum, modulo 2^64, of the sums of all states, and of all rows that are no entries.
    #[prost(fixed64, tag = "6")]
    pub(super) digest: u64,
    /// The position of the creation of the user pool that was changed last.
    #[prost(uint64, tag = "8")]
    pub(super) last_created: u64,
    /// The ID of the log; empty while the log is.
    #[prost(bytes = "vec", tag = "9")]
    pub(super) log_id: Vec<u8>,
    /// How many domains are in use.
    #[prost(uint64, tag = "10")]
    pub(super) domain_count: u64,
    /// Whether damage was found, so that the read model must be rebuilt.
    #[prost(bool, tag = "7")]
    pub(super) damaged: bool,
}

impl Checkpoint {
    /// The head of the log that the read model shows.
    pub(super) fn head(&self) -> Head {
        let hash = Hash(self.hash.as_slice().try_into().unwrap_or_default());
        Head { position: Position(self.position), hash }
    }

    /// The ID of the log; `None` while the log is empty.
    pub(super) fn log_id(&self) -> Option<LogId> {
        LogId::try_from(self.log_id.as_slice()).ok()
    }
}
