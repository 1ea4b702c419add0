//! The jump box: goes to the page of a pool ID, a name, a domain, a position, or the ID of an
//! event or a request.

use chrono::{DateTime, TimeDelta};
use maud::{Markup, html};
use prost_types::Timestamp;
use tonic::{Code, Status};

use crate::{
    console::{
        answer::{Answer, Command, Page, Section},
        failure::{Failure, has_reason},
        text::{printable, time},
        url::{Query, Route},
        visit::Visit,
    },
    proto::{
        self, DeletedUserPools, DescribeUserPoolDomainRequest, ListUserPoolEventsResponse,
        ListUserPoolsRequest, ListUserPoolsResponse, UserPoolDescription, UserPoolEvent,
        UserPoolEventFilter, UserPoolFilter,
    },
};

/// How many user pools with the name are listed.
const MAX_MATCHES: i32 = 50;
/// How many pages of events are searched for one with an ID.
const MAX_PAGES: usize = 20;

pub(super) async fn page(visit: &Visit) -> Result<Answer, Failure> {
    let Some(text) = visit.query.get("q") else {
        return Ok(Answer::Elsewhere(Route::Pools.path()));
    };
    if let Some(route) = find(visit, text).await? {
        return Ok(Answer::Elsewhere(route));
    }
    let list = named(visit, text).await?;
    // A name can have this character as well; otherwise it is a tag, as in the list of user pools.
    if list.user_pools.is_empty() && text.contains('=') {
        return Ok(Answer::Elsewhere(Route::Pools.with(&Query::default().set("q", text))));
    }
    if list.user_pools.is_empty() && may_have_been_domain(visit, text).await? {
        return Ok(Answer::Elsewhere(Route::Domain(text.to_owned()).path()));
    }
    if visit.wants_json {
        return Ok(Answer::Json(proto::to_json(&list)?));
    }
    if let [only] = list.user_pools.as_slice() {
        return Ok(Answer::Elsewhere(Route::Pool(only.id().to_owned()).path()));
    }
    let shown = printable(text);
    let body = html! {
        div.head { div {
            h1 { "Search for " (shown) }
            p.sub { "User pools, deleted or not, whose name begins with it" }
        } }
        section.panel {
            @if list.user_pools.is_empty() { (nothing(text)) }
            @else { (matches(&list.user_pools, visit)) }
        }
    };
    let command = Command::new(&["list"]).option("--name", Some(text));
    Ok(Answer::Page(Page {
        restore: None,
        scripts: Vec::new(),
        title: format!("Search for {shown}"),
        section: Section::Other,
        body,
        commands: vec![command.flag(Some("--all"))],
    }))
}

/// The address of the one thing that has exactly this name, if there is one.
async fn find(visit: &Visit, text: &str) -> Result<Option<String>, Failure> {
    if let Some(position) = text.strip_prefix('@').and_then(|text| text.parse().ok()) {
        let event = visit.calls.event_at(position).await?;
        return Ok(event.map(|event| {
            let at = Query::default().set("at", event.revision.to_string());
            Route::History(event.user_pool_id).with(&at)
        }));
    }
    if is_uuid(text) {
        return of_request(visit, text).await;
    }
    // As "userpool proof" takes an event.
    if let Some((pool, revision)) = text.rsplit_once(':')
        && pool.contains('_')
        && revision.parse::<u32>().is_ok()
    {
        let at = Query::default().set("at", revision);
        return Ok(Some(Route::History(pool.to_owned()).with(&at)));
    }
    if text.contains('_') {
        match visit.calls.pool(text).await {
            Ok(_) => return Ok(Some(Route::Pool(text.to_owned()).path())),
            Err(status) if has_reason(&status, "USER_POOL_DELETED") => {
                return Ok(Some(Route::Pool(text.to_owned()).path()));
            }
            Err(status) => unless_absent(status)?,
        }
    }
    let request = DescribeUserPoolDomainRequest {
        domain: Some(text.to_owned()),
        ..DescribeUserPoolDomainRequest::default()
    };
    match visit.calls.describe_user_pool_domain(request).await {
        Ok(found) => {
            let owner = found.domain_description.and_then(|domain| domain.user_pool_id);
            Ok(owner.map(|_| Route::Domain(text.to_owned()).path()))
        }
        Err(status) => unless_absent(status).map(|()| None),
    }
}

/// Whether a user pool had this domain, or may have had it: the newest events do not say. The
/// page of the domain goes on with the events before them.
async fn may_have_been_domain(visit: &Visit, text: &str) -> Result<bool, Failure> {
    let of_domain =
        UserPoolEventFilter { domain: Some(text.to_owned()), ..UserPoolEventFilter::default() };
    match visit.calls.newest_events(of_domain, 1, "").await {
        Ok(found) => Ok(may_have_events(&found)),
        Err(status) => unless_absent(status).map(|()| false),
    }
}

/// Whether a page has an event, or may have some on the next page.
fn may_have_events(page: &ListUserPoolEventsResponse) -> bool {
    !page.events.is_empty() || !page.next_page_token.is_empty()
}

/// Passes over an answer that says that there is no such thing, or that the text cannot be the
/// name of one.
fn unless_absent(status: Status) -> Result<(), Failure> {
    let is_absent = matches!(status.code(), Code::NotFound | Code::InvalidArgument);
    if is_absent { Ok(()) } else { Err(status.into()) }
}

/// The page of what a request changed, or of one event.
async fn of_request(visit: &Visit, id: &str) -> Result<Option<String>, Failure> {
    let of = |name: &str| Route::Log.with(&Query::default().set(name, id));
    let by_request =
        UserPoolEventFilter { request_id: Some(id.to_owned()), ..UserPoolEventFilter::default() };
    let by_correlation = UserPoolEventFilter {
        correlation_id: Some(id.to_owned()),
        ..UserPoolEventFilter::default()
    };
    let mut unsure = None;
    for (name, filter) in [("request", by_request), ("correlation", by_correlation)] {
        let found = visit.calls.newest_events(filter, 1, "").await?;
        if !found.events.is_empty() {
            return Ok(Some(of(name)));
        }
        if may_have_events(&found) {
            unsure.get_or_insert(name);
        }
    }
    let event = match around(id) {
        Some(times) => event_with_id(visit, id, times).await?,
        None => None,
    };
    Ok(match event {
        Some(event) => {
            let at = Query::default().set("at", event.revision.to_string());
            Some(Route::History(event.user_pool_id).with(&at))
        }
        // The page of the log goes on with the events before the newest.
        None => unsure.map(of),
    })
}

/// The event with this ID, among those that were recorded between two times.
async fn event_with_id(
    visit: &Visit,
    id: &str,
    (start_time, end_time): (Timestamp, Timestamp),
) -> Result<Option<UserPoolEvent>, Failure> {
    let filter = UserPoolEventFilter {
        start_time: Some(start_time),
        end_time: Some(end_time),
        ..UserPoolEventFilter::default()
    };
    let mut token = String::new();
    for _ in 0..MAX_PAGES {
        let page = visit.calls.newest_events(filter.clone(), 1000, &token).await?;
        let found = page.events.into_iter().find(|event| event.event_id.eq_ignore_ascii_case(id));
        if found.is_some() || page.next_page_token.is_empty() {
            return Ok(found);
        }
        token = page.next_page_token;
    }
    Ok(None)
}

/// The times around that in an ID that was made from the clock (UUID, version 7).
fn around(id: &str) -> Option<(Timestamp, Timestamp)> {
    let digits: String = id.chars().filter(|letter| *letter != '-').take(12).collect();
    let at = DateTime::from_timestamp_millis(i64::from_str_radix(&digits, 16).ok()?)?;
    let start = at.checked_sub_signed(TimeDelta::seconds(10))?;
    let end = at.checked_add_signed(TimeDelta::seconds(10))?;
    Some((proto::to_timestamp(start), proto::to_timestamp(end)))
}

fn is_uuid(text: &str) -> bool {
    let groups: Vec<_> = text.split('-').map(str::len).collect();
    groups == [8, 4, 4, 4, 12] && text.bytes().all(|byte| byte == b'-' || byte.is_ascii_hexdigit())
}

async fn named(visit: &Visit, text: &str) -> Result<ListUserPoolsResponse, Failure> {
    let filter = UserPoolFilter {
        name_prefix: Some(text.to_owned()),
        deleted: DeletedUserPools::Included.into(),
        ..UserPoolFilter::default()
    };
    let request = ListUserPoolsRequest {
        max_results: Some(MAX_MATCHES),
        filter: Some(filter),
        ..ListUserPoolsRequest::default()
    };
    match visit.calls.list_user_pools(request).await {
        Ok(list) => Ok(list),
        Err(status) => {
            unless_absent(status)?;
            Ok(ListUserPoolsResponse::default())
        }
    }
}

fn matches(pools: &[UserPoolDescription], visit: &Visit) -> Markup {
    html! {
        ul.pad { @for pool in pools {
            li {
                a href=(Route::Pool(pool.id().to_owned()).path()) { (printable(pool.name())) } " "
                span."mono small muted" { (printable(pool.id())) } " "
                @if pool.deletion_time.is_some() {
                    span."small deleted" { "deleted " (time(pool.deletion_time, visit.now)) }
                }
            }
        } }
    }
}

fn nothing(text: &str) -> Markup {
    html! {
        div.pad {
            p {
                "Nothing has the ID, the name, the domain or the position "
                code { (printable(text)) } ". Upper and lower case differ in names. Search for the \
                 beginning of a name, or look at "
                a href=(Route::Pools.path()) { "all user pools" } " or "
                a href=(Route::Log.path()) { "the log" } "."
            }
        }
    }
}
