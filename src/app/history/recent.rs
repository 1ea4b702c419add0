//! The events that were recorded last, encoded once for all who follow closely.

use std::{
    collections::VecDeque,
    sync::{Arc, OnceLock, PoisonError, RwLock},
};

use bytes::Bytes;

use crate::{
    audit::codec,
    event_log::{Position, Record},
    proto::UserPoolEvent,
};

#[cfg(sim_bugs)]
use crate::app::planted_bugs::PlantedBug;

/// How many events are kept.
const EVENTS: usize = 1024;
/// And how many bytes of stored records.
const BYTES: usize = 4 * 1024 * 1024;

/// The end of the log in memory.
#[derive(Debug, Default)]
pub(in crate::app) struct Recent(RwLock<Kept>);

#[derive(Debug, Default)]
struct Kept {
    events: VecDeque<Arc<Recorded>>,
    bytes: usize,
}

/// An event without its payload, by which it is filtered, and its record.
#[derive(Debug)]
pub(super) struct Recorded {
    pub(super) event: UserPoolEvent,
    record: Record,
    sent: OnceLock<Bytes>,
}

impl Recorded {
    /// The event as it is sent, with its record where that is asked for.
    pub(super) fn sent(&self, include_record: bool) -> Bytes {
        if include_record {
            return codec::sent(&self.record, true);
        }
        self.sent.get_or_init(|| codec::sent(&self.record, false)).clone()
    }
}

impl Recent {
    /// Adds events that continue those before, each with its record.
    pub(in crate::app) fn push(&self, events: impl Iterator<Item = (UserPoolEvent, Record)>) {
        let mut kept = self.0.write().unwrap_or_else(PoisonError::into_inner);
        for (event, record) in events {
            kept.bytes = kept.bytes.saturating_add(record.stored.len());
            kept.events.push_back(Arc::new(Recorded { event, record, sent: OnceLock::new() }));
        }
        while kept.events.len() > EVENTS || kept.bytes > BYTES {
            let Some(oldest) = kept.events.pop_front() else { return };
            kept.bytes = kept.bytes.saturating_sub(oldest.record.stored.len());
        }
    }

    /// At most `count` events after `position`; none where the first of them is
    /// not kept.
    pub(super) fn after(&self, position: Position, count: usize) -> Vec<Arc<Recorded>> {
        let kept = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let oldest = kept.events.front().map_or(0, |oldest| oldest.event.position);
        let skipped = usize::try_from(position.next().to_int().saturating_sub(oldest));
        #[cfg(sim_bugs)]
        let skipped = skipped.map(|skipped| {
            let is_first = skipped == 0 && oldest > 1;
            skipped + usize::from(is_first && PlantedBug::SkippedEvent.is_planted())
        });
        let after = |skipped| kept.events.iter().skip(skipped).take(count).cloned().collect();
        skipped.map(after).unwrap_or_default()
    }
}
