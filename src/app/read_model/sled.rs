//! The store of the read model in a separate sled database. It has one tree, so that a
//! batch of events and the checkpoint are one atomic write.

use std::{fs::File, ops::RangeInclusive, path::Path};

use bytes::Bytes;
use sled::IVec;

use crate::{
    app::unsynced::InUse,
    event_log::{BoxError, DbHandle},
};

use super::store::{Store, Write};

/// The minimum cache size of sled, in bytes.
const MIN_CACHE: u64 = 1024 * 1024;

/// A sled database. The fields drop in this order.
#[derive(Debug)]
pub(super) struct SledStore {
    db: sled::Db,
    /// Dropped after the database, so that the next process finds it unlocked.
    _file: DbHandle,
    /// Dropped last, when nothing is written any more.
    _in_use: InUse,
}

impl SledStore {
    /// Opens the database in `path`, and caches about `cache` bytes of it in memory.
    pub(super) fn open(path: &Path, cache: u64) -> Result<Self, BoxError> {
        let in_use = InUse::mark(path)?;
        // Neither flushed nor synced: records that a crash loses are projected again.
        let config = sled::Config::new().path(path).cache_capacity(cache.max(MIN_CACHE));
        let db = config.flush_every_ms(None).open()?;
        let file = DbHandle::new(&db, File::open(path.join("db"))?);
        Ok(Self { db, _file: file, _in_use: in_use })
    }
}

impl Store for SledStore {
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>, BoxError> {
        Ok(self.db.get(key)?.map(Bytes::from_owner))
    }

    fn range(
        &self,
        keys: RangeInclusive<Vec<u8>>,
        limit: usize,
    ) -> Result<Vec<(Bytes, Bytes)>, BoxError> {
        let entry = |entry: sled::Result<(IVec, IVec)>| {
            let (key, value) = entry?;
            Ok((Bytes::from_owner(key), Bytes::from_owner(value)))
        };
        self.db.range(keys).take(limit).map(entry).collect()
    }

    fn write(&self, writes: Vec<Write>) -> Result<(), BoxError> {
        let mut batch = sled::Batch::default();
        for (key, value) in writes {
            match value {
                Some(value) => batch.insert(key, &*value),
                None => batch.remove(key),
            }
        }
        Ok(self.db.apply_batch(batch)?)
    }

    /// Writes one by one, because a sled batch does not keep the order.
    fn load(&self, writes: Vec<Write>) -> Result<(), BoxError> {
        for (key, value) in writes {
            match value {
                Some(value) => self.db.insert(key, &*value)?,
                None => self.db.remove(key)?,
            };
        }
        Ok(())
    }
}
