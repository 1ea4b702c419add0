//! The events that were recorded last, decoded once for all who follow closely.

use std::{
    collections::VecDeque,
    sync::{Arc, PoisonError, RwLock},
};

use crate::{event_log::Position, proto::UserPoolEvent};

/// How many events are kept.
const EVENTS: usize = 1024;
/// And how many bytes of stored records.
const BYTES: usize = 4 * 1024 * 1024;

/// The end of the log in memory; each event has its record.
#[derive(Debug, Default)]
pub(in crate::app) struct Recent(RwLock<Kept>);

#[derive(Debug, Default)]
struct Kept {
    events: VecDeque<Arc<UserPoolEvent>>,
    bytes: usize,
}

impl Recent {
    /// Adds events that continue those before.
    pub(in crate::app) fn push(&self, events: Vec<UserPoolEvent>) {
        let mut kept = self.0.write().unwrap_or_else(PoisonError::into_inner);
        for event in events {
            kept.bytes = kept.bytes.saturating_add(size(&event));
            kept.events.push_back(Arc::new(event));
        }
        while kept.events.len() > EVENTS || kept.bytes > BYTES {
            let Some(oldest) = kept.events.pop_front() else { return };
            kept.bytes = kept.bytes.saturating_sub(size(&oldest));
        }
    }

    /// At most `count` events after `position`; none where the first of them is
    /// not kept.
    pub(super) fn after(&self, position: Position, count: usize) -> Vec<Arc<UserPoolEvent>> {
        let kept = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let oldest = kept.events.front().map_or(0, |event| event.position);
        let skipped = usize::try_from(position.next().to_int().saturating_sub(oldest));
        let after = |skipped| kept.events.iter().skip(skipped).take(count).cloned().collect();
        skipped.map(after).unwrap_or_default()
    }
}

fn size(event: &UserPoolEvent) -> usize {
    event.record.as_ref().map_or(0, bytes::Bytes::len)
}
