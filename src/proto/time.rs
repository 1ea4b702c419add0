//! Times of messages: to and from those that are computed with, compared and shown.

use chrono::{DateTime, SecondsFormat, Utc};
use prost_types::Timestamp;

/// A time as messages have it.
#[must_use]
pub fn timestamp(at: DateTime<Utc>) -> Timestamp {
    let nanos = i32::try_from(at.timestamp_subsec_nanos()).unwrap_or_default();
    Timestamp { seconds: at.timestamp(), nanos }
}

/// A time as it is computed with; nothing where it is none.
#[must_use]
pub fn date_time(at: Timestamp) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp(at.seconds, u32::try_from(at.nanos).ok()?)
}

/// A time as it is compared with others.
#[must_use]
pub const fn order(at: Timestamp) -> (i64, i32) {
    (at.seconds, at.nanos)
}

/// A time as people read it.
#[must_use]
pub fn shown(at: Timestamp) -> String {
    let at = date_time(at).map(|at| at.to_rfc3339_opts(SecondsFormat::Millis, true));
    at.unwrap_or_default()
}
