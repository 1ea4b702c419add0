//! The shape of a user pool's history: what happened when, in two lanes.

use chrono::{DateTime, Utc};
use maud::{Markup, html};

use crate::{
    console::{
        failure::Failure,
        kind::kind_of,
        plot::{Lane, Mark, lanes},
        url::{Query, Route},
        visit::Visit,
    },
    proto::{self, UserPoolEvent, UserPoolEventFilter},
};

/// How many of the newest events are shown.
const MAX_EVENTS: i32 = 500;
/// How many places a lane has. Events in the same place are one mark.
const PLACES: i64 = 40;

/// The lanes, with their classes.
const LANES: [(&str, &[&str]); 2] = [
    ("settings", &["created", "updated", "deleted"]),
    ("domains", &["domain-created", "domain-deleted"]),
];

/// The events in one place of a lane; the newest of them says what it is.
struct Place {
    number: i64,
    class: &'static str,
    word: &'static str,
    newest: i64,
    time: DateTime<Utc>,
    count: i64,
}

/// The plot; nothing if there is only one event.
pub(super) async fn plot(visit: &Visit, id: &str) -> Result<Markup, Failure> {
    let filter =
        UserPoolEventFilter { user_pool_id: Some(id.to_owned()), ..UserPoolEventFilter::default() };
    let events = visit.calls.newest_events(filter, MAX_EVENTS, "").await?.events;
    let time = |event: Option<&UserPoolEvent>| {
        event.and_then(|event| event.record_time).and_then(proto::to_date_time)
    };
    let (Some(first), Some(last)) = (time(events.last()), time(events.first())) else {
        return Ok(html! {});
    };
    let whole = (last - first).num_milliseconds();
    if whole <= 0 {
        return Ok(html! {});
    }
    let all = LANES.map(|(name, classes)| {
        let mut places: Vec<Place> = Vec::new();
        for event in &events {
            let kind = kind_of(event.r#type());
            let Some(time) = time(Some(event)).filter(|_| classes.contains(&kind.class)) else {
                continue;
            };
            let number = (time - first).num_milliseconds() * PLACES / whole;
            let (class, word) = (kind.class, kind.word);
            match places.iter_mut().find(|other| other.number == number && other.class == class) {
                Some(other) => other.count += 1,
                None => {
                    places.push(Place {
                        number,
                        class,
                        word,
                        newest: event.revision,
                        time,
                        count: 1,
                    });
                }
            }
        }
        Lane { name: name.to_owned(), marks: places.iter().map(|place| place.mark(id)).collect() }
    });
    let day = |at: DateTime<Utc>| at.format("%-d %b %Y").to_string();
    Ok(lanes("The history of this user pool", (&day(first), &day(last)), &all))
}

impl Place {
    fn mark(&self, id: &str) -> Mark {
        let Self { number, class, word, newest, time, count } = self;
        let time = time.format("%-d %b %Y %H:%M:%S UTC");
        let more = if *count > 1 { format!(" and {} before", count - 1) } else { String::new() };
        let start = number * 1000 / PLACES * 98 / 100;
        Mark {
            start,
            end: start,
            class,
            label: format!("{word}, revision {newest}, {time}{more}"),
            address: Route::History(id.to_owned())
                .with(&Query::default().set("at", newest.to_string())),
        }
    }
}
