//! A domain: whose it is, and who had it before.

use maud::{Markup, html};
use serde_json::Value;

use crate::{
    console::{
        actor::Who,
        answer::{Answer, Command, Page, Section},
        failure::Failure,
        filter,
        kind::kind_of,
        layout::pager,
        text::{age, printable, time},
        url::{Query, Route},
        visit::Visit,
    },
    proto::{
        self, DescribeUserPoolDomainRequest, DomainDescription, UserPoolEvent, UserPoolEventFilter,
    },
};

/// How many events a page has.
const PAGE_SIZE: i32 = 40;

pub(super) async fn page(visit: &Visit, name: &str) -> Result<Answer, Failure> {
    let request = DescribeUserPoolDomainRequest {
        domain: Some(name.to_owned()),
        ..DescribeUserPoolDomainRequest::default()
    };
    let described = visit.calls.describe_user_pool_domain(request).await?;
    let trail =
        UserPoolEventFilter { domain: Some(name.to_owned()), ..UserPoolEventFilter::default() };
    let list = visit.calls.newest_events(trail, PAGE_SIZE, visit.token()).await?;
    if visit.wants_json {
        // The members of both answers, whose names differ.
        let (mut json, events) = (proto::to_json(&described)?, proto::to_json(&list)?);
        if let (Some(members), Value::Object(events)) = (json.as_object_mut(), events) {
            members.extend(events);
        }
        return Ok(Answer::Json(json));
    }
    let next = Some(list.next_page_token.as_str()).filter(|token| !token.is_empty());
    let owner = described.domain_description.filter(|domain| domain.user_pool_id.is_some());
    let body = html! {
        p.crumbs {
            a href=(Route::Domains.path()) { "Domains" } " " span { "/" } " " span { (printable(name)) }
        }
        div.head { div {
            h1.mono { (printable(name)) }
            p.sub { (owned_by(owner.as_ref())) }
        } }
        @if let Some(owner) = &owner { (settings(owner)) }
        section.panel {
            header { h2 { "Who had it" } }
            @if list.events.is_empty() {
                @if next.is_some() { (filter::nothing(visit, false)) }
                @else { p.pad { "No user pool has ever had this domain." } }
            } @else {
                (trail_table(&list.events, visit))
            }
            (pager(&visit.route, &visit.query, next, "", ("Newest", "Older")))
        }
    };
    let of_domain = Command::new(&["events"]).option("--domain", Some(name));
    Ok(Answer::Page(Page {
        restore: None,
        scripts: Vec::new(),
        title: format!("Domain {}", printable(name)),
        section: Section::Domains,
        body,
        commands: vec![Command::new(&["domain", "describe", name]), of_domain],
    }))
}

fn owned_by(owner: Option<&DomainDescription>) -> Markup {
    let pool = owner.and_then(|owner| owner.user_pool_id.as_deref());
    html! {
        @match pool {
            Some(pool) => span {
                "It belongs to user pool "
                a.mono href=(Route::Pool(pool.to_owned()).path()) { (printable(pool)) }
            },
            None => span { "No user pool has it now." },
        }
    }
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

fn trail_table(events: &[UserPoolEvent], visit: &Visit) -> Markup {
    html! {
        div.scroll tabindex="0" role="region" aria-labelledby="cap" {
            table.stack {
                caption.vh #cap { "Events of this domain, the newest first" }
                thead { tr {
                    th scope="col" { "Time" }
                    th scope="col" { "Type" }
                    th scope="col" { "Pool" }
                    th scope="col" { "By" }
                } }
                tbody { @for event in events { (trail_row(event, visit)) } }
            }
        }
    }
}

fn trail_row(event: &UserPoolEvent, visit: &Visit) -> Markup {
    let kind = kind_of(event.r#type());
    let (pool, revision) = (&event.user_pool_id, event.revision.to_string());
    let at = Query::default().set("at", revision.as_str());
    html! {
        tr {
            td."nowrap small" {
                (time(event.record_time, visit.now)) br;
                span.muted { (age(event.record_time, visit.now)) }
            }
            td { span.type.(kind.class) { (kind.icon.show()) (kind.word) } }
            td.wide {
                a.mono href=(Route::Pool(pool.clone()).path()) { (printable(pool)) } " "
                a."at small muted" href=(Route::History(pool.clone()).with(&at)) { "r" (revision) }
            }
            td."small wide" { (Who::of(event.actor.as_ref()).show()) }
        }
    }
}
