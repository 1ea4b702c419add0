//! Events, as the pages of the history and of the log show them.

use chrono::{DateTime, Utc};
use maud::{Markup, html};

use crate::proto::{EventChange, UserPoolEvent};

use super::{
    actor::{Who, origin},
    filter,
    kind::{KINDS, kind_of},
    members::{is_redundant, label},
    names::Names,
    text::{age, printable, shorten, time, time_of_day},
    url::{Query, Route},
};

/// The changes of a restore that are not fields of the user pool: the revision that it restores, and
/// that the user pool was deleted before.
const RESTORED_REVISION: &str = "restored_revision";
const DELETED: &str = "deleted";
/// How many changes an event shows before the rest is folded.
const MAX_CHANGES: usize = 12;
/// The longest value that is shown in a line.
const MAX_INLINE: usize = 64;
/// How many changes a row of the log names.
const MAX_CHIPS: usize = 4;
/// The form that compares the events that are marked.
pub(super) const COMPARE_FORM: &str = "compare";
/// The longest ID in a row of the log.
pub(super) const MAX_ID: usize = 12;

/// An event in the history of its user pool.
pub(super) fn article(event: &UserPoolEvent, now: DateTime<Utc>) -> Markup {
    let kind = kind_of(event.r#type());
    let (id, revision) = (&event.user_pool_id, event.revision);
    let heading = format!("t{revision}");
    let at = Query::default().set("at", revision.to_string());
    html! {
        article."panel ev" id=(format!("r{revision}")) aria-labelledby=(heading) {
            span.mark.(kind.class) { (kind.icon.show()) }
            div.top {
                h3.type.(kind.class) id=(heading) { (kind.word) }
                a.rev href=(Route::Pool(id.clone()).with(&at)) { "revision " (revision) }
                span."muted small" { "position " (event.position) }
                span.when {
                    (time_of_day(event.record_time)) " " span data-zone { "UTC" } " · "
                    (age(event.record_time, now))
                }
            }
            (changed(event))
            (by(event))
        }
    }
}

/// What the event changed: old and new.
fn changed(event: &UserPoolEvent) -> Markup {
    let changes = shown_changes(event);
    let (first, rest) = changes.split_at(changes.len().min(MAX_CHANGES));
    html! {
        @if !first.is_empty() { (change_list(first)) }
        @if !rest.is_empty() {
            details { summary { (rest.len()) " more" } (change_list(rest)) }
        }
    }
}

/// The changes without those that say the same under a second name.
fn shown_changes(event: &UserPoolEvent) -> Vec<&EventChange> {
    event.changes.iter().filter(|change| !is_redundant(&change.path)).collect()
}

fn change_list(changes: &[&EventChange]) -> Markup {
    html! {
        dl.chg {
            @for change in changes {
                dt { (printable(&name(&change.path))) }
                dd {
                    @match (&change.old_value, &change.new_value) {
                        _ if change.path == DELETED => span.muted { "was deleted" },
                        (None, Some(revision)) if change.path == RESTORED_REVISION => {
                            span.now { "revision " (inline(revision)) }
                        },
                        // A value that stays names what the other changes are about.
                        (Some(old), Some(new)) if old == new => span { (inline(new)) },
                        (old, new) => {
                            @if let Some(old) = old { span.was { (inline(old)) } }
                            @if change.old_value_unknown { span.muted { "an earlier value" } }
                            @if old.is_some() || change.old_value_unknown { " → " }
                            @match new {
                                Some(new) => span.now { (inline(new)) },
                                None => span.muted { "none" },
                            }
                        },
                    }
                }
            }
        }
    }
}

/// The name of a field, or of what a restore says beside the fields.
fn name(path: &str) -> String {
    match path {
        RESTORED_REVISION => "Restored to".to_owned(),
        DELETED => "Before".to_owned(),
        path => label(path),
    }
}

fn inline(value: &str) -> String {
    shorten(&printable(value), MAX_INLINE)
}

/// Who made the change, from where and with what, and where to go on.
fn by(event: &UserPoolEvent) -> Markup {
    let (id, revision) = (&event.user_pool_id, event.revision);
    let previous = revision.saturating_sub(1);
    let agent = event.actor.as_ref().map(|actor| printable(&actor.user_agent));
    let diff = Query::default().set("from", previous.to_string()).set("to", revision.to_string());
    let at = |revision: i64| {
        Route::Pool(id.clone()).with(&Query::default().set("at", revision.to_string()))
    };
    html! {
        div.by {
            (Who::of(event.actor.as_ref()).show())
            @if let Some(origin) = event.actor.as_ref().and_then(origin) {
                span { "from " (origin) }
            }
            @if let Some(agent) = agent.filter(|agent| !agent.is_empty()) {
                span { (shorten(&agent, 64)) }
            }
            (correlation(event, usize::MAX))
            span.links {
                label."field no-print" {
                    input type="checkbox" name="of" value=(revision) form=(COMPARE_FORM); "mark"
                    span.vh { " revision " (revision) }
                }
                @if previous > 0 {
                    a data-diff href=(Route::Diff(id.clone()).with(&diff)) { "diff " (previous) " → " (revision) }
                    a href=(at(previous)) { "before" }
                }
            }
        }
    }
}

/// The correlation ID, as a link to everything that has it.
pub(super) fn correlation(event: &UserPoolEvent, max: usize) -> Markup {
    let id = &event.correlation_id;
    let all = Route::Log.with(&Query::default().set("correlation", id.as_str()));
    html! {
        @if !id.is_empty() {
            @let shown = printable(id);
            @let short = shorten(&shown, max);
            a.mono href=(all) title=[(short != shown).then_some(&shown)] { (short) }
        }
    }
}

/// An event in the log of all user pools.
pub(super) fn row(event: &UserPoolEvent, names: &Names, now: DateTime<Utc>) -> Markup {
    let kind = kind_of(event.r#type());
    html! {
        tr id=(format!("p{}", event.position)) {
            td { (event.position) }
            td { (time(event.record_time, now)) }
            td { span.type.(kind.class) { (kind.icon.show()) (kind.word) } }
            td { (names.show(event)) }
            td { (chips(event)) }
            td { (Who::of(event.actor.as_ref()).show()) }
            td { (correlation(event, MAX_ID)) }
        }
    }
}

/// What the event changed, in a few words.
fn chips(event: &UserPoolEvent) -> Markup {
    let changes = shown_changes(event);
    let more = changes.len().saturating_sub(MAX_CHIPS);
    let chip = |change: &EventChange| {
        let last = change.path.rsplit('.').next().unwrap_or(&change.path);
        // A single new value says more than the name of its field alone.
        match &change.new_value {
            Some(new) if changes.len() == 1 => format!("{last}: {}", inline(new)),
            Some(_) | None => last.to_owned(),
        }
    };
    html! {
        span.chips {
            @for change in changes.iter().take(MAX_CHIPS) {
                code { (printable(&chip(change))) }
            }
            @if more > 0 { span."small muted" { "+" (more) } }
        }
    }
}

/// The fields of a form that chooses types of events.
pub(super) fn type_choice(query: &Query) -> Markup {
    let chosen: Vec<_> = filter::types(query).collect();
    html! {
        fieldset {
            legend.vh { "Types" }
            @for kind in KINDS {
                label.toggle {
                    input type="checkbox" name="type" value=(kind.name)
                        checked[chosen.contains(&kind.name)];
                    span.(kind.class) { (kind.icon.show()) (kind.word) }
                }
            }
        }
    }
}
