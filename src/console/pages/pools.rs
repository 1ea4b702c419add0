//! The list of user pools.

use maud::{Markup, html};

use crate::{
    console::{
        answer::{Answer, Command, Page, Section},
        failure::Failure,
        layout::{FIRST_NEXT, pager},
        text::{count, printable},
        url::{Query, Route},
        visit::Visit,
    },
    proto::{
        self, DeletedUserPools, DescribeLogRequest, ListUserPoolsRequest, ListUserPoolsResponse,
        UserPoolDescription, UserPoolFilter,
    },
};

use super::{
    found_pools::{changed_since, with_id_or_domain},
    pool_rows::{look_up, table},
};

/// How many user pools a page has.
const PAGE_SIZE: i32 = 50;
const MAX_ROWS: usize = 50;

/// The choices of the form for the time of the last change.
const CHANGED: [(&str, &str); 4] =
    [("", "any time"), ("24h", "last 24 hours"), ("7d", "last 7 days"), ("28d", "last 28 days")];

/// The values of the parameter for deleted user pools and those without a domain, with their
/// words in the form.
const STATES: [(&str, &str); 4] = [
    ("", "not deleted"),
    ("deleted", "deleted"),
    ("all", "deleted or not"),
    ("no-domain", "without a domain"),
];

pub(super) async fn page(visit: &Visit) -> Result<Answer, Failure> {
    let filter = filter(visit)?;
    let list = match visit.since()? {
        Some(since) => changed_since(visit, since, &filter).await?,
        None => listed(visit, &filter).await?,
    };
    if visit.wants_json {
        return Ok(Answer::Json(proto::to_json(&list)?));
    }
    let rows = look_up(visit, &list.user_pools).await;
    let log = visit.calls.describe_log(DescribeLogRequest::default()).await?;
    let (pools, domains) = (log.user_pool_count, log.domain_count);
    let next = list.next_token.as_deref();
    let shown = i64::try_from(rows.len()).unwrap_or(i64::MAX);
    let shown = count(shown, "user pool on this page", "user pools on this page");
    let body = html! {
        div.head {
            div {
                h1 { "User pools" }
                p.sub { (count(pools, "pool", "pools")) ", " (count(domains, "domain", "domains")) }
            }
            div.actions {
                a.button href=(Route::Pools.with(&Query::default().set("state", "deleted"))) {
                    "Deleted pools"
                }
            }
        }
        (form(visit))
        section.panel {
            @if rows.is_empty() { (nothing(&filter, visit, next.is_none())) }
            @else { (table(&rows, visit)) }
            (pager(&visit.route, &visit.fixed_query(), next, &shown, FIRST_NEXT))
        }
    };
    Ok(Answer::Page(Page {
        restore: None,
        scripts: Vec::new(),
        title: "User pools".to_owned(),
        section: Section::Pools,
        body,
        commands: vec![command(&filter, visit)],
    }))
}

/// A page of the server's list. The first one also has what begins with `q` otherwise than by name.
async fn listed(visit: &Visit, filter: &UserPoolFilter) -> Result<ListUserPoolsResponse, Failure> {
    let request = ListUserPoolsRequest {
        max_results: Some(PAGE_SIZE),
        next_token: Some(visit.token().to_owned()).filter(|token| !token.is_empty()),
        filter: Some(filter.clone()).filter(|filter| *filter != UserPoolFilter::default()),
        ..ListUserPoolsRequest::default()
    };
    let mut list = visit.calls.list_user_pools(request).await?;
    if let Some(text) = filter.name_prefix.as_deref().filter(|_| visit.token().is_empty()) {
        let others = with_id_or_domain(visit, text, filter).await?;
        let is_new =
            |pool: &UserPoolDescription| list.user_pools.iter().all(|other| other.id != pool.id);
        let room = MAX_ROWS.saturating_sub(list.user_pools.len());
        let others: Vec<_> = others.into_iter().filter(is_new).take(room).collect();
        list.user_pools.extend(others);
    }
    Ok(list)
}

/// Reads the filter from the address: `q` is the beginning of a name, or a tag.
fn filter(visit: &Visit) -> Result<UserPoolFilter, Failure> {
    let q = visit.query.get("q");
    let (name, tag) = match q {
        Some(text) if text.contains('=') => (None, q),
        _ => (q, visit.query.get("tag")),
    };
    let (tag_key, tag_value) = match tag.map(|tag| tag.split_once('=').ok_or(tag)) {
        Some(Ok((key, value))) => (Some(key), Some(value)),
        Some(Err(key)) => (Some(key), None),
        None => (None, None),
    };
    let state = visit.query.get("state").unwrap_or_default();
    if !STATES.iter().any(|(name, _)| *name == state) {
        let names = STATES.map(|(name, _)| name);
        let names: Vec<_> = names.into_iter().filter(|name| !name.is_empty()).collect();
        let names = names.join(", ");
        let expected = format!("must be one of {names}");
        return Err(Failure::Parameter { name: "state", value: state.to_owned(), expected });
    }
    let deleted = match state {
        "deleted" => DeletedUserPools::Only,
        "all" => DeletedUserPools::Included,
        _ => DeletedUserPools::Unspecified,
    };
    Ok(UserPoolFilter {
        name_prefix: name.map(str::to_owned),
        tag_key: tag_key.map(str::to_owned),
        tag_value: tag_value.map(str::to_owned),
        domain_prefix: visit.query.get("domain").map(str::to_owned),
        no_domain: state == "no-domain",
        deleted: deleted.into(),
        ..UserPoolFilter::default()
    })
}

/// The same as a command. It lists the pages before a page as well.
fn command(filter: &UserPoolFilter, visit: &Visit) -> Command {
    let tag = filter.tag_key.as_ref().map(|key| match &filter.tag_value {
        Some(value) => format!("{key}={value}"),
        None => key.clone(),
    });
    let domain = filter.domain_prefix.as_ref().map(|prefix| format!("{prefix}*"));
    let deleted = match filter.deleted() {
        DeletedUserPools::Only => Some("--deleted"),
        DeletedUserPools::Included => Some("--all"),
        DeletedUserPools::Unspecified | DeletedUserPools::Excluded => None,
    };
    if let Some(since) = visit.query.get("since") {
        return Command::new(&["events"]).option("--since", Some(since));
    }
    let is_first = visit.token().is_empty();
    Command::new(if is_first { &["list", "--limit", "50"] } else { &["list"] })
        .option("--name", filter.name_prefix.as_deref())
        .option("--tag", tag.as_deref())
        .option("--domain", domain.as_deref())
        .flag(filter.no_domain.then_some("--no-domain"))
        .flag(deleted)
}

fn form(visit: &Visit) -> Markup {
    let value = |name: &str| printable(visit.query.get(name).unwrap_or_default());
    let state = visit.query.get("state").unwrap_or_default();
    html! {
        form.filters method="get" {
            label.vh for="q" { "An ID, the beginning of a name or a domain, or a tag as key=value" }
            input.grow #q name="q" value=(value("q")) autocomplete="off" spellcheck="false"
                placeholder="ID, beginning of a name or domain, or tag=value";
            @if let Some(tag) = visit.query.get("tag") {
                label.field { "tag " input name="tag" value=(printable(tag)) size="16"; }
            }
            label.field { "domain " input name="domain" value=(value("domain")) size="14"
                placeholder="begins with" autocomplete="off" spellcheck="false"; }
            label.field { "show " select name="state" {
                @for (name, word) in STATES {
                    option value=(name) selected[name == state] { (word) }
                }
            } }
            (changed(visit))
            button { "Find" }
            @if visit.query.has_any(&["q", "tag", "domain", "state", "since"]) {
                a.button href=(Route::Pools.path()) { "Clear" }
            }
        }
    }
}

fn changed(visit: &Visit) -> Markup {
    let since = visit.query.get("since").unwrap_or_default();
    let is_choice = CHANGED.iter().any(|(age, _)| *age == since);
    html! {
        label.field { "changed " select name="since" {
            @for (age, words) in CHANGED { option value=(age) selected[age == since] { (words) } }
            @if !is_choice { option value=(printable(since)) selected { "since " (printable(since)) } }
        } }
    }
}

fn nothing(filter: &UserPoolFilter, visit: &Visit, is_complete: bool) -> Markup {
    let is_filtered = *filter != UserPoolFilter::default() || visit.query.get("since").is_some();
    let all = Query::default().set("state", "all");
    html! {
        div.pad {
            @if !is_complete {
                p { "No user pool matches among those that the server looked at so far; it goes on \
                     on the next page." }
            } @else if is_filtered {
                p { "No user pool matches. Upper and lower case differ in names. "
                    a href=(Route::Pools.path()) { "Show all" }
                    @if filter.deleted() == DeletedUserPools::Unspecified {
                        ", or " a href=(Route::Pools.with(&all)) { "deleted ones as well" }
                    }
                    "." }
            } @else {
                p { "There are no user pools yet. Create one:" }
                pre.cmd tabindex="0" role="region" aria-label="Command" { "echo '{\"PoolName\": \"customers\"}' | userpool create -" }
            }
        }
    }
}
