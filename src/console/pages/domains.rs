//! The domains in use: whose they are, since when, and who assigned them.

use futures_util::{
    FutureExt as _, StreamExt as _,
    future::{self, BoxFuture},
    stream,
};
use maud::{Markup, html};
use tonic::Status;

use crate::{
    console::{
        actor::Who,
        answer::{Answer, Command, Page, Section},
        calls::Calls,
        failure::Failure,
        icons::Icon,
        layout::{FIRST_NEXT, pager},
        text::{age, count, printable, time},
        url::{Query, Route},
        visit::Visit,
    },
    proto::{
        self, ListUserPoolDomainsRequest, ListUserPoolsRequest, UserPoolEvent, UserPoolEventFilter,
        UserPoolEventType, UserPoolFilter,
    },
};

use super::domain::is_domain;

/// How many domains a page has.
const PAGE_SIZE: i32 = 40;
/// How many rows are looked up at the same time.
const CONCURRENT: usize = 8;
/// How many of the newest domain events of a pool are looked at for the assignment.
const MAX_EVENTS: i32 = 20;

/// The types of events that can assign a domain.
const ASSIGNMENTS: [UserPoolEventType; 2] =
    [UserPoolEventType::UserPoolDomainCreated, UserPoolEventType::UserPoolRestored];

/// A domain and its user pool.
#[derive(Debug)]
struct Owned {
    domain: String,
    pool: String,
}

/// A row: what the page looked up about a domain.
#[derive(Debug)]
struct Row {
    owned: Owned,
    name: String,
    /// The event that assigned the domain, if it is among the newest ones of the pool.
    assigned: Option<UserPoolEvent>,
}

pub(super) async fn page(visit: &Visit) -> Result<Answer, Failure> {
    let prefix = visit.query.get("q");
    let (json, domains, next) = match prefix {
        Some(prefix) => with_prefix(visit, prefix).await?,
        None => all(visit).await?,
    };
    if visit.wants_json {
        return Ok(Answer::Json(json));
    }
    let rows = domains.into_iter().map(|owned| row(&visit.calls, owned)).collect::<Vec<_>>();
    let rows: Vec<_> = stream::iter(rows).buffered(CONCURRENT).collect().await;
    let rows = rows.into_iter().collect::<Result<Vec<_>, _>>()?;
    let shown = number_of(rows.len());
    let body = html! {
        div.head { div { h1 { "Domains" } p.sub { "Those in use, by name" } } }
        form.filters method="get" {
            label.vh for="q" { "Domain begins with" }
            input.grow #q name="q" value=(printable(prefix.unwrap_or_default()))
                placeholder="Domain begins with …" autocomplete="off" spellcheck="false";
            button { "Find" }
            @if prefix.is_some() { a.button href=(Route::Domains.path()) { "Clear" } }
        }
        section.panel {
            @if rows.is_empty() {
                (nothing(prefix, next.is_none()))
            } @else {
                (table(&rows, visit))
            }
            (pager(&visit.route, &visit.query, next.as_deref(), &shown, FIRST_NEXT))
        }
    };
    let command = match prefix {
        Some(prefix) => Command::new(&["list"]).option("--domain", Some(&format!("{prefix}*"))),
        None => Command::new(&["domain", "list"]),
    };
    let (title, section) = ("Domains".to_owned(), Section::Domains);
    Ok(Answer::Page(Page {
        restore: None,
        scripts: Vec::new(),
        title,
        section,
        body,
        commands: vec![command],
    }))
}

type Found = (serde_json::Value, Vec<Owned>, Option<String>);

async fn all(visit: &Visit) -> Result<Found, Failure> {
    let request = ListUserPoolDomainsRequest {
        max_results: Some(PAGE_SIZE),
        next_token: Some(visit.token().to_owned()).filter(|token| !token.is_empty()),
        ..ListUserPoolDomainsRequest::default()
    };
    let list = visit.calls.list_user_pool_domains(request).await?;
    let json = proto::to_json(&list)?;
    let domains = list.domains.into_iter().map(|domain| Owned {
        domain: domain.domain.unwrap_or_default(),
        pool: domain.user_pool_id.unwrap_or_default(),
    });
    Ok((json, domains.collect(), list.next_token))
}

async fn with_prefix(visit: &Visit, prefix: &str) -> Result<Found, Failure> {
    let filter =
        UserPoolFilter { domain_prefix: Some(prefix.to_owned()), ..UserPoolFilter::default() };
    let request = ListUserPoolsRequest {
        max_results: Some(PAGE_SIZE),
        next_token: Some(visit.token().to_owned()).filter(|token| !token.is_empty()),
        filter: Some(filter),
        ..ListUserPoolsRequest::default()
    };
    let list = visit.calls.list_user_pools(request).await?;
    let json = proto::to_json(&list)?;
    let domains = list.user_pools.into_iter().flat_map(|pool| {
        let id = pool.id.unwrap_or_default();
        let domains = [pool.domain, pool.custom_domain].into_iter().flatten();
        let domains = domains.filter(|domain| domain.starts_with(prefix));
        domains.map(move |domain| Owned { domain, pool: id.clone() }).collect::<Vec<_>>()
    });
    Ok((json, domains.collect(), list.next_token))
}

/// Looks up a row.
fn row(calls: &Calls, owned: Owned) -> BoxFuture<'static, Result<Row, Status>> {
    let filter = UserPoolEventFilter {
        user_pool_id: Some(owned.pool.clone()),
        types: ASSIGNMENTS.map(i32::from).to_vec(),
        ..UserPoolEventFilter::default()
    };
    let events = calls.newest_events(filter, MAX_EVENTS, "");
    let described = calls.pool(&owned.pool);
    let row = async move {
        let (events, described) = future::join(events, described).await;
        let assigned = events?.events.into_iter().find(|event| assigns(event, &owned.domain));
        // The user pool may have been deleted since the list was read.
        let pool = described.ok().and_then(|found| found.user_pool);
        let name = pool.and_then(|pool| pool.name).unwrap_or_default();
        Ok(Row { owned, name, assigned })
    };
    row.boxed()
}

/// Whether an event assigned this domain.
fn assigns(event: &UserPoolEvent, domain: &str) -> bool {
    event
        .changes
        .iter()
        .any(|change| is_domain(&change.path) && change.new_value.as_deref() == Some(domain))
}

fn table(rows: &[Row], visit: &Visit) -> Markup {
    html! {
        div.scroll tabindex="0" role="region" aria-labelledby="cap" {
            table.stack {
                caption.vh #cap { "Domains" }
                thead { tr {
                    th scope="col" { "Domain" }
                    th scope="col" { "Pool" }
                    th scope="col" { "Since" }
                    th scope="col" { "By" }
                } }
                tbody { @for Row { owned, name, assigned } in rows { tr {
                    td.wide {
                        a."name mono" href=(Route::Domain(owned.domain.clone()).path()) {
                            (Icon::Link.show()) " " (printable(&owned.domain))
                        }
                    }
                    td.wide {
                        a href=(Route::Pool(owned.pool.clone()).path()) {
                            @if name.is_empty() { (printable(&owned.pool)) } @else { (printable(name)) }
                        }
                        span."id mono" { (printable(&owned.pool)) }
                    }
                    @match assigned {
                        Some(event) => {
                            td."nowrap small" {
                                (time(event.record_time, visit.now)) (age(event.record_time, visit.now))
                            }
                            td."small wide" { (Who::of(event.actor.as_ref()).show()) }
                        }
                        None => {
                            td."small muted" { "see its history" }
                            td {}
                        }
                    }
                } } }
            }
        }
    }
}

fn nothing(prefix: Option<&str>, is_complete: bool) -> Markup {
    let query = Query::default().set("domain", prefix.unwrap_or_default());
    html! {
        div.pad {
            @match prefix {
                Some(_) if !is_complete => p { "None on this page; go on with the next one." },
                Some(prefix) => p {
                    "No domain in use begins with " code { (printable(prefix)) } ". "
                    a href=(Route::Domains.path()) { "Show all domains" } ", or "
                    a href=(Route::Log.with(&query)) { "look for who had it before" } "."
                },
                None => p { "No user pool has a domain." },
            }
        }
    }
}

fn number_of(rows: usize) -> String {
    let rows = i64::try_from(rows).unwrap_or(i64::MAX);
    count(rows, "domain", "domains")
}
