//! The store of the read model on disk: a fjall database with a keyspace for the states of
//! user pools, which are large, and one for everything else.
//!
//! Nothing is synced on write. After a crash, fjall restores the writes up to some write,
//! and it verifies a checksum of every block that it reads.

use std::{
    fmt,
    ops::RangeInclusive,
    panic::{self, AssertUnwindSafe},
    path::Path,
};

use bytes::Bytes;
use fjall::{
    CompressionType, Database, Keyspace, KeyspaceCreateOptions, LsmError, PersistMode,
    Readable as _, config::CompressionPolicy,
};

use crate::{event_log::BoxError, telemetry::panic_message};

use super::{
    key,
    store::{Store, Write},
};

const MIB: u64 = 1024 * 1024;
/// How much is kept in memory of each keyspace before it is written to a table.
const STATES_BUFFER: u64 = 16 * MIB;
const INDEX_BUFFER: u64 = 8 * MIB;
/// The maximum size of the journals, and the minimum that fjall accepts. It also bounds
/// how much is replayed after a crash.
const MAX_JOURNAL: u64 = 64 * MIB;
/// How many tables are kept open.
const MAX_OPEN_FILES: usize = 128;

/// A fjall database.
pub(super) struct DiskStore {
    db: Database,
    states: Keyspace,
    index: Keyspace,
}

impl DiskStore {
    /// Opens or creates the database in `path`, and caches `cache` bytes of it in memory.
    pub(super) fn open(path: &Path, cache: u64) -> Result<Self, BoxError> {
        catch(|| {
            let db = Database::builder(path)
                .worker_threads(1)
                .cache_size(cache)
                .max_journaling_size(MAX_JOURNAL)
                .max_cached_files(Some(MAX_OPEN_FILES))
                .open()?;
            // New tables are merged soon, so only the merged ones are compressed. Hashes and
            // positions, of which the index consists, cannot be compressed.
            let compressed = CompressionPolicy::new([CompressionType::None, CompressionType::Lz4]);
            let states = db.keyspace("states", || options(STATES_BUFFER, &compressed))?;
            let uncompressed = CompressionPolicy::all(CompressionType::None);
            let index = db.keyspace("index", || options(INDEX_BUFFER, &uncompressed))?;
            Ok(Self { db, states, index })
        })
    }

    fn keyspace(&self, key: &[u8]) -> &Keyspace {
        if key::is_state(key) { &self.states } else { &self.index }
    }
}

fn options(buffer: u64, compression: &CompressionPolicy) -> KeyspaceCreateOptions {
    KeyspaceCreateOptions::default()
        .max_memtable_size(buffer)
        .data_block_compression_policy(compression.clone())
}

/// Turns a panic of the engine, which some damages cause, into an error.
fn catch<T>(work: impl FnOnce() -> fjall::Result<T>) -> Result<T, BoxError> {
    match panic::catch_unwind(AssertUnwindSafe(work)) {
        // Its own text is that of the system.
        Ok(Err(fjall::Error::Io(error) | fjall::Error::Storage(LsmError::Io(error)))) => {
            Err(error.into())
        }
        Ok(result) => Ok(result?),
        Err(panic) => Err(format!("fjall panicked: {}", panic_message(&*panic)).into()),
    }
}

impl Store for DiskStore {
    // Through a snapshot, because fjall applies the writes of a batch one by one.
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>, BoxError> {
        let value = catch(|| self.db.snapshot().get(self.keyspace(key), key))?;
        Ok(value.map(|value| Bytes::copy_from_slice(&value)))
    }

    fn range(
        &self,
        keys: RangeInclusive<Vec<u8>>,
        limit: usize,
    ) -> Result<Vec<(Bytes, Bytes)>, BoxError> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        catch(|| {
            let range = self.db.snapshot().range(self.keyspace(keys.start()), keys);
            let entries = range.take(limit).map(|entry| {
                let (key, value) = entry.into_inner()?;
                Ok((Bytes::copy_from_slice(&key), Bytes::copy_from_slice(&value)))
            });
            entries.collect()
        })
    }

    fn write(&self, writes: Vec<Write>) -> Result<(), BoxError> {
        catch(|| {
            let mut batch = self.db.batch();
            for (key, value) in writes {
                let keyspace = self.keyspace(&key);
                match value {
                    Some(value) => batch.insert(keyspace, key, &*value),
                    None => batch.remove(keyspace, key),
                }
            }
            batch.commit()
        })
    }

    /// Writes tables at once, and neither a journal nor buffers.
    fn load(&self, mut writes: Vec<Write>) -> Result<(), BoxError> {
        // A table has each key once. Of several writes, the last one counts; sorting is stable.
        writes.reverse();
        writes.sort_by(|(key, _), (other, _)| key.cmp(other));
        writes.dedup_by(|(key, _), (kept, _)| key == kept);
        catch(|| {
            // A table for each letter, because the engine merges tables with overlapping ranges.
            for writes in writes.chunk_by(|(key, _), (next, _)| key.first() == next.first()) {
                let Some((first, _)) = writes.first() else { continue };
                let mut table = self.keyspace(first).start_ingestion()?;
                for (key, value) in writes {
                    match value {
                        Some(value) => table.write(key.as_slice(), value.as_ref())?,
                        None => table.write_tombstone(key.as_slice())?,
                    }
                }
                table.finish()?;
            }
            Ok(())
        })
    }
}

impl Drop for DiskStore {
    fn drop(&mut self) {
        // Not needed for safety: it saves projecting events again after a power cut.
        if let Err(error) = catch(|| self.db.persist(PersistMode::SyncAll)) {
            tracing::warn!(
                error,
                "cannot sync the read model; it may be rebuilt at the next start"
            );
        }
    }
}

impl fmt::Debug for DiskStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DiskStore").finish_non_exhaustive()
    }
}
