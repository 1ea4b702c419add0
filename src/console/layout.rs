//! What every page has: the bar, the commands that show the same, and the foot.

use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use maud::{DOCTYPE, Markup, html};
use tonic::{Code, Status};

use crate::proto::DescribeLogResponse;

use super::{
    answer::{Command, Page, Section},
    assets::{Asset, ICON, PAGE_SCRIPT, STYLE},
    icons::{Icon, symbols},
    text::{machine, printable, shell_word, shorten},
    url::{Query, Route},
};

/// The longest name of the reader in the bar.
const MAX_CALLER: usize = 32;

/// How many pages before a page its address has.
const MAX_BACK: usize = 8;

/// What the bar and the foot say.
#[derive(Debug)]
pub(super) struct Frame<'a> {
    pub(super) log: Result<&'a DescribeLogResponse, &'a Status>,
    pub(super) now: DateTime<Utc>,
    /// The options that connect a command to the same server.
    pub(super) connection: &'a [String],
    /// The address of a dashboard with latencies and rates.
    pub(super) dashboard: Option<&'a str>,
    /// The address of the JSON of the page.
    pub(super) json: Option<String>,
    /// What the jump box says.
    pub(super) searched: &'a str,
    /// After how many seconds the browser loads the page again.
    pub(super) refresh: Option<u64>,
}

/// The document of a page.
pub(super) fn document(frame: &Frame<'_>, page: &Page) -> Markup {
    let body = html! {
        (bar(frame, page.section))
        main #main {
            (page.body)
            @if !page.commands.is_empty() { (commands(page, frame.connection)) }
            (foot(frame))
        }
    };
    let scripts: Vec<_> = [&*PAGE_SCRIPT].into_iter().chain(page.scripts.iter().copied()).collect();
    shell(&page.title, frame.refresh, &scripts, &body)
}

/// The document of a refusal, which shows nothing of the server.
pub(super) fn refusal(status: StatusCode, title: &str, text: &Markup) -> Markup {
    let body = html! {
        main #main {
            div.head { div { h1 { (title) } } }
            (text)
            p.foot-note { "Answer " (status.as_str()) }
        }
    };
    shell(title, None, &[], &body)
}

fn shell(title: &str, refresh: Option<u64>, scripts: &[&Asset], body: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width,initial-scale=1";
                @if let Some(seconds) = refresh { meta http-equiv="refresh" content=(seconds); }
                title { (title) " · userpool" }
                link rel="stylesheet" href=(STYLE.path);
                link rel="icon" href=(ICON.path) type="image/svg+xml";
                @for script in scripts { script type="module" src=(script.path) {} }
            }
            body {
                (symbols())
                a.skip href="#main" { "Skip to the content" }
                (body)
            }
        }
    }
}

fn bar(frame: &Frame<'_>, section: Section) -> Markup {
    let sections = [
        (Section::Pools, Route::Pools, "Pools"),
        (Section::Domains, Route::Domains, "Domains"),
        (Section::Log, Route::Log, "Log"),
        (Section::Proof, Route::Proof, "Proof"),
    ];
    html! {
        header.bar { div {
            a.brand href=(Route::Pools.path()) { (Icon::Logo.show()) "userpool" }
            nav.nav aria-label="Main" {
                @for (other, route, name) in sections {
                    a href=(route.path()) aria-current=[(other == section).then_some("page")] {
                        (name)
                    }
                }
            }
            form.jump role="search" action=(Route::Go.path()) {
                (Icon::Search.show())
                label.vh for="jump" { "Go to a pool ID, name, domain, @position, or the ID of an \
                                       event or a request" }
                input #jump name="q" placeholder="ID, name, domain or @position"
                    value=(printable(frame.searched)) autocomplete="off" spellcheck="false";
                kbd aria-hidden="true" data-keys-on hidden { "/" }
            }
            a.who href=(Route::Me.path()) {
                @match frame.log {
                    Ok(log) => {
                        span.dot aria-hidden="true" {}
                        span {
                            span.long { (printable(&log.region)) ", serving · " }
                            b { (shorten(&printable(&log.caller), MAX_CALLER)) } " reads"
                        }
                    }
                    Err(status) => {
                        span."dot bad" aria-hidden="true" {}
                        span { (match status.code() {
                            Code::PermissionDenied | Code::Unauthenticated => "not allowed to read",
                            _ => "no answer",
                        }) }
                    }
                }
            }
        } }
    }
}

fn commands(page: &Page, connection: &[String]) -> Markup {
    let line = |command: &Command| {
        let words = command.0.iter().chain(connection).map(|word| shell_word(word));
        format!("userpool {}", words.collect::<Vec<_>>().join(" "))
    };
    let lines: Vec<_> = page.commands.iter().map(line).collect();
    html! {
        section."panel no-print" {
            header { h2 { "The same on the command line" } }
            div.pad { pre.cmd tabindex="0" role="region" aria-label="Commands" { (lines.join("\n")) } }
        }
        @if let Some(restore) = &page.restore {
            section."panel no-print" {
                header {
                    h2 { "To restore this state" }
                    span."small muted" { "shows what changes, and asks; needs the role writer" }
                }
                div.pad { pre.cmd tabindex="0" role="region" aria-label="Restore" { (line(restore)) } }
            }
        }
    }
}

fn foot(frame: &Frame<'_>) -> Markup {
    html! {
        p.foot-note {
            span data-zone-text { "Times are UTC" }
            button.plain data-zone-switch hidden { "Show local times" }
            @if let Ok(log) = frame.log {
                span {
                    "As of position " (log.head.as_ref().map_or(0, |head| head.position)) ", "
                    time data-now datetime=(machine(frame.now)) {
                        (frame.now.format("%-d %b %Y %H:%M:%S"))
                    }
                }
                span { "Server " (printable(&log.server_version)) }
                span.print-only { (printable(&log.region)) ", read by " (printable(&log.caller)) }
            }
            @if let Some(json) = &frame.json {
                span.no-print { a href=(json) { "This page as JSON" } }
            }
            @if let Some(dashboard) = frame.dashboard {
                span.no-print { a href=(dashboard) { "Latencies and rates" } }
            }
            button."plain no-print" data-keys-open hidden { "Keys" }
        }
        (keys())
    }
}

/// The keys of the page's script.
fn keys() -> Markup {
    let keys = [
        ("/", "go to an ID, a name, a domain or a position"),
        ("j, k", "the next row, the one before; Enter opens it"),
        ("m", "mark the event with the focus"),
        (
            "d",
            "what changed: between two marked events, in that with the focus, or in the user pool",
        ),
        ("?", "this list"),
    ];
    html! {
        dialog.panel data-keys aria-labelledby="keys" {
            header { h2 #keys { "Keys" } }
            dl.set { @for (key, meaning) in keys { dt { kbd { (key) } } dd { (meaning) } } }
            form.pad method="dialog" {
                label.field { input type="checkbox"; " Keys are on" }
                button { "Close" }
            }
        }
    }
}

/// The words of the links between the pages of a list, and of events.
pub(super) const FIRST_NEXT: [&str; 3] = ["First page", "Previous page", "Next page"];
pub(super) const NEWEST_OLDER: [&str; 3] = ["Newest", "Newer", "Older"];

/// Links to the first page of a list, the one before, and the next one. The server has no page
/// before a page, so the address has the tokens of some of them.
pub(super) fn pager(
    route: &Route,
    query: &Query,
    next: Option<&str>,
    shown: &str,
    [first, previous, more]: [&str; 3],
) -> Markup {
    let before: Vec<_> = query.all("back").collect();
    let with = |token: &str, before: &[&str]| {
        let query = query.clone().without("back").set("after", token);
        route.with(&before.iter().fold(query, |query, token| query.and("back", *token)))
    };
    let token = query.get("after");
    if shown.is_empty() && token.is_none() && next.is_none() {
        return html! {};
    }
    html! {
        div.foot {
            span { (shown) }
            span."actions" {
                @if token.is_some() {
                    a.button href=(route.with(&query.clone().first_page())) {
                        (first)
                    }
                }
                @if let Some((last, rest)) = before.split_last() {
                    a.button rel="prev" href=(with(last, rest)) { (previous) }
                }
                @if let Some(next) = next {
                    @let before: Vec<_> = before.iter().copied().chain(token).collect();
                    @let kept = before.len().saturating_sub(MAX_BACK);
                    a.button rel="next" href=(with(next, before.get(kept..).unwrap_or_default())) {
                        (more)
                    }
                }
            }
        }
    }
}
