//! The log of all user pools, the newest event first.

use maud::{Markup, html};

use crate::{
    console::{
        answer::{Answer, Command, Page, Section},
        assets::LIVE_SCRIPT,
        event::{row, type_choice},
        failure::Failure,
        filter,
        layout::{NEWEST_OLDER, pager},
        names::Names,
        url::Route,
        visit::Visit,
    },
    proto::{self, DescribeLogRequest},
};

use super::activity;

/// How many events a page has.
const PAGE_SIZE: i32 = 40;
/// The parameters whose fields are folded unless they are in use.
const RARE: [&str; 5] = ["address", "pool", "domain", "correlation", "request"];

pub(super) async fn page(visit: &Visit) -> Result<Answer, Failure> {
    let pool = visit.query.get("pool");
    let events = visit.calls.newest_events(filter::events(visit, pool)?, PAGE_SIZE, visit.token());
    let list = events.await?;
    if visit.wants_json {
        return Ok(Answer::Json(proto::to_json(&list)?));
    }
    let next = Some(list.next_page_token.as_str()).filter(|token| !token.is_empty());
    let shown = match (list.events.first(), list.events.last()) {
        (Some(newest), Some(oldest)) => {
            format!("{} to {} of {}", newest.position, oldest.position, list.head_position)
        }
        _ => String::new(),
    };
    let names = Names::of(&visit.calls, &list.events).await;
    let log = visit.calls.describe_log(DescribeLogRequest::default()).await?;
    let log_id = log.head.map(|head| head.log_id).unwrap_or_default();
    let live = stream_address(visit, list.head_position, &log_id);
    let plot = activity::plot(visit).await?;
    let body = html! {
        div.head {
            div {
                h1 { "Log" }
                p.sub {
                    span { "Every change of every user pool, the newest first" }
                    @if let Some(live) = &live { (live_state(live)) }
                }
            }
            div.actions {
                (live_switch(visit))
                a.button download="events.jsonl"
                    href=(Route::Export.with(&visit.query.clone().first_page().without("live"))) {
                    "Export"
                }
            }
        }
        (plot)
        (filter::folded(visit, "pool", &form(visit)))
        @if live.is_some() { p.waiting { button.primary data-waiting hidden {} } }
        section.panel {
            @if list.events.is_empty() && live.is_none() {
                (filter::nothing(visit, next.is_none()))
            } @else {
                @if list.events.is_empty() {
                    div data-empty { (filter::nothing(visit, next.is_none())) }
                }
                div.scroll tabindex="0" role="region" aria-labelledby="cap" {
                    table."stack log" {
                        caption.vh #cap { "Events, the newest first" }
                        thead { tr {
                            th.num scope="col" { "Position" }
                            th scope="col" { "Time" }
                            th scope="col" { "Type" }
                            th scope="col" { "Pool" }
                            th scope="col" { "Changed" }
                            th scope="col" { "By" }
                            th scope="col" { "Correlation ID" }
                        } }
                        tbody data-rows { @for event in &list.events { (row(event, &names, visit.now)) } }
                    }
                }
            }
            (pager(&visit.route, &visit.fixed_query(), next, &shown, NEWEST_OLDER))
        }
    };
    let command = Command::new(&["events", "--limit", "40"]).option("--pool", pool);
    Ok(Answer::Page(Page {
        restore: None,
        scripts: if live.is_some() { vec![&LIVE_SCRIPT] } else { Vec::new() },
        title: "Log".to_owned(),
        section: Section::Log,
        body,
        commands: vec![filter::options(visit, command, &list.events, None)],
    }))
}

/// The address of the stream of what comes next, unless the page does not show the newest events.
fn stream_address(visit: &Visit, position: i64, log_id: &str) -> Option<String> {
    if visit.query.has_any(&["after", "until", "live"]) {
        return None;
    }
    let query = visit.query.clone().without("since").set("after", position.to_string());
    let query = if log_id.is_empty() { query } else { query.set("log", log_id) };
    Some(Route::Live.with(&query))
}

/// Whether the page follows the log, in words that a script keeps true.
fn live_state(stream: &str) -> Markup {
    html! {
        span.chip data-stream=(stream) data-live="off" {
            span.dot aria-hidden="true" {}
            span role="status" tabindex="-1" data-state { "not live: no script runs here" }
        }
    }
}

fn live_switch(visit: &Visit) -> Markup {
    let query = || visit.query.clone();
    html! {
        @if visit.query.get("live").is_some() {
            a.button href=(visit.route.with(&query().without("live"))) { "Follow" }
        } @else if !visit.query.has_any(&["after", "until"]) {
            a.button href=(visit.route.with(&query().set("live", "off"))) { "Pause" }
        }
    }
}

fn form(visit: &Visit) -> Markup {
    html! {
        form.filters method="get" {
            (type_choice(&visit.query))
            (filter::field(visit, "actor", "by", 16, "alice, spiffe://**"))
            (filter::field(visit, "since", "since", 10, "24h"))
            (filter::field(visit, "until", "until", 10, "2026-11-17"))
            details.more open[visit.query.has_any(&RARE)] {
                summary { "more" }
                (filter::field(visit, "address", "from", 12, "10.0.0.0/8"))
                (filter::field(visit, "pool", "pool", 18, "any ID"))
                (filter::field(visit, "domain", "domain", 12, "any"))
                (filter::field(visit, "correlation", "correlation ID", 14, "any"))
                (filter::field(visit, "request", "request ID", 14, "any"))
            }
            button { "Filter" }
            @if visit.query.has_any(&filter::PARAMETERS) || visit.query.get("pool").is_some() {
                a.button href=(visit.route.path()) { "Clear" }
            }
        }
    }
}
