//! The store of a read model in memory; its contents are lost on drop.

use std::{
    collections::BTreeMap,
    ops::RangeInclusive,
    sync::{PoisonError, RwLock},
};

use bytes::Bytes;

use crate::event_log::BoxError;

use super::store::{Store, Write};

/// Keys and values in memory.
#[derive(Debug, Default)]
pub(super) struct MemoryStore(RwLock<BTreeMap<Vec<u8>, Bytes>>);

impl Store for MemoryStore {
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>, BoxError> {
        let map = self.0.read().unwrap_or_else(PoisonError::into_inner);
        Ok(map.get(key).cloned())
    }

    fn range(
        &self,
        keys: RangeInclusive<Vec<u8>>,
        limit: usize,
    ) -> Result<Vec<(Bytes, Bytes)>, BoxError> {
        let map = self.0.read().unwrap_or_else(PoisonError::into_inner);
        // A range of a `BTreeMap` must not end before it starts.
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let entries = map.range(keys).take(limit);
        Ok(entries.map(|(key, value)| (key.clone().into(), value.clone())).collect())
    }

    fn write(&self, writes: Vec<Write>) -> Result<(), BoxError> {
        let mut map = self.0.write().unwrap_or_else(PoisonError::into_inner);
        for (key, value) in writes {
            match value {
                Some(value) => map.insert(key, value),
                None => map.remove(&key),
            };
        }
        Ok(())
    }
}
