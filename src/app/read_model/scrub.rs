//! The scrub: reads every stored state and compares it with its entry, so that damage is
//! found before a client asks for it.

use std::{sync::Weak, time::Duration};

use prost::Message as _;
use tokio::time::sleep;

use crate::app::stored::StoredEntry;

use super::{
    Damage, ReadModel, ReadModelError,
    index::{Entry, Index},
    key,
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
        let mut next = Some(Place::default());
        while let Some(place) = next {
            let Some(model) = model.upgrade() else { return };
            let Ok(Scrubbed { bytes, following }) = model.scrub_page(place) else { return };
            drop(model);
            next = following;
            sleep(Duration::from_micros(bytes.saturating_mul(1_000_000) / BYTES_PER_SECOND)).await;
        }
        if model.upgrade().is_some() {
            tracing::debug!("every state of the read model has the sum of its entry");
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
#[derive(Debug, Clone, Copy, Default)]
struct Place {
    /// Whether it reads the deleted user pools, which come last.
    deleted: bool,
    /// The position of the creation of the first user pool.
    first: u64,
}

impl ReadModel {
    /// Checks every state at once.
    ///
    /// # Errors
    /// A state is not what was written. The next start rebuilds the read model.
    pub(in crate::app) fn check_states(&self) -> Result<(), ReadModelError> {
        let mut next = Some(Place::default());
        while let Some(place) = next {
            next = self.scrub_page(place)?.following;
        }
        Ok(())
    }

    /// Checks the states of the next user pools.
    fn scrub_page(&self, Place { deleted, first }: Place) -> Result<Scrubbed, ReadModelError> {
        let entry_key = if deleted { key::deleted_entry } else { key::entry };
        self.checked(|| {
            let page = self.range(entry_key(first)..=entry_key(u64::MAX), STATES_PAGE)?;
            let following = match page.last() {
                Some((last, _)) => {
                    Some(Place { deleted, first: key::position(last).saturating_add(1) })
                }
                None if deleted => None,
                None => Some(Place { deleted: true, first: 0 }),
            };
            let mut bytes = 0_u64;
            for (key, stored) in page {
                let StoredEntry { user_pool_id, .. } = StoredEntry::decode(stored)?;
                let created = key::position(&key);
                let entry = |index: &Index| {
                    index.get(&user_pool_id).filter(|entry| entry.created == created)
                };
                let state = self.uncached_state(entry)?.ok_or(Damage::State { created })?;
                self.check_entry(created, entry)?;
                bytes = bytes.saturating_add(u64::try_from(state.len()).unwrap_or(u64::MAX));
            }
            Ok(Scrubbed { bytes, following })
        })
    }

    /// Checks that the stored entry is the one in memory.
    fn check_entry(
        &self,
        created: u64,
        entry: impl Fn(&Index) -> Option<Entry>,
    ) -> Result<(), ReadModelError> {
        // While the index is locked, no batch is applied.
        let index = self.index();
        let stored = self.stored_entry(created)?;
        let expected = entry(&index).map(|entry| entry.sum);
        if stored.map(|stored| stored.sum) == expected {
            Ok(())
        } else {
            Err(Damage::State { created }.into())
        }
    }
}
