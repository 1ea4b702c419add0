//! The plot of the log: how many events of each kind there were in each hour or day.

use chrono::{DateTime, DurationRound as _, TimeDelta, Utc};
use maud::{Markup, html};

use crate::{
    console::{
        failure::Failure,
        filter,
        kind::{kind_named, kind_of},
        plot::{Bar, CLASSES, bars, class_index},
        text::machine,
        url::Route,
        visit::Visit,
    },
    proto::{self, CountInterval, CountUserPoolEventsRequest, UserPoolEventCount},
};

/// How many days are shown if the address has no time.
const DAYS: i64 = 28;
/// The longest time in hours; a longer one is in days.
const MAX_HOURS: i64 = 72;
/// The most bars.
const MAX_BARS: i64 = 92;
/// The parameters of the filter that events are not counted by.
const UNCOUNTED: [&str; 6] = ["actor", "address", "correlation", "request", "domain", "pool"];

/// What is counted.
#[derive(Debug)]
struct Range {
    start: DateTime<Utc>,
    end: DateTime<Utc>,
    interval: CountInterval,
    width: TimeDelta,
}

/// The plot; nothing if the filter of the page is one that events are not counted by.
pub(super) async fn plot(visit: &Visit) -> Result<Markup, Failure> {
    if visit.query.has_any(&UNCOUNTED) {
        return Ok(html! {});
    }
    let Some(range) = range(visit)? else { return Ok(html! {}) };
    let request = CountUserPoolEventsRequest {
        start_time: Some(proto::to_timestamp(range.start)),
        end_time: Some(proto::to_timestamp(range.end)),
        interval: range.interval.into(),
        ..CountUserPoolEventsRequest::default()
    };
    // At most 92 bars of 11 types: one page has them all.
    let counted = visit.calls.count_user_pool_events(request).await?;
    let all = range.bars(visit, &counted.counts);
    if all.iter().all(|bar| bar.total() == 0) {
        return Ok(html! {});
    }
    let each = if range.interval == CountInterval::Hour { "hour" } else { "day" };
    let day = |at: DateTime<Utc>| at.format("%-d %B %Y").to_string();
    let last = range.end - TimeDelta::milliseconds(1);
    let title =
        format!("Events in each {each} of UTC by kind, {} to {}", day(range.start), day(last));
    Ok(bars(&title, &all))
}

/// The time of the page, in whole hours or days.
fn range(visit: &Visit) -> Result<Option<Range>, Failure> {
    let end = visit.until()?.and_then(proto::to_date_time).unwrap_or(visit.now);
    let start = visit.since()?.and_then(proto::to_date_time);
    let start = start.unwrap_or_else(|| end - TimeDelta::days(DAYS - 1));
    if start >= end {
        return Ok(None);
    }
    let is_short = end - start <= TimeDelta::hours(MAX_HOURS);
    let (interval, width) = if is_short {
        (CountInterval::Hour, TimeDelta::hours(1))
    } else {
        (CountInterval::Day, TimeDelta::days(1))
    };
    let down = |at: DateTime<Utc>| at.duration_trunc(width).unwrap_or(at);
    let floor = down(end);
    let end = if floor == end { end } else { floor + width };
    // The newest bars of a longer time.
    let longest = width * i32::try_from(MAX_BARS).unwrap_or(i32::MAX);
    Ok(Some(Range { start: down(start).max(end - longest), end, interval, width }))
}

impl Range {
    fn bars(&self, visit: &Visit, counts: &[UserPoolEventCount]) -> Vec<Bar> {
        let chosen: Vec<_> = filter::types(&visit.query).filter_map(kind_named).collect();
        let is_chosen = |count: &&UserPoolEventCount| {
            chosen.is_empty() || chosen.iter().any(|kind| kind.event_type == count.r#type())
        };
        let mut bars = Vec::new();
        let mut start = self.start;
        while start < self.end {
            let at = Some(proto::to_timestamp(start));
            let mut of_classes = [0; CLASSES.len()];
            for count in counts.iter().filter(|count| count.start_time == at).filter(is_chosen) {
                let class = class_index(kind_of(count.r#type()).class);
                if let Some(sum) = class.and_then(|class| of_classes.get_mut(class)) {
                    *sum += count.count;
                }
            }
            let end = start + self.width;
            let (since, until) = if self.interval == CountInterval::Day {
                // A date in "until" includes its day.
                let date = start.date_naive().to_string();
                (date.clone(), date)
            } else {
                (machine(start), machine(end))
            };
            let query = visit.query.clone().first_page().set("since", since);
            let address = Route::Log.with(&query.set("until", until));
            bars.push(Bar { label: self.label(start), address, counts: of_classes });
            start = end;
        }
        bars
    }

    fn label(&self, start: DateTime<Utc>) -> String {
        let format = if self.interval == CountInterval::Hour { "%-d %b %H h" } else { "%-d %b" };
        start.format(format).to_string()
    }
}
