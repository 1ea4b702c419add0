//! How many events of each type were recorded in each hour.
//!
//! No event is earlier than the one before it, so only the counts of the hour of the last event
//! still change.

use bytes::Bytes;
use prost_types::Timestamp;

use crate::event_log::Position;

use super::{Damage, ReadModel, ReadModelError, VISITED_PAGE, key};

pub(in crate::app) const SECONDS_PER_HOUR: i64 = 60 * 60;

/// How many events of a type were recorded in an hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::app) struct HourCount {
    /// The hour, counted from the beginning of 1970.
    pub(in crate::app) hour: u64,
    /// The number of the type.
    pub(in crate::app) event_type: u32,
    pub(in crate::app) count: u64,
}

/// The hour of a time, counted from the beginning of 1970. Earlier times have the first one.
pub(in crate::app) fn hour_of(time: Option<Timestamp>) -> u64 {
    let seconds = time.unwrap_or_default().seconds;
    u64::try_from(seconds.div_euclid(SECONDS_PER_HOUR)).unwrap_or_default()
}

impl HourCount {
    fn of((key, value): &(Bytes, Bytes)) -> Self {
        let (hour, event_type) = key::hour_and_type(key);
        Self { hour, event_type, count: key::position(value) }
    }
}

impl ReadModel {
    /// The counts from hour `first` on and before hour `end`, in the order of hours and types,
    /// at most about `limit`; and the position of the last event that they include.
    pub(in crate::app) fn event_counts(
        &self,
        first: u64,
        end: u64,
        limit: usize,
    ) -> Result<(Vec<HourCount>, Position), ReadModelError> {
        let rows = |first, end| self.range(key::count(first, 0)..=key::count(end, 0), limit);
        self.checked(|| {
            // Only these counts can change, so no batch is applied while they are read.
            let (head, open_hour, open) = {
                let index = self.index();
                let hour = hour_of(index.checkpoint.record_time);
                (index.checkpoint.head().position, hour, rows(hour.max(first), end)?)
            };
            let mut found = rows(first, end.min(open_hour))?;
            if found.len() < limit {
                found.extend(open);
            }
            Ok((found.iter().map(HourCount::of).collect(), head))
        })
    }

    /// Adds the counts after a key to a sum. Returns the last key; `None` at the end.
    pub(super) fn sum_counts(
        &self,
        after: &[u8],
        sum: &mut u64,
    ) -> Result<Option<Bytes>, ReadModelError> {
        let first = [after, &[0]].concat();
        let rows = self.range(first..=key::count(u64::MAX, u32::MAX), VISITED_PAGE)?;
        for row in &rows {
            *sum = sum.saturating_add(HourCount::of(row).count);
        }
        Ok(rows.last().map(|(key, _)| key.clone()))
    }

    /// Checks a sum of all counts, which was computed after `least` events were projected.
    pub(super) fn check_counts(&self, sum: u64, least: u64) -> Result<(), ReadModelError> {
        let most = self.head().position.0;
        if (least..=most).contains(&sum) {
            Ok(())
        } else {
            Err(Damage::Counts { sum, most }.into())
        }
    }
}
