//! The log of all user pools, the newest event first.

use maud::{Markup, html};

use crate::{
    console::{
        answer::{Answer, Command, Page, Section},
        event::{row, type_choice},
        failure::Failure,
        filter,
        layout::pager,
        visit::Visit,
    },
    proto,
};

/// How many events a page has.
const PAGE_SIZE: i32 = 40;

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
    let body = html! {
        div.head { div {
            h1 { "Log" }
            p.sub { "Every change of every user pool, the newest first" }
        } }
        (form(visit))
        section.panel {
            @if list.events.is_empty() {
                (filter::nothing(visit, next.is_none()))
            } @else {
                div.scroll tabindex="0" role="region" aria-labelledby="cap" {
                    table.stack {
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
                        tbody { @for event in &list.events { (row(event, visit.now)) } }
                    }
                }
            }
            (pager(&visit.route, &visit.fixed_query(), next, &shown, ("Newest", "Older")))
        }
    };
    let command = Command::new(&["events", "--limit", "40"]).option("--pool", pool);
    Ok(Answer::Page(Page {
        restore: None,
        title: "Log".to_owned(),
        section: Section::Log,
        body,
        commands: vec![filter::options(visit, command)],
    }))
}

fn form(visit: &Visit) -> Markup {
    html! {
        form.filters method="get" {
            (type_choice(&visit.query))
            (filter::field(visit, "actor", "by", 16, "alice, spiffe://**"))
            (filter::field(visit, "address", "from", 12, "10.0.0.0/8"))
            (filter::field(visit, "pool", "pool", 18, "any ID"))
            (filter::field(visit, "domain", "domain", 12, "any"))
            (filter::field(visit, "correlation", "correlation ID", 14, "any"))
            (filter::field(visit, "request", "request ID", 14, "any"))
            (filter::field(visit, "since", "since", 10, "24h"))
            (filter::field(visit, "until", "until", 10, "2026-11-17"))
            button { "Filter" }
            @if visit.query.has_any(&filter::PARAMETERS) || visit.query.get("pool").is_some() {
                a.button href=(visit.route.path()) { "Clear" }
            }
        }
    }
}
