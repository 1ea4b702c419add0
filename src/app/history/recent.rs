//! The latest events in memory, encoded once for all watches that are close to the end of
//! the log.

use std::{
    collections::VecDeque,
    sync::{Arc, OnceLock, PoisonError, RwLock},
};

use bytes::Bytes;

use crate::{
    audit::{DecodeError, codec},
    event_log::{Position, Record},
    proto::UserPoolEvent,
};

use super::EventFilter;

#[cfg(sim_bugs)]
use crate::app::planted_bugs::PlantedBug;

/// How many events the buffer holds.
const MAX_EVENTS: usize = 1024;
/// How many bytes of stored records it holds.
const MAX_BYTES: usize = 4 * 1024 * 1024;

/// The latest events of the log.
#[derive(Debug, Default)]
pub(in crate::app) struct Recent(RwLock<Buffer>);

#[derive(Debug, Default)]
struct Buffer {
    events: VecDeque<Arc<RecentEvent>>,
    bytes: usize,
}

/// A record, and its event without the payload, which is enough for most filters.
#[derive(Debug)]
pub(super) struct RecentEvent {
    pub(super) event: UserPoolEvent,
    pub(super) record: Record,
    sent: OnceLock<Bytes>,
}

impl RecentEvent {
    /// Whether the event meets the conditions of a filter.
    ///
    /// # Errors
    /// This version cannot decode the event.
    pub(super) fn matches(&self, filter: &EventFilter) -> Result<bool, DecodeError> {
        let matches = filter.matches_envelope(&self.event);
        if matches && filter.needs_payload() {
            return Ok(filter.matches(&codec::decode(&self.record)?));
        }
        Ok(matches)
    }

    /// The event as watches receive it, with its record on request.
    pub(super) fn sent(&self, include_record: bool) -> Bytes {
        if include_record {
            return codec::encode_served(&self.record, true);
        }
        self.sent.get_or_init(|| codec::encode_served(&self.record, false)).clone()
    }
}

impl Recent {
    /// Appends events, each with its record. They must follow the last one in the log.
    pub(in crate::app) fn push(&self, events: impl Iterator<Item = (UserPoolEvent, Record)>) {
        let mut buffer = self.0.write().unwrap_or_else(PoisonError::into_inner);
        for (event, record) in events {
            buffer.bytes = buffer.bytes.saturating_add(record.stored.len());
            buffer.events.push_back(Arc::new(RecentEvent { event, record, sent: OnceLock::new() }));
        }
        while buffer.events.len() > MAX_EVENTS || buffer.bytes > MAX_BYTES {
            let Some(oldest) = buffer.events.pop_front() else { return };
            buffer.bytes = buffer.bytes.saturating_sub(oldest.record.stored.len());
        }
    }

    /// At most `count` events after `position`; empty if the first of them is no longer in
    /// the buffer.
    pub(super) fn after(&self, position: Position, count: usize) -> Vec<Arc<RecentEvent>> {
        let buffer = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let oldest = buffer.events.front().map_or(0, |oldest| oldest.event.position);
        let skipped = usize::try_from(position.next().to_int().saturating_sub(oldest));
        #[cfg(sim_bugs)]
        let skipped = skipped.map(|skipped| {
            let is_first = skipped == 0 && oldest > 1;
            skipped + usize::from(is_first && PlantedBug::SkippedEvent.is_planted())
        });
        let after = |skipped| buffer.events.iter().skip(skipped).take(count).cloned().collect();
        skipped.map(after).unwrap_or_default()
    }
}
