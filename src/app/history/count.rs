//! How many events of each type were recorded in each hour or day, from the counts in the read
//! model.

use std::{collections::BTreeMap, ops::Range};

use prost_types::Timestamp;

use crate::{
    event_log::Position,
    proto::{self, CountInterval, CountUserPoolEventsRequest, UserPoolEventCount},
    user_pool::{Check, InvalidRequest, Rule, fields},
};

use super::{
    super::read_model::{HourCount, SECONDS_PER_HOUR, hour_of},
    History, HistoryError,
    filter::check_time_range,
};

/// How many counts a page has at most. An hour or day has fewer.
const MAX_COUNTS: usize = 1000;
/// How many counts of hours are read for a page. More than those of a page, or of a day.
const MAX_HOUR_COUNTS: usize = 10_000;
const HOURS_PER_DAY: u64 = 24;

/// A request for one page of the counts of events.
#[derive(Debug, Clone)]
pub struct CountQuery {
    /// The hours, counted from the beginning of 1970.
    pub hours: Range<u64>,
    /// How many of them a count has.
    pub hours_per_count: u64,
    /// The token of the previous page; empty for the first page.
    pub page_token: String,
}

/// A page of the counts of events.
#[derive(Debug, Default)]
pub struct CountPage {
    /// The counts, by time and then by type.
    pub counts: Vec<UserPoolEventCount>,
    /// The hour at which the next page starts; `None` on the last page.
    pub next: Option<u64>,
    /// The position of the last event that the page counts.
    pub head: Position,
}

impl CountQuery {
    /// Checks a request to count events.
    ///
    /// # Errors
    /// The field rules that it breaks.
    pub fn parse(request: CountUserPoolEventsRequest) -> Result<Self, InvalidRequest> {
        let by_day = request.interval() == CountInterval::Day;
        let CountUserPoolEventsRequest { start_time, end_time, interval, page_token, min_position } =
            request;
        Check::run(|check| {
            check_start(check, "start_time", start_time, by_day);
            check_start(check, "end_time", end_time, by_day);
            check_time_range(check, start_time, end_time);
            if interval != 0 {
                check.enum_value("interval", Some(interval), CountInterval::as_str_name);
            }
            fields::min_position(check, min_position);
        })?;
        let hours = hour_of(start_time)..end_time.map_or(u64::MAX, |end| hour_of(Some(end)));
        let hours_per_count = if by_day { HOURS_PER_DAY } else { 1 };
        Ok(Self { hours, hours_per_count, page_token })
    }
}

/// The time must be the start of an hour or day.
fn check_start(check: &mut Check, field: &'static str, time: Option<Timestamp>, by_day: bool) {
    check.time(field, time.as_ref());
    let (length, whole) = if by_day {
        (
            SECONDS_PER_HOUR * 24,
            "midnight UTC with COUNT_INTERVAL_DAY, such as 2026-11-17T00:00:00Z",
        )
    } else {
        (SECONDS_PER_HOUR, "a whole hour of UTC, such as 2026-11-17T10:00:00Z")
    };
    let is_start = |time: Timestamp| time.seconds.rem_euclid(length) == 0 && time.nanos == 0;
    // A time that does not exist was refused above.
    let time = time.filter(|time| proto::to_date_time(*time).is_some());
    if let Some(time) = time.filter(|time| !is_start(*time)) {
        let shown = proto::format_time(time);
        let (allowed, constraint) = (format!("must be {whole}"), format!("be {whole}"));
        check.refuse(field, Rule::Pattern, Some(&shown), &allowed, &constraint);
    }
}

impl History {
    /// Returns the page that begins at `start`, the [`CountPage::next`] of the previous page, or
    /// the first page.
    ///
    /// # Errors
    /// See [`HistoryError`].
    pub fn count(&self, query: &CountQuery, start: Option<u64>) -> Result<CountPage, HistoryError> {
        let first = start.unwrap_or_default().max(query.hours.start);
        let end = query.hours.end;
        let (found, head) = self.read_model.event_counts(first, end, MAX_HOUR_COUNTS)?;
        let mut counts: BTreeMap<(u64, u32), u64> = BTreeMap::new();
        for HourCount { hour, event_type, count } in &found {
            let hour = hour - hour % query.hours_per_count;
            let sum = counts.entry((hour, *event_type)).or_default();
            *sum = sum.saturating_add(*count);
        }
        let next = next_start(&counts, found.len() >= MAX_HOUR_COUNTS);
        let counts =
            counts.into_iter().take_while(|((hour, _), _)| next.is_none_or(|next| *hour < next));
        Ok(CountPage { counts: counts.map(event_count).collect(), next, head })
    }
}

/// The hour at which the next page starts. There is a next page if there are too many counts,
/// or if not all were read (`is_cut`): then the last hour or day may be incomplete.
fn next_start(counts: &BTreeMap<(u64, u32), u64>, is_cut: bool) -> Option<u64> {
    let mut hours = counts.keys().map(|(hour, _)| *hour);
    hours.clone().nth(MAX_COUNTS).or_else(|| hours.next_back().filter(|_| is_cut))
}

fn event_count(((hour, event_type), count): ((u64, u32), u64)) -> UserPoolEventCount {
    let seconds = i64::try_from(hour).unwrap_or(i64::MAX).saturating_mul(SECONDS_PER_HOUR);
    UserPoolEventCount {
        start_time: Some(Timestamp { seconds, nanos: 0 }),
        r#type: i32::try_from(event_type).unwrap_or_default(),
        count: i64::try_from(count).unwrap_or(i64::MAX),
    }
}
