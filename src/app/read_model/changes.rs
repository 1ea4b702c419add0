//! The changes to the read model that a batch of events causes.

use std::collections::{BTreeMap, HashMap};

use bytes::{Bytes, BytesMut};
use chrono::{DateTime, Utc};
use prost::Message as _;
use uuid::Uuid;

use crate::{
    app::stored::{Checkpoint, EncodedPool, FORM, StoredDomain, StoredPool, StoredRequest},
    event_log::Head,
    proto::{self, UserPoolEvent},
    user_pool::{Event, UserPoolId},
};

use super::{ReadModel, ReadModelError, key, store::Write};

/// The changes that the events after a checkpoint cause.
///
/// Each write sets a value, and none increments one. So they can be repeated after only
/// some of them were written.
#[derive(Debug)]
pub(in crate::app) struct Changes {
    checkpoint: Checkpoint,
    pools: HashMap<UserPoolId, PoolChange>,
    domains: HashMap<String, Option<UserPoolId>>,
    writes: BTreeMap<Vec<u8>, Option<Bytes>>,
}

/// A user pool after its last event.
#[derive(Debug)]
struct PoolChange {
    pool: StoredPool,
    encoded: Option<EncodedPool>,
}

/// How an event changes the indexes, in addition to its user pool.
#[derive(Debug)]
pub(in crate::app) enum IndexChange {
    /// The number of user pools increases by one.
    Created,
    /// The number of user pools decreases by one.
    Deleted,
    /// The domain with this prefix gets this owner, or none.
    Domain(String, Option<UserPoolId>),
    /// No index changes.
    Nothing,
}

impl IndexChange {
    /// The change that an event with this payload causes.
    pub(in crate::app) fn by(payload: &Event, id: &UserPoolId) -> Self {
        match payload {
            Event::UserPoolCreated(_) => Self::Created,
            Event::UserPoolDeleted(_) => Self::Deleted,
            Event::UserPoolDomainCreated(created) => {
                Self::Domain(created.domain.clone(), Some(id.clone()))
            }
            Event::UserPoolDomainDeleted(deleted) => Self::Domain(deleted.domain.clone(), None),
            Event::UserPoolUpdated(_) => Self::Nothing,
        }
    }
}

impl Changes {
    /// Creates an empty set of changes after a checkpoint.
    pub(super) fn after(checkpoint: Checkpoint) -> Self {
        let (pools, domains, writes) = Default::default();
        Self { checkpoint, pools, domains, writes }
    }

    /// The position of the last event.
    pub(in crate::app) const fn position(&self) -> u64 {
        self.checkpoint.position
    }

    /// The head of the log after the last event.
    pub(in crate::app) fn head(&self) -> Head {
        self.checkpoint.head()
    }

    /// The time at which the last event was recorded.
    pub(in crate::app) fn record_time(&self) -> DateTime<Utc> {
        let at = self.checkpoint.record_time.and_then(proto::to_date_time);
        at.unwrap_or(DateTime::UNIX_EPOCH)
    }

    /// How many user pools there are.
    pub(in crate::app) const fn user_pool_count(&self) -> u64 {
        self.checkpoint.user_pool_count
    }

    /// A user pool that was changed.
    pub(in crate::app) fn pool(&self, id: &UserPoolId) -> Option<&StoredPool> {
        self.pools.get(id).map(|changed| &changed.pool)
    }

    /// The owner of a domain that was changed.
    pub(in crate::app) fn domain_owner(&self, prefix: &str) -> Option<&Option<UserPoolId>> {
        self.domains.get(prefix)
    }

    /// Adds an event of a user pool that was created at this position. Call
    /// [`put`](Self::put) to set the new state of the user pool.
    pub(in crate::app) fn add(
        &mut self,
        event: &UserPoolEvent,
        index_change: IndexChange,
        created_position: i64,
    ) {
        let count = &mut self.checkpoint.user_pool_count;
        match index_change {
            IndexChange::Created => *count = count.saturating_add(1),
            IndexChange::Deleted => *count = count.saturating_sub(1),
            IndexChange::Domain(prefix, owner) => {
                self.domains.insert(prefix, owner);
            }
            IndexChange::Nothing => (),
        }
        let request_id = event.request_id.as_deref().and_then(|id| Uuid::try_parse(id).ok());
        if let Some(request_id) = request_id {
            let fingerprint = event.request_fingerprint.clone().unwrap_or_default();
            let stored = StoredRequest { fingerprint, position: event.position };
            self.write(key::request(request_id), stored.encode_to_vec().into());
        }
        let key = if event.revision > 1 {
            key::revision(to_unsigned(created_position), to_unsigned(event.revision))
        } else {
            key::created(&event.user_pool_id)
        };
        self.write(key, Bytes::copy_from_slice(&event.position.to_be_bytes()));
        self.checkpoint.position = to_unsigned(event.position);
        self.checkpoint.record_time = event.record_time;
    }

    /// Sets the state of a user pool after its last event, and its encoded form if known.
    pub(in crate::app) fn put(
        &mut self,
        id: UserPoolId,
        pool: StoredPool,
        encoded: Option<EncodedPool>,
    ) {
        self.pools.insert(id, PoolChange { pool, encoded });
    }

    /// Adds an event of the log and the state after it, and takes its payload. An event
    /// that was already applied changes nothing.
    pub(in crate::app) fn project(
        &mut self,
        model: &ReadModel,
        event: &mut UserPoolEvent,
    ) -> Result<(), ReadModelError> {
        let Some(payload) = event.payload.take() else { return Ok(()) };
        if to_unsigned(event.position) <= self.checkpoint.position {
            return Ok(());
        }
        let id = UserPoolId::from_trusted(event.user_pool_id.clone());
        let before = match self.pools.remove(&id) {
            Some(changed) => changed.pool,
            // No lookup, because IDs are not reused.
            None if event.revision <= 1 => StoredPool::default(),
            None => model.pool(&id)?.unwrap_or_default(),
        };
        let index_change = IndexChange::by(&payload, &id);
        let known = event.revision <= before.revision;
        let at = event.record_time.unwrap_or_default();
        let pool = if known { before } else { before.apply(payload, event.position, at) };
        self.add(event, index_change, pool.created_position);
        self.put(id, pool, None);
        self.checkpoint.hash.clone_from(&event.hash);
        Ok(())
    }

    /// Sets the head of the log after the last event.
    pub(in crate::app) fn end(&mut self, head: Head) {
        self.checkpoint.hash = head.hash.0.to_vec();
    }

    fn write(&mut self, key: Vec<u8>, value: Bytes) {
        self.writes.insert(key, Some(value));
    }

    /// The writes in the order of their keys, then the removals, then the checkpoint. So
    /// after a crash at any point every user pool can be found, and applying the same
    /// events again results in the same state.
    pub(super) fn into_writes(mut self) -> Vec<Write> {
        for (prefix, owner) in self.domains {
            let stored = owner.map(|id| StoredDomain { user_pool_id: id.to_string() });
            let stored = stored.map(|stored| stored.encode_to_vec().into());
            self.writes.insert(key::domain(&prefix), stored);
        }
        let mut buffer = BytesMut::new();
        for PoolChange { pool, encoded } in self.pools.into_values() {
            let created = to_unsigned(pool.created_position);
            let (key, other) = (key::pool(created), key::deleted_pool(created));
            let (key, other) = if pool.deleted { (other, Some(key)) } else { (key, None) };
            // Encoding cannot fail, because the buffer grows.
            let _ = match encoded {
                Some(encoded) => encoded.encode(&mut buffer),
                None => pool.encode(&mut buffer),
            };
            self.writes.insert(key, Some(buffer.split().freeze()));
            self.writes.extend(other.map(|other| (other, None)));
        }
        let checkpoint = Checkpoint { form: FORM, ..self.checkpoint }.encode_to_vec();
        let checkpoint = (key::CHECKPOINT.to_vec(), Some(checkpoint.into()));
        let (mut writes, removals): (Vec<_>, Vec<_>) =
            self.writes.into_iter().partition(|(_, value)| value.is_some());
        writes.extend(removals);
        writes.push(checkpoint);
        writes
    }
}

fn to_unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or_default()
}

impl ReadModel {
    /// Starts an empty set of changes after the last projected record.
    pub(in crate::app) fn changes(&self) -> Result<Changes, ReadModelError> {
        Ok(Changes::after(self.checkpoint()?.unwrap_or_default()))
    }

    /// Writes the changes and the checkpoint atomically.
    pub(in crate::app) fn apply(&self, changes: Changes) -> Result<(), ReadModelError> {
        self.store.write(changes.into_writes()).map_err(ReadModelError::Engine)
    }

    /// Applies events of the log to a read model that is not in use yet, in many writes.
    /// The checkpoint is written last, so that an interrupted load is repeated. Events that
    /// were already applied change nothing.
    pub(in crate::app) fn load(&self, events: Vec<UserPoolEvent>) -> Result<(), ReadModelError> {
        let mut changes = self.changes()?;
        for mut event in events {
            changes.project(self, &mut event)?;
        }
        self.store.load(changes.into_writes()).map_err(ReadModelError::Engine)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // A unit test, because the order is visible only after a crash between two writes.
    #[test]
    fn a_deleted_user_pool_is_stored_anew_before_its_old_entry_goes() {
        let gone = StoredPool { deleted: true, created_position: 7, ..StoredPool::default() };
        let id = UserPoolId::from_trusted("eu-west-1_gone".to_owned());
        let mut changes = Changes::after(Checkpoint::default());
        changes.pools.insert(id, PoolChange { pool: gone, encoded: None });
        let writes = changes.into_writes();
        let keys: Vec<_> = writes.iter().map(|(key, value)| (&**key, value.is_some())).collect();
        let (new, old) = (key::deleted_pool(7), key::pool(7));
        assert_eq!(keys, [(&*new, true), (&*old, false), (key::CHECKPOINT, true)]);
    }
}
