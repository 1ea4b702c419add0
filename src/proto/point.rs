//! Times, and points in the history of a user pool, as people write them: in an argument of a
//! command, or in an address of the console.

use std::str::FromStr;

use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, Timelike as _, Utc};
use prost_types::Timestamp;

use super::{replay_user_pool_request::AsOf, time::to_timestamp};

/// The formats of a time.
const TIME_FORMATS: &str = "a time (2026-11-17T10:00:00Z), a date (2026-11-17, midnight UTC), or \
                            a duration before now (90s, 15m, 2h, 3d, 1w, 1d12h)";

/// The refusal of a leap second, which has no form in a message.
const LEAP_SECOND: &str = "a leap second (:60) is not accepted, because no event is recorded in \
                           one: name the second before or after it";

/// The formats of a time in UTC without its zone, or as tables show it: without its seconds.
const UTC_FORMATS: [&str; 4] =
    ["%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M"];

/// A time, or a duration before now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeArg {
    /// A time.
    At(DateTime<Utc>),
    /// A day, which is its midnight, except at the end of a range.
    On(NaiveDate),
    /// A duration before now.
    Ago(TimeDelta),
}

/// A point in the history of a user pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HistoryPoint {
    /// A revision of the user pool.
    Revision(i64),
    /// A position in the log.
    Position(i64),
    /// A time.
    Time(TimeArg),
}

impl TimeArg {
    /// Resolves the time for a request at `now`.
    #[must_use]
    pub fn timestamp(self, now: DateTime<Utc>) -> Timestamp {
        to_timestamp(match self {
            Self::At(at) => at,
            Self::On(day) => midnight(day),
            // A time before the first one that exists is before every event.
            Self::Ago(ago) => now.checked_sub_signed(ago).unwrap_or_default(),
        })
    }

    /// Resolves the time as the end of a range, which does not include it. A day is in the range.
    #[must_use]
    pub fn end_timestamp(self, now: DateTime<Utc>) -> Timestamp {
        match self {
            Self::On(day) => to_timestamp(midnight(day.succ_opt().unwrap_or(day))),
            Self::At(_) | Self::Ago(_) => self.timestamp(now),
        }
    }
}

fn midnight(day: NaiveDate) -> DateTime<Utc> {
    day.and_time(NaiveTime::MIN).and_utc()
}

impl HistoryPoint {
    /// Resolves the point for a request at `now`.
    #[must_use]
    pub fn as_of(self, now: DateTime<Utc>) -> AsOf {
        match self {
            Self::Revision(revision) => AsOf::Revision(revision),
            Self::Position(position) => AsOf::Position(position),
            Self::Time(time) => AsOf::Time(time.timestamp(now)),
        }
    }
}

impl FromStr for TimeArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(time) = DateTime::parse_from_rfc3339(text) {
            // chrono shows a leap second as a second with more than 10^9 nanoseconds.
            if time.timestamp_subsec_nanos() >= 1_000_000_000 {
                return Err(LEAP_SECOND.to_owned());
            }
            return Ok(Self::At(time.to_utc()));
        }
        if let Ok(date) = text.parse::<NaiveDate>() {
            return Ok(Self::On(date));
        }
        let utc = text.strip_suffix('Z').unwrap_or(text);
        let mut parsed =
            UTC_FORMATS.iter().map(|format| NaiveDateTime::parse_from_str(utc, format));
        if let Some(time) = parsed.find_map(Result::ok) {
            if time.nanosecond() >= 1_000_000_000 {
                return Err(LEAP_SECOND.to_owned());
            }
            return Ok(Self::At(time.and_utc()));
        }
        let ago = humantime::parse_duration(text).ok();
        ago.and_then(|ago| TimeDelta::from_std(ago).ok())
            .map(Self::Ago)
            .ok_or_else(|| format!("expected {TIME_FORMATS}"))
    }
}

impl FromStr for HistoryPoint {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(position) = text.strip_prefix('@').and_then(|text| text.parse().ok()) {
            return Ok(Self::Position(position));
        }
        if let Ok(revision) = text.parse() {
            return Ok(Self::Revision(revision));
        }
        let expected =
            || format!("expected a revision (7), a position in the log (@120), {TIME_FORMATS}");
        text.parse().map(Self::Time).map_err(
            |error: String| {
                if error == LEAP_SECOND { error } else { expected() }
            },
        )
    }
}
