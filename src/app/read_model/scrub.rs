//! The scrub: reads every stored state, compares it with its entry and looks up the rows that
//! find its user pool, and adds up the counts of events, so that damage is found before a client
//! asks for it.

use std::{sync::Weak, time::Duration};

use bytes::Bytes;
use prost::Message as _;
use tokio::time::sleep;

use crate::app::stored::StoredEntry;

use super::{
    Damage, ReadModel, ReadModelError,
    index::{Entry, Index, sum_of},
    key,
    pool_rows::PoolRows,
};

/// The time between two scrubs.
const INTERVAL: Duration = Duration::from_hours(24);
/// How many bytes of states are read in a second.
const BYTES_PER_SECOND: u64 = 10 * 1024 * 1024;
/// How many states are read at a time, so that a runtime thread is blocked for about a
/// millisecond.
const STATES_PAGE: usize = 64;

/// Scrubs a read model at once and then once a day, until it is dropped or damage is found.
pub(in crate::app) async fn scrub(model: Weak<ReadModel>) {
    loop {
        let mut next = Some(Place::START);
        while let Some(place) = next {
            let Some(model) = model.upgrade() else { return };
            let Ok(Scrubbed { bytes, following }) = model.scrub_page(&place) else { return };
            drop(model);
            next = following;
            sleep(Duration::from_micros(bytes.saturating_mul(1_000_000) / BYTES_PER_SECOND)).await;
        }
        if model.upgrade().is_some() {
            tracing::debug!(
                "every state of the read model has the sum of its entry, and its rows; the events \
                 are counted"
            );
        }
        sleep(INTERVAL).await;
    }
}

/// What a step of the scrub has read.
#[derive(Debug)]
struct Scrubbed {
    bytes: u64,
    /// Where the next step begins. `None` at the end.
    following: Option<Place>,
}

/// Where a step of the scrub begins.
#[derive(Debug, Clone)]
enum Place {
    /// At the user pool that was created at the position `first`, or later. The deleted ones
    /// come last.
    UserPools { deleted: bool, first: u64 },
    /// After this key of a count. Those up to it have a `sum`, which was 0 when `least` events
    /// were projected.
    Counts { after: Bytes, sum: u64, least: u64 },
}

impl Place {
    const START: Self = Self::UserPools { deleted: false, first: 0 };
}

impl ReadModel {
    /// Checks every state, the rows that find its user pool, and the counts at once.
    ///
    /// # Errors
    /// Something is not what was written. The next start rebuilds the read model.
    pub(in crate::app) fn check_states(&self) -> Result<(), ReadModelError> {
        let mut next = Some(Place::START);
        while let Some(place) = next {
            next = self.scrub_page(&place)?.following;
        }
        Ok(())
    }

    /// Checks the next user pools, or the next counts.
    fn scrub_page(&self, place: &Place) -> Result<Scrubbed, ReadModelError> {
        self.checked(|| match place {
            Place::UserPools { deleted, first } => self.scrub_pools(*deleted, *first),
            Place::Counts { after, sum, least } => self.scrub_counts(after, *sum, *least),
        })
    }

    fn scrub_pools(&self, deleted: bool, first: u64) -> Result<Scrubbed, ReadModelError> {
        let entry_key = |created| key::entry_and_state(deleted, created).0;
        let page = self.range(entry_key(first)..=entry_key(u64::MAX), STATES_PAGE)?;
        let following = match page.last() {
            Some((last, _)) => {
                Place::UserPools { deleted, first: key::position(last).saturating_add(1) }
            }
            None if deleted => Place::Counts {
                after: Bytes::from_static(key::BEFORE_COUNTS),
                sum: 0,
                least: self.head().position.0,
            },
            None => Place::UserPools { deleted: true, first: 0 },
        };
        let mut bytes = 0_u64;
        for (key, stored) in page {
            let StoredEntry { user_pool_id, .. } = StoredEntry::decode(stored)?;
            let created = key::position(&key);
            let entry =
                |index: &Index| index.get(&user_pool_id).filter(|entry| entry.created == created);
            let state = self.uncached_state(entry)?.ok_or(Damage::State { created })?;
            bytes = bytes.saturating_add(u64::try_from(state.len()).unwrap_or(u64::MAX));
            self.check_rows(created, state, entry)?;
        }
        Ok(Scrubbed { bytes, following: Some(following) })
    }

    fn scrub_counts(
        &self,
        after: &[u8],
        mut sum: u64,
        least: u64,
    ) -> Result<Scrubbed, ReadModelError> {
        let after = self.sum_counts(after, &mut sum)?;
        if after.is_none() {
            self.check_counts(sum, least)?;
        }
        let following = after.map(|after| Place::Counts { after, sum, least });
        Ok(Scrubbed { bytes: 0, following })
    }

    /// Checks that the stored entry of a user pool is the one in memory, and that the rows of
    /// this state are there.
    fn check_rows(
        &self,
        created: u64,
        state: Bytes,
        entry: impl Fn(&Index) -> Option<Entry>,
    ) -> Result<(), ReadModelError> {
        let sum = sum_of(&state);
        let rows = PoolRows::of(state)?;
        // While the index is locked, no batch is applied.
        let index = self.index();
        let stored = self.stored_entry(created)?;
        let expected = entry(&index).map(|entry| entry.sum);
        if stored.map(|stored| stored.sum) != expected {
            return Err(Damage::State { created }.into());
        }
        // Otherwise, a batch has replaced the state since.
        if expected == Some(sum) {
            for key in rows.keys {
                self.get(&key)?.ok_or(Damage::Row { created })?;
            }
        }
        Ok(())
    }
}
