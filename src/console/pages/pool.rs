//! A user pool as it is, or as it was at a point: its settings in groups, and who changed each.

use maud::{Markup, html};
use serde_json::Value;

use crate::{
    console::{
        answer::{Answer, Command, Page, Section},
        failure::Failure,
        last_changes::LastChanges,
        members::{GROUPS, Group, Member, OTHER, TAGS, TRIGGERS, field_path, others},
        state::{State, Tab},
        text::{printable, time},
        url::{Query, Route},
        value::{at, show},
        visit::Visit,
    },
    proto::UserPoolEventFilter,
};

use super::schema;

/// How many of the newest events are looked at for the last change of a setting.
const MAX_EVENTS: usize = 1000;

pub(super) async fn page(visit: &Visit, id: &str) -> Result<Answer, Failure> {
    let point = visit.point("at")?;
    let state = match point {
        Some(point) => State::at(visit, id, Some(point.as_of(visit.now))).await?,
        None => State::now(visit, id).await?,
    };
    if visit.wants_json {
        return Ok(Answer::Json(state.json));
    }
    let of_pool =
        UserPoolEventFilter { user_pool_id: Some(id.to_owned()), ..UserPoolEventFilter::default() };
    let events = visit.calls.all_newest_events(of_pool, MAX_EVENTS).await?;
    let changes = LastChanges::new(id, &events, state.revision, visit.now);
    let latest = events.first().map_or(state.revision, |event| event.revision);
    let empty = Value::Null;
    let members = state.members().unwrap_or(&empty);
    let body = html! {
        (state.head(Tab::Now, visit.now))
        (as_of(visit, id))
        @if point.is_some() { (past(&state, id, latest, visit)) }
        div.grid {
            @for group in &GROUPS { (settings(group, members, &changes)) }
            (tags(members, &changes))
            (other(members, &changes))
        }
        (schema::show(&state.pool.schema_attributes, &changes))
    };
    Ok(Answer::Page(Page {
        restore: restore(id, &state, latest),
        scripts: Vec::new(),
        title: state.name(),
        section: Section::Pools,
        body,
        commands: commands(visit, id, &state),
    }))
}

fn as_of(visit: &Visit, id: &str) -> Markup {
    let value = printable(visit.query.get("at").unwrap_or_default());
    html! {
        form."filters" action=(Route::Pool(id.to_owned()).path()) {
            label.field for="at" { "As of" }
            input #at name="at" value=(value) size="22" placeholder="now" aria-describedby="at-help"
                autocomplete="off" spellcheck="false";
            button { "Show" }
            span."small muted" #at-help {
                "a revision (7), a position (@120), a time or date (2026-11-17), or an age (2h)"
            }
        }
    }
}

/// The banner of a past state.
fn past(state: &State, id: &str, latest: i64, visit: &Visit) -> Markup {
    let to_now = Query::default().set("from", state.revision.to_string());
    html! {
        p.note {
            "As of revision " (state.revision) ", " (time(state.time, visit.now)) ". "
            @if latest > state.revision {
                "The latest revision is " (latest) ": "
                a href=(Route::Diff(id.to_owned()).with(&to_now)) { "see what changed since" } ", or "
                a href=(Route::Pool(id.to_owned()).path()) { "the user pool as it is now" } "."
            } @else {
                "This is the latest revision."
            }
        }
    }
}

fn settings(group: &Group, members: &Value, changes: &LastChanges) -> Markup {
    let set = group.members.iter().filter(|member| at(members, member.path).is_some()).count();
    // Members that never had a value, beyond the first ones, say nothing that the others do not.
    let is_long = group.title == TRIGGERS;
    let is_shown = |member: &&Member| {
        !is_long
            || at(members, member.path).is_some()
            || changes.is_changed(&field_path(member.path))
    };
    let shown: Vec<_> = group.members.iter().filter(is_shown).collect();
    html! {
        section.panel {
            header {
                h2 { (group.title) }
                @if is_long { span."small muted" { (set) " of " (group.members.len()) " set" } }
            }
            @if shown.is_empty() {
                p."pad muted" { "none" }
            } @else {
                dl.set { @for member in shown { (setting(member, members, changes)) } }
            }
        }
    }
}

fn setting(member: &Member, members: &Value, changes: &LastChanges) -> Markup {
    let value = at(members, member.path);
    html! {
        dt title=(member.path) { (member.label) }
        dd {
            span.v { (show(value, member)) }
            (changes.show(&field_path(member.path), value.is_some()))
        }
    }
}

fn tags(members: &Value, changes: &LastChanges) -> Markup {
    let tags = members.get("UserPoolTags").and_then(Value::as_object);
    let value = |key: &str| tags?.get(key)?.as_str();
    let field = field_path("UserPoolTags");
    let set = tags.into_iter().flat_map(|tags| tags.keys()).map(String::as_str);
    // Removed ones as well, with who removed them.
    let mut keys = changes.changed_members(&field);
    keys.extend(set);
    html! {
        section.panel {
            header { h2 { (TAGS) } }
            @if keys.is_empty() {
                p."pad muted" { "none" }
            } @else {
                dl.set {
                    @for key in keys {
                        dt { span.mono { (printable(key)) } }
                        dd {
                            @match value(key) {
                                Some(value) => span.v { span.mono { (printable(value)) } },
                                None => span.v { span.muted { "none" } },
                            }
                            (changes.show(&format!("{field}.{key}"), true))
                        }
                    }
                }
            }
        }
    }
}

/// The members that no group has, if any is set.
fn other(members: &Value, changes: &LastChanges) -> Markup {
    let is_shown =
        |path: &&str| at(members, path).is_some() || changes.is_changed(&field_path(path));
    let set: Vec<_> = others().filter(is_shown).collect();
    html! {
        @if !set.is_empty() {
            section.panel {
                header { h2 { (OTHER) } }
                dl.set { @for path in set {
                    (setting(&Member { path, label: path, absent: "none", unit: "" }, members, changes))
                } }
            }
        }
    }
}

fn commands(visit: &Visit, id: &str, state: &State) -> Vec<Command> {
    let shown = match visit.query.get("at") {
        Some(at) => Command::new(&["replay", id]).option("--at", Some(at)),
        None if state.is_deleted => Command::new(&["replay", id]),
        None => Command::new(&["describe", id]),
    };
    vec![shown, Command::new(&["history", id, "--reverse", "--limit", "40"])]
}

/// The command that sets the user pool back to the state that is shown, unless it has it.
fn restore(id: &str, state: &State, latest: i64) -> Option<Command> {
    let revision = if state.is_deleted { state.revision.saturating_sub(1) } else { state.revision };
    let to = revision.to_string();
    (revision < latest).then(|| Command::new(&["restore", id]).option("--to", Some(&to)))
}
