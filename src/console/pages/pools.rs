//! The list of user pools.

use futures_util::{FutureExt as _, StreamExt as _, stream};
use maud::{Markup, html};

use crate::{
    console::{
        answer::{Answer, Command, Page, Section},
        failure::Failure,
        icons::Icon,
        layout::pager,
        text::{age, count, printable, shorten, time},
        url::{Query, Route},
        value::one_line,
        visit::Visit,
    },
    proto::{
        self, DeletedUserPools, DescribeLogRequest, ListUserPoolsRequest, UserPool,
        UserPoolDescription, UserPoolFilter, mfa_configuration,
    },
};

/// How many user pools a page has.
const PAGE_SIZE: i32 = 50;
/// How many of them are described at the same time.
const CONCURRENT: usize = 8;
/// How many tags a row shows.
const MAX_TAGS: usize = 2;
/// The longest tag in a row.
const MAX_TAG: usize = 32;

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
    let request = ListUserPoolsRequest {
        max_results: Some(PAGE_SIZE),
        next_token: Some(visit.token().to_owned()).filter(|token| !token.is_empty()),
        filter: Some(filter.clone()).filter(|filter| *filter != UserPoolFilter::default()),
        ..ListUserPoolsRequest::default()
    };
    let list = visit.calls.list_user_pools(request).await?;
    if visit.wants_json {
        return Ok(Answer::Json(proto::to_json(&list)?));
    }
    let rows = list.user_pools.into_iter().map(|listed| {
        let described = visit.calls.pool(listed.id());
        // Deleted ones cannot be described; the list has what is known of them.
        described
            .map(|described| (listed, described.ok().and_then(|found| found.user_pool)))
            .boxed()
    });
    let rows: Vec<_> = stream::iter(rows.collect::<Vec<_>>()).buffered(CONCURRENT).collect().await;
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
            @if rows.is_empty() { (nothing(&filter, next.is_none())) }
            @else { (table(&rows, visit)) }
            (pager(&visit.route, &visit.query, next, &shown, ("First page", "Next page")))
        }
    };
    Ok(Answer::Page(Page {
        restore: None,
        scripts: Vec::new(),
        title: "User pools".to_owned(),
        section: Section::Pools,
        body,
        commands: vec![command(&filter)],
    }))
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

/// The same as a command.
fn command(filter: &UserPoolFilter) -> Command {
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
    Command::new(&["list", "--limit", "50"])
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
            label.vh for="q" { "Name begins with, or a tag as key=value" }
            input.grow #q name="q" value=(value("q")) autocomplete="off" spellcheck="false"
                placeholder="Name begins with …, or tag=value";
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
            button { "Find" }
            @if visit.query.has_any(&["q", "tag", "domain", "state"]) {
                a.button href=(Route::Pools.path()) { "Clear" }
            }
        }
    }
}

fn nothing(filter: &UserPoolFilter, is_complete: bool) -> Markup {
    let is_filtered = *filter != UserPoolFilter::default();
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
                pre.cmd { "echo '{\"PoolName\": \"customers\"}' | userpool create -" }
            }
        }
    }
}

fn table(rows: &[(UserPoolDescription, Option<UserPool>)], visit: &Visit) -> Markup {
    html! {
        div.scroll tabindex="0" role="region" aria-labelledby="cap" {
            table.stack {
                caption.vh #cap { "User pools" }
                thead { tr {
                    th scope="col" { "Pool" }
                    th scope="col" { "Domain" }
                    th scope="col" { "MFA" }
                    th scope="col" { "Tags" }
                    th.num scope="col" { "Revision" }
                    th scope="col" { "Last change" }
                } }
                tbody { @for (listed, described) in rows { (row(listed, described.as_ref(), visit)) } }
            }
        }
    }
}

fn row(listed: &UserPoolDescription, described: Option<&UserPool>, visit: &Visit) -> Markup {
    let id = listed.id();
    let domains = [&listed.domain, &listed.custom_domain];
    let changed = listed.deletion_time.or(listed.last_modified_date);
    html! {
        tr.gone[listed.deletion_time.is_some()] {
            td.wide {
                a.name href=(Route::Pool(id.to_owned()).path()) { (printable(listed.name())) }
                span."id mono" { (printable(id)) }
            }
            td { span.chips {
                @for domain in domains.into_iter().flatten() {
                    a."chip mono" href=(Route::Domain(domain.clone()).path()) {
                        (Icon::Link.show()) (printable(domain))
                    }
                }
                @if domains.iter().all(|domain| domain.is_none()) { span.muted { "none" } }
            } }
            td.hide-narrow { (mfa(described)) }
            td.hide-narrow { (tags(described)) }
            td.num {
                a href=(Route::History(id.to_owned()).path()) { (listed.revision) }
            }
            td."nowrap small" {
                @if listed.deletion_time.is_some() { span.deleted { "deleted " } }
                (time(changed, visit.now)) br;
                span."muted hide-narrow" { (age(changed, visit.now)) }
            }
        }
    }
}

fn mfa(described: Option<&UserPool>) -> Markup {
    let Some(pool) = described else { return html! {} };
    match pool.mfa_configuration() {
        mfa_configuration::Value::On => html! { span.on { "on" } },
        mfa_configuration::Value::Optional => html! { span.on { "optional" } },
        mfa_configuration::Value::Off | mfa_configuration::Value::Unspecified => {
            html! { span.off { "off" } }
        }
    }
}

fn tags(described: Option<&UserPool>) -> Markup {
    let Some(tags) = described.map(|pool| &pool.user_pool_tags) else { return html! {} };
    let more = tags.len().saturating_sub(MAX_TAGS);
    html! {
        span.chips {
            @for (key, value) in tags.iter().take(MAX_TAGS) {
                @let tag = format!("{key}={value}");
                @let shown = one_line(&format!("{key} {value}").into());
                a."chip line" title=(printable(&tag))
                    href=(Route::Pools.with(&Query::default().set("tag", tag.as_str()))) {
                    (shorten(&shown, MAX_TAG))
                }
            }
            @if more > 0 { span."small muted" { "+" (more) } }
        }
    }
}
