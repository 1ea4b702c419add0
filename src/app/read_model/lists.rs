//! The list of user pools.

use std::collections::BTreeMap;

use bytes::Bytes;
use prost::Message as _;

use crate::app::stored::{StoredEntry, StoredPool};

use super::{
    Damage, PoolEntry, ReadModel, ReadModelError,
    index::{Index, sum_of},
    key,
};

impl ReadModel {
    pub(in crate::app) fn pools(
        &self,
        after: u64,
        limit: usize,
    ) -> Result<Vec<PoolEntry>, ReadModelError> {
        self.checked(|| {
            let (mut pools, mut after) = (Vec::new(), after);
            // More than once if user pools are deleted meanwhile.
            while pools.len() < limit {
                let first = after.saturating_add(1);
                let entries = key::entry(first)..=key::entry(u64::MAX);
                let entries = self.range(entries, limit.saturating_sub(pools.len()))?;
                let Some((last, _)) = entries.last() else { break };
                after = key::position(last);
                let states = self.range(key::pool(first)..=key::pool(after), usize::MAX)?;
                let mut states: BTreeMap<_, _> = states.into_iter().collect();
                for (key, entry) in entries {
                    let created_position = key::position(&key);
                    let StoredEntry { user_pool_id, .. } = StoredEntry::decode(entry)?;
                    let stored = states.remove(&*key::pool(created_position));
                    let pool = self.listed_pool(created_position, &user_pool_id, stored)?;
                    let pool = Some(pool).filter(|pool| !pool.deleted);
                    pools.extend(pool.map(|pool| PoolEntry { created_position, pool }));
                }
            }
            Ok(pools)
        })
    }

    /// The verified state of a user pool whose stored state was read from a range.
    fn listed_pool(
        &self,
        created: u64,
        id: &str,
        stored: Option<Bytes>,
    ) -> Result<StoredPool, ReadModelError> {
        let entry = |index: &Index| index.get(id).filter(|entry| entry.created == created);
        let sum = entry(&self.index()).map(|entry| entry.sum);
        let stored = match stored.filter(|stored| Some(sum_of(stored)) == sum) {
            Some(stored) => Some(stored),
            // A batch may have been applied since the range was read.
            None => self.uncached_state(entry)?,
        };
        Ok(StoredPool::decode(stored.ok_or(Damage::State { created })?)?)
    }
}
