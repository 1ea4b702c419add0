//! A domain: whose it is, and who had it before.

use chrono::{DateTime, Utc};
use maud::{Markup, html};
use serde_json::Value;

use crate::{
    console::{
        actor::Who,
        answer::{Answer, Command, Page, Section},
        event::{MAX_ID, correlation},
        failure::Failure,
        filter,
        kind::kind_of,
        layout::{NEWEST_OLDER, pager},
        names::Names,
        plot::{self, Lane, Mark},
        text::{age, printable, shorten, time},
        url::{Query, Route},
        visit::Visit,
    },
    proto::{
        self, DescribeUserPoolDomainRequest, DomainDescription, UserPoolEvent, UserPoolEventFilter,
    },
};

/// How many events a page has.
const PAGE_SIZE: i32 = 30;
/// The longest name of a lane.
const MAX_LANE_NAME: usize = 26;

pub(super) async fn page(visit: &Visit, name: &str) -> Result<Answer, Failure> {
    let request = DescribeUserPoolDomainRequest {
        domain: Some(name.to_owned()),
        ..DescribeUserPoolDomainRequest::default()
    };
    let described = visit.calls.describe_user_pool_domain(request).await?;
    let of_domain =
        UserPoolEventFilter { domain: Some(name.to_owned()), ..UserPoolEventFilter::default() };
    let list = visit.calls.newest_events(of_domain, PAGE_SIZE, visit.token()).await?;
    if visit.wants_json {
        // The members of both answers, whose names differ.
        let (mut json, events) = (proto::to_json(&described)?, proto::to_json(&list)?);
        if let (Some(members), Value::Object(events)) = (json.as_object_mut(), events) {
            members.extend(events);
        }
        return Ok(Answer::Json(json));
    }
    let names = Names::of(&visit.calls, &list.events).await;
    let next = Some(list.next_page_token.as_str()).filter(|token| !token.is_empty());
    let owner = described.domain_description.filter(|domain| domain.user_pool_id.is_some());
    let body = html! {
        p.crumbs {
            a href=(Route::Domains.path()) { "Domains" } " " span { "/" } " " span { (printable(name)) }
        }
        div.head { div {
            h1.mono { (printable(name)) }
            p.sub { (owned_by(owner.as_ref(), &names)) }
        } }
        @if let Some(owner) = &owner { (settings(owner)) }
        (plot(name, &list.events, next.is_none(), &names, visit))
        section.panel {
            header { h2 { "Who had it" } }
            @if list.events.is_empty() {
                @if next.is_some() { (filter::nothing(visit, false)) }
                @else { p.pad { "No user pool has ever had this domain." } }
            } @else {
                (event_table(&list.events, &names, visit))
            }
            (pager(&visit.route, &visit.query, next, "", NEWEST_OLDER))
        }
    };
    let events_command = Command::new(&["events"]).option("--domain", Some(name));
    Ok(Answer::Page(Page {
        restore: None,
        scripts: Vec::new(),
        title: format!("Domain {}", printable(name)),
        section: Section::Domains,
        body,
        commands: vec![Command::new(&["domain", "describe", name]), events_command],
    }))
}

fn owned_by(owner: Option<&DomainDescription>, names: &Names) -> Markup {
    let pool = owner.and_then(|owner| owner.user_pool_id.as_deref());
    html! {
        @match pool {
            Some(pool) => span {
                "It belongs to user pool "
                a href=(Route::Pool(pool.to_owned()).path()) { b { (names.name(pool)) } } " "
                span."mono small" { (printable(pool)) }
            },
            None => span { "No user pool has it now." },
        }
    }
}

/// Who had the domain when, a lane for each user pool.
fn plot(
    name: &str,
    events: &[UserPoolEvent],
    is_whole: bool,
    names: &Names,
    visit: &Visit,
) -> Markup {
    let held = held(name, events, visit.now);
    let first = events.last().and_then(|event| event.record_time).and_then(proto::to_date_time);
    let Some(first) = first.filter(|first| *first < visit.now && !held.is_empty()) else {
        return html! {};
    };
    let whole = (visit.now - first).num_milliseconds().max(1);
    let place = |at: DateTime<Utc>| ((at - first).num_milliseconds() * 1000 / whole).clamp(0, 1000);
    let mut lanes: Vec<(String, Lane)> = Vec::new();
    for Held { pool, since, until, revision } in held {
        let query = Query::default().set("at", revision.to_string());
        let day = |at: DateTime<Utc>| at.format("%-d %b %Y %H:%M:%S UTC").to_string();
        let end = until.map_or_else(|| "now".to_owned(), day);
        let mark = Mark {
            start: place(since),
            end: place(until.unwrap_or(visit.now)),
            class: if until.is_some() { "domain-deleted" } else { "domain-created" },
            label: format!("{}, {} to {end}", names.name(&pool), day(since)),
            address: Route::History(pool.clone()).with(&query),
        };
        if let Some((_, lane)) = lanes.iter_mut().find(|(other, _)| *other == pool) {
            lane.marks.push(mark);
        } else {
            let name = shorten(&names.name(&pool), MAX_LANE_NAME);
            lanes.push((pool, Lane { name, marks: vec![mark] }));
        }
    }
    let start = first.format("%-d %b %Y").to_string();
    let start = if is_whole { start } else { format!("{start}, and before") };
    let lanes: Vec<_> = lanes.into_iter().map(|(_, lane)| lane).collect();
    plot::lanes("Who had this domain when", (&start, "now"), &lanes)
}

/// A time for which a user pool had the domain.
struct Held {
    pool: String,
    since: DateTime<Utc>,
    until: Option<DateTime<Utc>>,
    /// The revision that assigned it.
    revision: i64,
}

/// The times for which user pools had a domain, the oldest first.
fn held(name: &str, events: &[UserPoolEvent], now: DateTime<Utc>) -> Vec<Held> {
    let mut all: Vec<Held> = Vec::new();
    for event in events.iter().rev() {
        let at = event.record_time.and_then(proto::to_date_time).unwrap_or(now);
        for change in event.changes.iter().filter(|change| is_domain(&change.path)) {
            let (old, new) = (change.old_value.as_deref(), change.new_value.as_deref());
            let pool = &event.user_pool_id;
            if old == Some(name) && new != Some(name) {
                let open = all.iter_mut().find(|held| held.pool == *pool && held.until.is_none());
                if let Some(held) = open {
                    held.until = Some(at);
                }
            } else if new == Some(name) && old != Some(name) {
                let (pool, revision) = (pool.clone(), event.revision);
                all.push(Held { pool, since: at, until: None, revision });
            }
        }
    }
    all
}

/// Whether a change of this path assigns or removes a domain.
pub(super) fn is_domain(path: &str) -> bool {
    matches!(path, "domain" | "custom_domain")
}

/// What the domain is set to, beyond its owner.
fn settings(domain: &DomainDescription) -> Markup {
    let certificate = domain.custom_domain_config.as_ref();
    let arn = certificate.and_then(|config| config.certificate_arn.as_deref());
    html! {
        @if arn.is_some() || domain.managed_login_version.is_some() {
            dl."set panel" {
                @if let Some(arn) = arn { dt { "Certificate" } dd { code { (printable(arn)) } } }
                @if let Some(version) = domain.managed_login_version {
                    dt { "Login pages" } dd { "version " (version) }
                }
            }
        }
    }
}

fn event_table(events: &[UserPoolEvent], names: &Names, visit: &Visit) -> Markup {
    html! {
        div.scroll tabindex="0" role="region" aria-labelledby="cap" {
            table.stack {
                caption.vh #cap { "Events of this domain, the newest first" }
                thead { tr {
                    th scope="col" { "Time" }
                    th scope="col" { "Type" }
                    th scope="col" { "Pool" }
                    th scope="col" { "By" }
                    th scope="col" { "Correlation ID" }
                    th scope="col" { "Pool" span.vh { " before" } }
                } }
                tbody { @for event in events { (event_row(event, names, visit)) } }
            }
        }
    }
}

fn event_row(event: &UserPoolEvent, names: &Names, visit: &Visit) -> Markup {
    let kind = kind_of(event.r#type());
    let previous = event.revision.checked_sub(1).filter(|revision| *revision > 0);
    let at = |revision: i64| {
        let at = Query::default().set("at", revision.to_string());
        Route::Pool(event.user_pool_id.clone()).with(&at)
    };
    html! {
        tr {
            td."nowrap small" {
                (time(event.record_time, visit.now)) (age(event.record_time, visit.now))
            }
            td { span.type.(kind.class) { (kind.icon.show()) (kind.word) } }
            td.wide { (names.show(event)) }
            td."small wide" { (Who::of(event.actor.as_ref()).show()) }
            td."mono small nowrap" { (correlation(event, MAX_ID)) }
            td."small nowrap" {
                @if let Some(before) = previous {
                    a href=(at(before)) { "as it was before" }
                }
            }
        }
    }
}
