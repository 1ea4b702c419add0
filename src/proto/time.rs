//! Conversions of the times in messages.

use chrono::{DateTime, SecondsFormat, Utc};
use prost_types::Timestamp;

/// Converts a time to the form in messages.
#[must_use]
pub fn to_timestamp(at: DateTime<Utc>) -> Timestamp {
    let nanos = i32::try_from(at.timestamp_subsec_nanos()).unwrap_or_default();
    Timestamp { seconds: at.timestamp(), nanos }
}

/// Converts a time from the form in messages. Returns nothing for an invalid time.
#[must_use]
pub fn to_date_time(at: Timestamp) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp(at.seconds, u32::try_from(at.nanos).ok()?)
}

/// Returns a key that compares as the times do.
#[must_use]
pub const fn sort_key(at: Timestamp) -> (i64, i32) {
    (at.seconds, at.nanos)
}

/// Formats a time in RFC 3339 format, in UTC with milliseconds.
#[must_use]
pub fn format_time(at: Timestamp) -> String {
    let at = to_date_time(at).map(|at| at.to_rfc3339_opts(SecondsFormat::Millis, true));
    at.unwrap_or_default()
}
