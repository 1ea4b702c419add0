//! The changes to the read model that a batch of events causes.

use std::collections::HashMap;

use bytes::BytesMut;
use chrono::{DateTime, Utc};
use prost::Message as _;
use uuid::Uuid;

use crate::{
    app::stored::{Checkpoint, EncodedPool, FORM, StoredDomain, StoredPool, StoredRequest},
    event_log::{Head, Position},
    proto::{self, UserPoolEvent},
    user_pool::{Event, EventFacts, UserPoolId, check_event},
};

use super::{
    Damage, ProjectError, ReadModel, ReadModelError,
    index::{Entry, Index, NewEntry, row_sum, sum_of},
    key,
    store::Write,
};

/// The changes that the events after a checkpoint cause.
#[derive(Debug)]
pub(in crate::app) struct Changes {
    checkpoint: Checkpoint,
    pools: HashMap<UserPoolId, PoolChange>,
    domains: HashMap<String, Option<UserPoolId>>,
    writes: Vec<Write>,
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
                let sum = row_sum(&key::domain(&prefix), &domain_row(&event.user_pool_id));
                let digest = self.checkpoint.digest;
                // A domain is removed by the user pool that owns it.
                self.checkpoint.digest = match owner {
                    Some(_) => digest.wrapping_add(sum),
                    None => digest.wrapping_sub(sum),
                };
                self.domains.insert(prefix, owner);
            }
            IndexChange::Nothing => (),
        }
        let request_id = event.request_id.as_deref().and_then(|id| Uuid::try_parse(id).ok());
        if let Some(request_id) = request_id {
            let fingerprint = event.request_fingerprint.clone().unwrap_or_default();
            let stored = StoredRequest { fingerprint, position: event.position };
            self.write(key::request(request_id), stored.encode_to_vec());
        }
        if event.revision > 1 {
            let key = key::revision(to_unsigned(created_position), to_unsigned(event.revision));
            self.write(key, event.position.to_be_bytes().to_vec());
        }
        self.checkpoint.position = to_unsigned(event.position);
        self.checkpoint.last_created = to_unsigned(created_position);
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

    /// Adds the next event of the log and the state after it, and takes its payload.
    ///
    /// # Errors
    /// [`ProjectError::Contradiction`] if the event cannot follow the projected ones; or the
    /// read model cannot be read.
    pub(in crate::app) fn project(
        &mut self,
        model: &ReadModel,
        event: &mut UserPoolEvent,
    ) -> Result<(), ProjectError> {
        let Some(payload) = event.payload.take() else { return Ok(()) };
        let id = UserPoolId::from_trusted(event.user_pool_id.clone());
        let before = match self.pools.remove(&id) {
            Some(changed) => changed.pool,
            None => model.pool(&id)?.unwrap_or_default(),
        };
        let index_change = IndexChange::by(&payload, &id);
        let domain_owner = match &index_change {
            IndexChange::Domain(prefix, _) => self.owner(model, prefix)?,
            IndexChange::Created | IndexChange::Deleted | IndexChange::Nothing => None,
        };
        let facts = EventFacts {
            user_pool_id: &id,
            user_pool: before.user_pool.as_deref(),
            deleted: before.deleted,
            revision: before.revision,
            event_revision: event.revision,
            domain_owner: domain_owner.as_ref(),
        };
        check_event(&facts, &payload).map_err(|source| ProjectError::Contradiction {
            position: Position(to_unsigned(event.position)),
            source,
        })?;
        let at = event.record_time.unwrap_or_default();
        let pool = before.apply(payload, event.position, at);
        self.add(event, index_change, pool.created_position);
        self.put(id, pool, None);
        self.checkpoint.hash.clone_from(&event.hash);
        Ok(())
    }

    /// The owner of a domain after these changes.
    pub(in crate::app) fn owner(
        &self,
        model: &ReadModel,
        prefix: &str,
    ) -> Result<Option<UserPoolId>, ReadModelError> {
        match self.domains.get(prefix) {
            Some(owner) => Ok(owner.clone()),
            None => Ok(model.domain(prefix)?.map(|domain| domain.user_pool_id)),
        }
    }

    /// Sets the head of the log after the last event.
    pub(in crate::app) fn end(&mut self, head: Head) {
        self.checkpoint.hash = head.hash.0.to_vec();
    }

    /// Writes a row that is never changed or removed.
    fn write(&mut self, key: Vec<u8>, value: Vec<u8>) {
        let digest = self.checkpoint.digest;
        self.checkpoint.digest = digest.wrapping_add(row_sum(&key, &value));
        self.writes.push((key, Some(value.into())));
    }

    /// The writes, the new entries of the index, and the new checkpoint.
    pub(super) fn finish(self, index: &Index) -> (Vec<Write>, Vec<NewEntry>, Checkpoint) {
        let mut checkpoint = Checkpoint { form: FORM, ..self.checkpoint };
        let mut writes = self.writes;
        for (prefix, owner) in self.domains {
            let stored = owner.map(|id| domain_row(id.as_str()).into());
            writes.push((key::domain(&prefix), stored));
        }
        let mut entries = Vec::with_capacity(self.pools.len());
        let mut buffer = BytesMut::new();
        for (id, PoolChange { pool, encoded }) in self.pools {
            let created = to_unsigned(pool.created_position);
            let keys = (key::entry(created), key::pool(created));
            let (entry_key, state_key) = if pool.deleted {
                let (entry_key, state_key) = keys;
                writes.extend([(entry_key, None), (state_key, None)]);
                (key::deleted_entry(created), key::deleted_pool(created))
            } else {
                keys
            };
            // Encoding cannot fail, because the buffer grows.
            let _ = match encoded {
                Some(encoded) => encoded.encode(&mut buffer),
                None => pool.encode(&mut buffer),
            };
            let stored = buffer.split().freeze();
            let id = id.to_string();
            let old_sum = index.get(&id).map_or(0, |entry| entry.sum);
            let entry = NewEntry { id, entry: Entry { created, sum: sum_of(&stored) } };
            let digest = checkpoint.digest.wrapping_sub(old_sum);
            checkpoint.digest = digest.wrapping_add(entry.entry.sum);
            writes.push((entry_key, Some(entry.encode().into())));
            writes.push((state_key, Some(stored)));
            entries.push(entry);
        }
        writes.push((key::CHECKPOINT.to_vec(), Some(checkpoint.encode_to_vec().into())));
        (writes, entries, checkpoint)
    }
}

/// The stored form of a domain with this owner.
fn domain_row(user_pool_id: &str) -> Vec<u8> {
    StoredDomain { user_pool_id: user_pool_id.to_owned() }.encode_to_vec()
}

fn to_unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or_default()
}

impl ReadModel {
    /// Starts an empty set of changes after the last projected record.
    pub(in crate::app) fn changes(&self) -> Changes {
        Changes::after(self.index().checkpoint.clone())
    }

    /// Writes the changes and the checkpoint atomically.
    pub(in crate::app) fn apply(&self, changes: Changes) -> Result<(), ReadModelError> {
        let (writes, entries, checkpoint) = changes.finish(&self.index());
        let mut index = self.index_mut();
        if *self.damaged.borrow() {
            return Err(Damage::Reported.into());
        }
        self.store.write(writes).map_err(ReadModelError::Engine)?;
        for entry in &entries {
            index.set(entry);
        }
        index.checkpoint = checkpoint;
        Ok(())
    }
}
