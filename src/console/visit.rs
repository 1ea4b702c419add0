//! One request of a page: its address, the time, and the calls.

use std::str::FromStr;

use chrono::{DateTime, Utc};
use prost_types::Timestamp;

use crate::proto::{self, HistoryPoint, TimeArg};

use super::{
    calls::Calls,
    failure::Failure,
    url::{Query, Route},
};

/// A request of a page.
#[derive(Debug)]
pub(super) struct Visit {
    pub(super) calls: Calls,
    pub(super) now: DateTime<Utc>,
    pub(super) route: Route,
    pub(super) query: Query,
    /// Whether the answer is the JSON of the page.
    pub(super) wants_json: bool,
    /// The last event of a stream that the browser lost.
    pub(super) last_event_id: Option<String>,
}

impl Visit {
    /// The token of the page of a list.
    pub(super) fn token(&self) -> &str {
        self.query.get("after").unwrap_or_default()
    }

    /// The position after which a stream begins: where the browser lost it, or that of the address.
    pub(super) fn position(&self) -> Result<i64, Failure> {
        let lost = self.last_event_id.as_deref();
        match lost {
            Some(lost) => parse_number("after", lost),
            None => Ok(self.number("after")?.unwrap_or_default()),
        }
    }

    /// A position, or another number that is not negative.
    pub(super) fn number(&self, name: &'static str) -> Result<Option<i64>, Failure> {
        self.query.get(name).map(|text| parse_number(name, text)).transpose()
    }

    /// The point in a history that a parameter names.
    pub(super) fn point(&self, name: &'static str) -> Result<Option<HistoryPoint>, Failure> {
        self.parameter(name)
    }

    /// The time from which on events are shown.
    pub(super) fn since(&self) -> Result<Option<Timestamp>, Failure> {
        let time: Option<TimeArg> = self.parameter("since")?;
        Ok(time.map(|time| time.timestamp(self.now)))
    }

    /// The time up to which events are shown.
    pub(super) fn until(&self) -> Result<Option<Timestamp>, Failure> {
        let time: Option<TimeArg> = self.parameter("until")?;
        Ok(time.map(|time| time.end_timestamp(self.now)))
    }

    /// The parameters for the next page of the same list: an age is another time by then, and a
    /// page belongs to a list with the same times.
    pub(super) fn fixed_query(&self) -> Query {
        ["since", "until", "at"].into_iter().fold(self.query.clone(), |query, name| {
            let time = query.get(name).and_then(|text| text.parse().ok());
            match time {
                Some(age @ TimeArg::Ago(_)) => {
                    query.set(name, proto::format_time(age.timestamp(self.now)))
                }
                Some(TimeArg::At(_) | TimeArg::On(_)) | None => query,
            }
        })
    }

    fn parameter<T: FromStr<Err = String>>(
        &self,
        name: &'static str,
    ) -> Result<Option<T>, Failure> {
        self.query.get(name).map(|value| parse(name, value)).transpose()
    }
}

fn parse<T: FromStr<Err = String>>(name: &'static str, value: &str) -> Result<T, Failure> {
    let parsed = value.parse();
    parsed.map_err(|expected| Failure::Parameter { name, value: value.to_owned(), expected })
}

fn parse_number(name: &'static str, value: &str) -> Result<i64, Failure> {
    let parsed = value.parse::<i64>().ok().filter(|number| *number >= 0);
    parsed.ok_or_else(|| Failure::Parameter {
        name,
        value: value.to_owned(),
        expected: "must be a position, such as 120".to_owned(),
    })
}
