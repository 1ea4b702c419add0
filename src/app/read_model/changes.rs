//! What events change in the read model, put together before it is written.

use std::{
    borrow::Cow,
    collections::{BTreeMap, HashMap},
};

use prost::Message as _;
use sled::IVec;
use uuid::Uuid;

use crate::{
    app::stored::{Checkpoint, StoredDomain, StoredPool, StoredRequest},
    proto::UserPoolEvent,
    user_pool::{Event, UserPoolId},
};

use super::{FORM, ReadModel, ReadModelError, key};

/// The writes that events after a checkpoint add up to.
///
/// Each of them says what is to be there, and none what is to be added to it, so
/// that to write them again after a part of them was written is the same.
#[derive(Debug)]
pub(super) struct Changes {
    checkpoint: Checkpoint,
    pools: HashMap<UserPoolId, StoredPool>,
    writes: BTreeMap<Vec<u8>, Option<IVec>>,
}

impl Changes {
    /// Changes after a checkpoint, by events that lead to `pools`, as far as that is
    /// known already.
    pub(super) fn after(checkpoint: Checkpoint, pools: HashMap<UserPoolId, StoredPool>) -> Self {
        Self { checkpoint, pools, writes: BTreeMap::new() }
    }

    /// Adds what an event with this payload changes. One that was applied before
    /// changes nothing.
    pub(super) fn add(
        &mut self,
        model: &ReadModel,
        event: &UserPoolEvent,
        payload: Cow<'_, Event>,
    ) -> Result<(), ReadModelError> {
        let position = to_unsigned(event.position);
        if position <= self.checkpoint.position {
            return Ok(());
        }
        self.index(event, &payload);
        let id = UserPoolId::new(event.user_pool_id.clone());
        let before = match self.pools.remove(&id) {
            Some(pool) => pool,
            // Nothing to look for: an ID is never used again.
            None if event.revision <= 1 => StoredPool::default(),
            None => model.pool(&id)?.unwrap_or_default(),
        };
        let at = event.record_time.unwrap_or_default();
        let known = event.revision <= before.revision;
        let pool =
            if known { before } else { before.after(payload.into_owned(), event.position, at) };
        let key = if event.revision > 1 {
            key::revision(to_unsigned(pool.created_position), to_unsigned(event.revision))
        } else {
            key::created(id.as_str())
        };
        self.write(key, &event.position.to_be_bytes());
        self.pools.insert(id, pool);
        self.checkpoint.position = position;
        self.checkpoint.hash.clone_from(&event.hash);
        self.checkpoint.record_time = event.record_time;
        Ok(())
    }

    fn index(&mut self, event: &UserPoolEvent, payload: &Event) {
        let count = &mut self.checkpoint.user_pool_count;
        match payload {
            Event::UserPoolCreated(_) => *count = count.saturating_add(1),
            Event::UserPoolDeleted(_) => *count = count.saturating_sub(1),
            Event::UserPoolDomainCreated(assigned) => {
                let stored = StoredDomain { user_pool_id: event.user_pool_id.clone() };
                self.write(key::domain(&assigned.domain), &stored.encode_to_vec());
            }
            Event::UserPoolDomainDeleted(removed) => {
                self.writes.insert(key::domain(&removed.domain), None);
            }
            Event::UserPoolUpdated(_) | Event::UserPoolStatusChanged(_) => (),
        }
        let request_id = event.request_id.as_deref().and_then(|id| Uuid::try_parse(id).ok());
        if let Some(request_id) = request_id {
            let fingerprint = event.request_fingerprint.clone().unwrap_or_default();
            let stored = StoredRequest { fingerprint, position: event.position };
            self.write(key::request(request_id), &stored.encode_to_vec());
        }
    }

    fn write(&mut self, key: Vec<u8>, value: &[u8]) {
        self.writes.insert(key, Some(value.into()));
    }

    /// The writes, in the order of their keys, what is removed after what is there
    /// instead, and at last the checkpoint: wherever a crash cuts this off, every user
    /// pool is found, and what is projected once more leads to the same.
    pub(super) fn into_writes(mut self) -> impl Iterator<Item = (Vec<u8>, Option<IVec>)> {
        let mut encoded = Vec::new();
        for pool in self.pools.into_values() {
            let created = to_unsigned(pool.created_position);
            encoded.clear();
            // A vector takes as many bytes as there are.
            let _ = pool.encode(&mut encoded);
            let (key, other) = (key::pool(created), key::deleted_pool(created));
            let (key, other) = if pool.deleted { (other, Some(key)) } else { (key, None) };
            self.writes.insert(key, Some(encoded.as_slice().into()));
            self.writes.extend(other.map(|other| (other, None)));
        }
        let checkpoint = Checkpoint { form: FORM, ..self.checkpoint }.encode_to_vec();
        let checkpoint = (key::CHECKPOINT.to_vec(), Some(checkpoint.into()));
        let is_there = |(_, value): &(Vec<u8>, Option<IVec>)| value.is_some();
        let (there, removed): (Vec<_>, Vec<_>) = self.writes.into_iter().partition(is_there);
        there.into_iter().chain(removed).chain([checkpoint])
    }
}

fn to_unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    // Here, because the order of writes is seen by nobody but who kills the process
    // between two of them.
    #[test]
    fn a_deleted_user_pool_is_kept_in_its_new_place_before_it_leaves_the_old_one() {
        let gone = StoredPool { deleted: true, created_position: 7, ..StoredPool::default() };
        let pools = HashMap::from([(UserPoolId::new("eu-west-1_gone".to_owned()), gone)]);
        let writes: Vec<_> = Changes::after(Checkpoint::default(), pools).into_writes().collect();
        let keys: Vec<_> = writes.iter().map(|(key, value)| (&**key, value.is_some())).collect();
        let (new, old) = (key::deleted_pool(7), key::pool(7));
        assert_eq!(keys, [(&*new, true), (&*old, false), (key::CHECKPOINT, true)]);
    }
}
