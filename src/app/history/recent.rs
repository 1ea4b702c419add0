//! The events that were recorded last, encoded once for all who follow closely.

use std::{
    collections::VecDeque,
    sync::{Arc, OnceLock, PoisonError, RwLock},
};

use bytes::Bytes;
use prost::Message as _;

use crate::{app::codec, event_log::Position, proto::UserPoolEvent};

/// How many events are kept.
const EVENTS: usize = 1024;
/// And how many bytes of stored records.
const BYTES: usize = 4 * 1024 * 1024;

/// The end of the log in memory; each event has its record.
#[derive(Debug, Default)]
pub(in crate::app) struct Recent(RwLock<Kept>);

#[derive(Debug, Default)]
struct Kept {
    events: VecDeque<Arc<Recorded>>,
    bytes: usize,
}

/// An event, and apart from it its record.
#[derive(Debug)]
pub(super) struct Recorded {
    pub(super) event: UserPoolEvent,
    record: Bytes,
    sent: OnceLock<Bytes>,
}

impl Recorded {
    /// The event as it is sent, with its record where that is asked for.
    pub(super) fn sent(&self, include_record: bool) -> Bytes {
        let sent = self.sent.get_or_init(|| self.event.encode_to_vec().into());
        if !include_record {
            return sent.clone();
        }
        let record = Some(self.record.clone());
        codec::with(sent, &UserPoolEvent { record, ..UserPoolEvent::default() })
    }
}

impl Recent {
    /// Adds events that continue those before.
    pub(in crate::app) fn push(&self, events: Vec<UserPoolEvent>) {
        let mut kept = self.0.write().unwrap_or_else(PoisonError::into_inner);
        for mut event in events {
            let record = event.record.take().unwrap_or_default();
            kept.bytes = kept.bytes.saturating_add(record.len());
            kept.events.push_back(Arc::new(Recorded { event, record, sent: OnceLock::new() }));
        }
        while kept.events.len() > EVENTS || kept.bytes > BYTES {
            let Some(oldest) = kept.events.pop_front() else { return };
            kept.bytes = kept.bytes.saturating_sub(oldest.record.len());
        }
    }

    /// At most `count` events after `position`; none where the first of them is
    /// not kept.
    pub(super) fn after(&self, position: Position, count: usize) -> Vec<Arc<Recorded>> {
        let kept = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let oldest = kept.events.front().map_or(0, |oldest| oldest.event.position);
        let skipped = usize::try_from(position.next().to_int().saturating_sub(oldest));
        let after = |skipped| kept.events.iter().skip(skipped).take(count).cloned().collect();
        skipped.map(after).unwrap_or_default()
    }
}
