//! The changes to the read model that a batch of events causes.

use std::{
    collections::{BTreeMap, HashMap},
    mem,
};

use bytes::Bytes;
use chrono::{DateTime, Utc};
use prost::Message as _;
use uuid::Uuid;

use crate::{
    app::stored::{Checkpoint, EncodedPool, FORM, StoredDomain, StoredPool, StoredRequest},
    audit::merkle::leaf_hash,
    event_log::{Hash, Head, LogId, Position, Record},
    proto::{self, UserPoolEvent, to_unsigned},
    user_pool::{
        DomainOwners, Event, EventFacts, UserPoolId, assigned_domains, check_event, is_protected,
        removed_domains,
    },
};

use super::{
    Damage, ProjectError, ReadModel, ReadModelError,
    counts::hour_of,
    index::{Entry, NewEntry, Next, row_sum, sum_of},
    key,
    pool_rows::PoolRows,
    store::Write,
    tree,
};

/// The changes that the events after a checkpoint cause.
#[derive(Debug)]
pub(in crate::app) struct Changes {
    checkpoint: Checkpoint,
    pools: HashMap<UserPoolId, EncodedPool>,
    domains: HashMap<String, Option<UserPoolId>>,
    /// How many events there are of each hour and type.
    counts: BTreeMap<(u64, u32), u64>,
    /// The hashes of the records, for the Merkle tree.
    leaves: Vec<Hash>,
    writes: Vec<Write>,
    bytes: usize,
}

/// How an event changes the indexes, in addition to its user pool.
#[derive(Debug)]
pub(in crate::app) struct IndexChange {
    /// How many user pools there are more.
    user_pools: i64,
    /// The domains that its user pool gets.
    assigned: Vec<String>,
    /// The domains that its user pool loses.
    removed: Vec<String>,
}

impl IndexChange {
    /// The change that an event with this payload causes.
    pub(in crate::app) fn by(payload: &Event) -> Self {
        let user_pools = match payload {
            Event::UserPoolCreated(_) => 1,
            Event::UserPoolDeleted(_) => -1,
            Event::UserPoolRestored(restored) => i64::from(restored.was_deleted),
            Event::UserPoolUpdated(_)
            | Event::UserPoolDomainCreated(_)
            | Event::UserPoolDomainUpdated(_)
            | Event::UserPoolDomainDeleted(_)
            | Event::UserPoolTagged(_)
            | Event::UserPoolUntagged(_)
            | Event::CustomAttributesAdded(_)
            | Event::UserPoolMfaConfigSet(_) => 0,
        };
        let assigned = assigned_domains(payload).to_vec();
        let removed = removed_domains(payload).to_vec();
        Self { user_pools, assigned, removed }
    }
}

impl Changes {
    /// Creates an empty set of changes after a checkpoint.
    pub(super) fn after(checkpoint: Checkpoint) -> Self {
        let (pools, domains, counts, leaves, writes, bytes) = Default::default();
        Self { checkpoint, pools, domains, counts, leaves, writes, bytes }
    }

    /// The position of the last event.
    pub(in crate::app) const fn position(&self) -> u64 {
        self.checkpoint.position
    }

    /// The head of the log after the last event.
    pub(in crate::app) fn head(&self) -> Head {
        self.checkpoint.head()
    }

    /// The time at which the last event was recorded. The start of 1970 if there is no event.
    pub(in crate::app) fn record_time(&self) -> DateTime<Utc> {
        self.last_record_time().unwrap_or(DateTime::UNIX_EPOCH)
    }

    /// The same, or `None` if there is no event.
    pub(in crate::app) fn last_record_time(&self) -> Option<DateTime<Utc>> {
        self.checkpoint.record_time.and_then(proto::to_date_time)
    }

    /// How many user pools there are.
    pub(in crate::app) const fn user_pool_count(&self) -> u64 {
        self.checkpoint.user_pool_count
    }

    /// About how many bytes are to be written.
    pub(in crate::app) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// A user pool after these changes.
    pub(in crate::app) fn pool(
        &self,
        model: &ReadModel,
        id: &UserPoolId,
    ) -> Result<StoredPool, ReadModelError> {
        match self.pools.get(id) {
            Some(changed) => Ok(StoredPool::try_from(changed)?),
            None => Ok(model.pool(id)?.unwrap_or_default()),
        }
    }

    /// Adds an event of a user pool that was created at this position. Call
    /// [`put`](Self::put) to set the new state of the user pool.
    pub(in crate::app) fn add(
        &mut self,
        event: &UserPoolEvent,
        index_change: IndexChange,
        created_position: i64,
    ) {
        let Checkpoint { user_pool_count, domain_count, digest, .. } = &mut self.checkpoint;
        let IndexChange { user_pools, assigned, removed } = index_change;
        *user_pool_count = user_pool_count.saturating_add_signed(user_pools);
        // A domain is removed by the user pool that owns it.
        let sum = |name: &str| row_sum(&key::domain(name), &domain_row(&event.user_pool_id));
        for name in removed {
            *digest = digest.wrapping_sub(sum(&name));
            *domain_count = domain_count.saturating_sub(1);
            self.domains.insert(name, None);
        }
        for name in assigned {
            *digest = digest.wrapping_add(sum(&name));
            *domain_count = domain_count.saturating_add(1);
            let owner = UserPoolId::from_trusted(event.user_pool_id.clone());
            self.domains.insert(name, Some(owner));
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
        let event_type = u32::try_from(event.r#type).unwrap_or_default();
        let count = self.counts.entry((hour_of(event.record_time), event_type)).or_default();
        *count = count.saturating_add(1);
        self.checkpoint.position = to_unsigned(event.position);
        self.checkpoint.last_created = to_unsigned(created_position);
        self.checkpoint.record_time = event.record_time;
    }

    /// Sets the state of a user pool after its last event.
    pub(in crate::app) fn put(&mut self, id: UserPoolId, pool: EncodedPool) {
        self.bytes = self.bytes.saturating_add(size_of_pool(&pool));
        self.pools.insert(id, pool);
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
        let before = self.pool(model, &id)?;
        let index_change = IndexChange::by(&payload);
        let assigned = index_change.assigned.iter().map(String::as_str);
        let facts = EventFacts {
            user_pool_id: &id,
            domain: before.user_pool.as_ref().and_then(|pool| pool.domain.as_deref()),
            custom_domain: before.user_pool.as_ref().and_then(|pool| pool.custom_domain.as_deref()),
            is_protected: before.user_pool.as_deref().is_some_and(is_protected),
            deleted: before.deleted,
            // The read model does not keep them: the command read the revision that it restores.
            deletions: &[],
            revision: before.revision,
            event_revision: event.revision,
            domain_owners: self.owners(model, assigned)?,
        };
        check_event(&facts, &payload).map_err(|source| ProjectError::Contradiction {
            position: Position::from_int(event.position),
            source,
        })?;
        let at = event.record_time.unwrap_or_default();
        let pool = before.apply(payload, event.position, at);
        self.add(event, index_change, pool.created_position);
        self.put(id, EncodedPool::from(&pool));
        self.checkpoint.hash.clone_from(&event.hash);
        if let (1, Ok(hash)) = (event.position, event.hash.as_slice().try_into()) {
            self.set_log_id(Hash(hash));
        }
        Ok(())
    }

    /// The owners of those of some domains that are in use after these changes.
    pub(in crate::app) fn owners<'a>(
        &self,
        model: &ReadModel,
        domains: impl IntoIterator<Item = &'a str>,
    ) -> Result<DomainOwners, ReadModelError> {
        let mut owners = DomainOwners::new();
        for domain in domains {
            owners.extend(self.owner(model, domain)?.map(|owner| (domain.to_owned(), owner)));
        }
        Ok(owners)
    }

    fn owner(&self, model: &ReadModel, domain: &str) -> Result<Option<UserPoolId>, ReadModelError> {
        match self.domains.get(domain) {
            Some(owner) => Ok(owner.clone()),
            None => model.domain_owner(domain),
        }
    }

    /// Adds the hash of the record of the next event to the Merkle tree.
    pub(in crate::app) fn add_leaf(&mut self, leaf: Hash) {
        self.bytes = self.bytes.saturating_add(size_of::<Hash>());
        self.leaves.push(leaf);
    }

    /// Sets the head of the log after the last event, given the records of the events.
    pub(in crate::app) fn set_head(&mut self, records: &[Record]) {
        for record in records {
            self.add_leaf(leaf_hash(&record.stored));
        }
        if let Some(first) = records.first().filter(|first| first.position == Position(1)) {
            self.set_log_id(first.hash);
        }
        if let Some(last) = records.last() {
            self.checkpoint.hash = last.hash.0.to_vec();
        }
    }

    /// Sets the ID of the log, given the hash of its first record.
    fn set_log_id(&mut self, first: Hash) {
        self.checkpoint.log_id = LogId::of(first).as_bytes().to_vec();
    }

    /// Writes a new row.
    fn write(&mut self, key: Vec<u8>, value: Vec<u8>) {
        let digest = self.checkpoint.digest;
        self.checkpoint.digest = digest.wrapping_add(row_sum(&key, &value));
        self.bytes = self.bytes.saturating_add(key.len()).saturating_add(value.len());
        self.writes.push((key, Some(value.into())));
    }

    /// The writes, and what the index has after them. The new checkpoint is not among the
    /// writes.
    pub(super) fn finish(
        mut self,
        model: &ReadModel,
    ) -> Result<(Vec<Write>, Next), ReadModelError> {
        let (states, entries) = self.take_pools(model, |_| true)?;
        for ((hour, event_type), added) in mem::take(&mut self.counts) {
            let key = key::count(hour, event_type);
            let old = model.get(&key)?;
            let count = old.as_deref().map_or(0, key::position).saturating_add(added);
            let digest = self.checkpoint.digest;
            let old_sum = old.map_or(0, |old| row_sum(&key, &old));
            self.checkpoint.digest = digest.wrapping_sub(old_sum);
            self.write(key, count.to_be_bytes().to_vec());
        }
        let mut tree = model.index().tree.clone();
        for leaf in mem::take(&mut self.leaves) {
            for tile in tree.push(leaf) {
                let (key, hashes) = tree::row(&tile);
                self.write(key, hashes);
            }
        }
        let domains = self.domains.into_iter().map(|(name, owner)| {
            (key::domain(&name), owner.map(|id| domain_row(id.as_str()).into()))
        });
        self.writes.extend(states.into_iter().chain(domains));
        let checkpoint = Checkpoint { form: FORM, ..self.checkpoint };
        Ok((self.writes, Next { entries, checkpoint, tree }))
    }

    /// Takes the user pools that the read model does not have, and keeps everything else.
    /// Returns the writes of their states, and their entries.
    pub(super) fn take_new_pools(
        &mut self,
        model: &ReadModel,
    ) -> Result<(Vec<Write>, Vec<NewEntry>), ReadModelError> {
        self.take_pools(model, |entry| entry.is_none())
    }

    fn take_pools(
        &mut self,
        model: &ReadModel,
        is_taken: impl Fn(Option<Entry>) -> bool,
    ) -> Result<(Vec<Write>, Vec<NewEntry>), ReadModelError> {
        let mut states = Vec::with_capacity(self.pools.len());
        let mut entries = Vec::with_capacity(self.pools.len());
        for (id, pool) in mem::take(&mut self.pools) {
            let old = model.index().get(id.as_str());
            if !is_taken(old) {
                self.pools.insert(id, pool);
                continue;
            }
            let created = to_unsigned(pool.created_position);
            let stored = Bytes::from(pool.encode_to_vec());
            self.bytes = self.bytes.saturating_sub(size_of_pool(&pool));
            let before = match old {
                Some(_) => model.stored_pool(&id)?.map(PoolRows::of).transpose()?,
                None => None,
            };
            let after = PoolRows::of(stored.clone())?;
            let (entry_key, state_key) = key::entry_and_state(after.is_deleted, created);
            if before.as_ref().is_some_and(|before| before.is_deleted != after.is_deleted) {
                let (entry_key, state_key) = key::entry_and_state(!after.is_deleted, created);
                self.writes.push((entry_key, None));
                states.push((state_key, None));
            }
            let rows_before = before.map(|before| before.keys).unwrap_or_default();
            self.replace_rows(&rows_before, after.keys);
            let sum = sum_of(&stored);
            let digest = &mut self.checkpoint.digest;
            *digest = digest.wrapping_sub(old.map_or(0, |old| old.sum)).wrapping_add(sum);
            let entry = NewEntry { id: id.to_string(), entry: Entry { created, sum } };
            self.writes.push((entry_key, Some(entry.encode().into())));
            states.push((state_key, Some(stored)));
            entries.push(entry);
        }
        Ok((states, entries))
    }

    /// Replaces the rows that find a user pool, which have no values.
    fn replace_rows(&mut self, before: &[Vec<u8>], after: Vec<Vec<u8>>) {
        for key in before.iter().filter(|key| !after.contains(key)) {
            let digest = self.checkpoint.digest;
            self.checkpoint.digest = digest.wrapping_sub(row_sum(key, &[]));
            self.writes.push((key.clone(), None));
        }
        for key in after.into_iter().filter(|key| !before.contains(key)) {
            self.write(key, Vec::new());
        }
    }
}

fn size_of_pool(pool: &EncodedPool) -> usize {
    pool.user_pool.as_ref().map_or(0, Bytes::len)
}

/// The stored form of a domain with this owner.
fn domain_row(user_pool_id: &str) -> Vec<u8> {
    StoredDomain { user_pool_id: user_pool_id.to_owned() }.encode_to_vec()
}

impl ReadModel {
    /// Starts an empty set of changes after the last projected record.
    pub(in crate::app) fn changes(&self) -> Changes {
        Changes::after(self.index().checkpoint.clone())
    }

    /// Writes the changes and the checkpoint atomically.
    pub(in crate::app) fn apply(&self, changes: Changes) -> Result<(), ReadModelError> {
        let finished = changes.finish(self).inspect_err(|error| self.report(error))?;
        let (mut writes, next) = finished;
        let checkpoint = next.checkpoint.encode_to_vec();
        writes.push((key::CHECKPOINT.to_vec(), Some(checkpoint.into())));
        let mut index = self.index_mut();
        if *self.damaged.borrow() {
            return Err(Damage::Reported.into());
        }
        self.store.write(writes).map_err(ReadModelError::Engine)?;
        index.advance(next);
        Ok(())
    }
}
