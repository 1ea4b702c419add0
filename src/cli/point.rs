//! Times and points of a history, as they are written on a command line.

use std::str::FromStr;

use chrono::{DateTime, NaiveDate, NaiveTime, TimeDelta, Utc};
use prost_types::Timestamp;

use crate::proto::{self, replay_user_pool_request::AsOf};

/// What a time looks like.
const TIMES: &str = "a time (2026-11-17T10:00:00Z), a date (2026-11-17, its first moment in UTC), \
                     or how long ago (90s, 15m, 2h, 3d, 1w, 1d12h)";

/// A time: itself, or how long ago it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum When {
    At(DateTime<Utc>),
    Ago(TimeDelta),
}

/// A point in the history of a user pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Point {
    Revision(i64),
    Position(i64),
    Time(When),
}

impl When {
    /// The time that is meant where it is `now`.
    pub(super) fn timestamp(self, now: DateTime<Utc>) -> Timestamp {
        proto::timestamp(match self {
            Self::At(at) => at,
            // So long ago that there is no such time: before everything.
            Self::Ago(ago) => now.checked_sub_signed(ago).unwrap_or_default(),
        })
    }
}

impl Point {
    /// The point as requests have it.
    pub(super) fn as_of(self, now: DateTime<Utc>) -> AsOf {
        match self {
            Self::Revision(revision) => AsOf::Revision(revision),
            Self::Position(position) => AsOf::Position(position),
            Self::Time(when) => AsOf::Time(when.timestamp(now)),
        }
    }
}

impl FromStr for When {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(time) = DateTime::parse_from_rfc3339(text) {
            return Ok(Self::At(time.to_utc()));
        }
        if let Ok(date) = text.parse::<NaiveDate>() {
            return Ok(Self::At(date.and_time(NaiveTime::MIN).and_utc()));
        }
        duration(text).map(Self::Ago).ok_or_else(|| format!("expected {TIMES}"))
    }
}

impl FromStr for Point {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(position) = text.strip_prefix('@').and_then(|text| text.parse().ok()) {
            return Ok(Self::Position(position));
        }
        if let Ok(revision) = text.parse() {
            return Ok(Self::Revision(revision));
        }
        text.parse()
            .map(Self::Time)
            .map_err(|_| format!("expected a revision (7), a position in the log (@120), {TIMES}"))
    }
}

/// Numbers, each with its unit.
fn duration(text: &str) -> Option<TimeDelta> {
    let mut total = None;
    let mut rest = text;
    while let Some(end) = rest.find(|letter: char| !letter.is_ascii_digit()) {
        let (number, unit) = rest.split_at_checked(end)?;
        let number = number.parse().ok()?;
        let (unit, after) = unit.split_at_checked(1)?;
        let part = match unit {
            "s" => TimeDelta::try_seconds(number),
            "m" => TimeDelta::try_minutes(number),
            "h" => TimeDelta::try_hours(number),
            "d" => TimeDelta::try_days(number),
            "w" => TimeDelta::try_weeks(number),
            _ => None,
        }?;
        total =
            Some(total.unwrap_or_default()).and_then(|total: TimeDelta| total.checked_add(&part));
        total?;
        rest = after;
    }
    total.filter(|_| rest.is_empty())
}
