//! The history of a user pool: a timeline by day, the newest event first.

use maud::{Markup, html};

use crate::{
    console::{
        answer::{Answer, Command, Page, Section},
        event::{COMPARE_FORM, article, type_choice},
        failure::Failure,
        filter,
        layout::{NEWEST_OLDER, pager},
        state::{State, Tab},
        text::{date, day},
        url::Route,
        visit::Visit,
    },
    proto::{self, UserPoolEvent},
};

use super::strip;

/// How many events a page has.
const PAGE_SIZE: i32 = 20;

pub(super) async fn page(visit: &Visit, id: &str) -> Result<Answer, Failure> {
    let mut wanted = filter::events(visit, Some(id))?;
    let pool = State::now(visit, id).await?;
    let mut end = None;
    if let Some(point) = visit.point("at")? {
        // The timeline begins with the event at this point.
        let last = visit.calls.pool_at(id, Some(point.as_of(visit.now))).await?;
        let ends = [filter::just_after(last.record_time), wanted.end_time];
        end = ends.into_iter().flatten().min_by_key(|at| (at.seconds, at.nanos));
        wanted.end_time = end;
    }
    let list = visit.calls.newest_events(wanted, PAGE_SIZE, visit.token()).await?;
    if visit.wants_json {
        return Ok(Answer::Json(proto::to_json(&list)?));
    }
    let next = Some(list.next_page_token.as_str()).filter(|token| !token.is_empty());
    let shown = match (list.events.first(), list.events.last()) {
        (Some(newest), Some(oldest)) => {
            format!("revisions {} to {} of {}", newest.revision, oldest.revision, pool.revision)
        }
        _ => String::new(),
    };
    let plot = strip::plot(visit, id).await?;
    let body = html! {
        (pool.head(Tab::History, visit.now))
        (plot)
        (filter::folded(visit, "at", &form(visit)))
        @if list.events.is_empty() {
            section.panel { (filter::nothing(visit, next.is_none())) }
        }
        @if list.events.len() > 1 { (comparison(id)) }
        (timeline(&list.events, visit))
        (pager(&visit.route, &visit.fixed_query(), next, &shown, NEWEST_OLDER))
    };
    let command = Command::new(&["history", id, "--reverse", "--limit", "20"]);
    Ok(Answer::Page(Page {
        restore: None,
        scripts: Vec::new(),
        title: format!("History of {}", pool.name()),
        section: Section::Pools,
        body,
        commands: vec![filter::options(visit, command, &list.events, end)],
    }))
}

fn timeline(events: &[UserPoolEvent], visit: &Visit) -> Markup {
    let days = events.chunk_by(|one, other| date(one.record_time) == date(other.record_time));
    html! {
        @for events in days {
            @if let Some(date) = events.first().and_then(|event| date(event.record_time)) {
                h2.day { (day(date)) span.muted { " UTC" } }
            }
            div.rail { @for event in events { (article(event, visit.now)) } }
        }
    }
}

/// The button for the events that are marked, which have their boxes.
fn comparison(id: &str) -> Markup {
    html! {
        form."filters no-print" #(COMPARE_FORM) action=(Route::Diff(id.to_owned()).path()) {
            button { "Compare the marked revisions" }
            span."small muted" { "two with each other, or one with the latest" }
        }
    }
}

fn form(visit: &Visit) -> Markup {
    html! {
        form.filters method="get" {
            (type_choice(&visit.query))
            (filter::field(visit, "actor", "by", 18, "alice, spiffe://**"))
            (filter::field(visit, "since", "since", 10, "7d"))
            (filter::field(visit, "until", "until", 10, "2026-11-17"))
            button { "Filter" }
            @if visit.query.has_any(&filter::PARAMETERS) || visit.query.get("at").is_some() {
                a.button href=(visit.route.path()) { "Clear" }
            }
        }
    }
}
