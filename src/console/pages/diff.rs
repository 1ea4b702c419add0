//! What differs in a user pool between two points of its history. The old side is always left,
//! or above.

use maud::{Markup, html};
use tokio::time::Instant;

use crate::{
    console::{
        answer::{Answer, Command, Page, Section},
        difference::{Comparison, compare, marked},
        failure::Failure,
        icons::Icon,
        last_changes::LastChanges,
        members::field_path,
        state::{State, Tab},
        text::{count, printable, time},
        url::Query,
        visit::Visit,
    },
    proto::{
        Difference, HistoryPoint, UserPoolEventFilter, comparable, difference_document,
        replay_user_pool_request::AsOf,
    },
};

/// How many of the newest events are looked at for who made each change.
const MAX_EVENTS: usize = 1000;

/// From so many events on, a page says how long it took.
const MANY_EVENTS: i64 = 10_000;

/// How the two sides are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum View {
    Split,
    Unified,
}

pub(super) async fn page(visit: &Visit, id: &str) -> Result<Answer, Failure> {
    if let Some(compared) = of_marked(visit)? {
        return Ok(Answer::Elsewhere(visit.route.with(&compared)));
    }
    let began = Instant::now();
    let as_of = |point: Option<HistoryPoint>| point.map(|point| point.as_of(visit.now));
    let (from, to) = (as_of(visit.point("from")?), as_of(visit.point("to")?));
    let to = State::at(visit, id, to).await?;
    // By default, what the last change did.
    let from = from.unwrap_or_else(|| AsOf::Revision(to.revision.saturating_sub(1).max(1)));
    let from = State::at(visit, id, Some(from)).await?;
    if visit.wants_json {
        return Ok(Answer::Json(difference_document(&from.json, &to.json)));
    }
    let of_pool =
        UserPoolEventFilter { user_pool_id: Some(id.to_owned()), ..UserPoolEventFilter::default() };
    let replayed = began.elapsed();
    let events = visit.calls.all_newest_events(of_pool, MAX_EVENTS).await?;
    let changes = LastChanges::new(id, &events, from.revision.max(to.revision), visit.now);
    let with_redundant = visit.query.get("all").is_some();
    let compared = compare(&comparable(&from.json), &comparable(&to.json), with_redundant);
    let view = match visit.query.get("view") {
        Some("unified") => View::Unified,
        Some(_) | None => View::Split,
    };
    let body = html! {
        (to.head(Tab::Diff, visit.now))
        (points(visit, &from, &to))
        (summary(visit, &compared, view, with_redundant))
        @if to.revision.max(from.revision) > MANY_EVENTS {
            p."small muted" {
                "The two states were computed from up to " (to.revision.max(from.revision))
                " events, in " (replayed.as_millis()) " ms."
            }
        }
        @if !compared.sections.is_empty() {
            section.panel { div.scroll tabindex="0" role="region" aria-label="Differences" {
                (table(&compared, view, from.revision.min(to.revision), &changes))
            } }
        }
    };
    let (old, new) = (from.revision.to_string(), to.revision.to_string());
    Ok(Answer::Page(Page {
        restore: None,
        scripts: Vec::new(),
        title: format!("Diff of {}, revisions {old} to {new}", to.name()),
        section: Section::Pools,
        body,
        commands: vec![Command::new(&["diff", id, &old, &new])],
    }))
}

/// The address that compares the revisions that were marked in a history: the older with the newer,
/// or one with the latest.
fn of_marked(visit: &Visit) -> Result<Option<Query>, Failure> {
    let marked: Vec<_> = visit.query.all("of").collect();
    let revisions = marked.iter().map(|revision| revision.parse::<u64>().ok());
    let mut revisions = revisions.collect::<Option<Vec<_>>>().unwrap_or_default();
    revisions.sort_unstable();
    let query = visit.query.clone().without("of");
    match revisions.as_slice() {
        [] if marked.is_empty() => Ok(None),
        [one] => Ok(Some(query.set("from", one.to_string()))),
        [one, other] => Ok(Some(query.set("from", one.to_string()).set("to", other.to_string()))),
        _ => {
            let expected = "must be the revisions of one event or two".to_owned();
            Err(Failure::Parameter { name: "of", value: marked.join(", "), expected })
        }
    }
}

fn points(visit: &Visit, from: &State, to: &State) -> Markup {
    let (old, new) = (from.revision.to_string(), to.revision.to_string());
    let swapped = visit.query.clone().set("from", new.as_str()).set("to", old.as_str());
    let point = |name: &str, label: &str, revision: &str, state: &State| {
        html! {
            div."panel point" {
                label for=(name) { (label) }
                input id=(name) name=(name) value=(revision) size="12" autocomplete="off"
                    spellcheck="false";
                p."small muted" {
                    "revision " (state.revision) ", position " (state.position) ", "
                    (time(state.time, visit.now))
                    @if state.is_deleted { ", deleted" }
                }
            }
        }
    };
    let shown = |name: &str, state: &State| {
        visit.query.get(name).map_or_else(|| state.revision.to_string(), printable)
    };
    html! {
        form method="get" {
            @if let Some(view) = visit.query.get("view") {
                input type="hidden" name="view" value=(printable(view));
            }
            div.points {
                (point("from", "Old", &shown("from", from), from))
                div.swap {
                    a.button href=(visit.route.with(&swapped)) { (Icon::Swap.show()) "Swap" }
                    button { "Compare" }
                }
                (point("to", "New", &shown("to", to), to))
            }
        }
    }
}

fn summary(visit: &Visit, compared: &Comparison, view: View, with_redundant: bool) -> Markup {
    let all: Vec<_> = compared.sections.iter().flat_map(|section| &section.differences).collect();
    let number = |is: fn(&Difference) -> bool| all.iter().filter(|found| is(found)).count();
    let added = number(|found| found.from.is_none());
    let removed = number(|found| found.to.is_none());
    let changed = all.len().saturating_sub(added).saturating_sub(removed);
    let total = i64::try_from(all.len()).unwrap_or(i64::MAX);
    let query = || visit.query.clone();
    let views = [(View::Split, "split", "Side by side"), (View::Unified, "unified", "Unified")];
    html! {
        div.head {
            div {
                h2 {
                    @if all.is_empty() { "No setting differs" }
                    @else { (count(total, "member differs", "members differ")) }
                }
                p."sub small" {
                    @if !all.is_empty() {
                        span { (changed) " changed" }
                        span.created { (added) " added" }
                        span.deleted { (removed) " removed" }
                    }
                    @if compared.redundant > 0 {
                        span {
                            @if with_redundant {
                                a href=(visit.route.with(&query().without("all"))) {
                                    "Fold what says the same under a second name"
                                }
                            } @else {
                                (compared.redundant) " more: second names of the same values, and times: "
                                a href=(visit.route.with(&query().set("all", "1"))) { "show them" }
                            }
                        }
                    }
                }
            }
            div.actions { div.seg {
                @for (other, name, label) in views {
                    a href=(visit.route.with(&query().set("view", name)))
                        aria-current=[(other == view).then_some("true")] { (label) }
                }
            } }
        }
    }
}

fn table(compared: &Comparison, view: View, after: i64, changes: &LastChanges) -> Markup {
    html! {
        table.diff {
            caption.vh { "What differs, member by member" }
            @for section in &compared.sections {
                tbody {
                    tr.sect { td colspan="2" { (section.title) } }
                    @for difference in &section.differences {
                        tr.path { td colspan="2" {
                            (printable(&difference.path))
                            @if let Some((revision, who)) = last_change(difference, after, changes) {
                                span { " · revision " (revision) ", " (who) }
                            }
                        } }
                        (rows(difference, view))
                    }
                }
            }
        }
    }
}

/// Who made a change, if it is among the events that were looked at.
fn last_change(
    difference: &Difference,
    after: i64,
    changes: &LastChanges,
) -> Option<(i64, String)> {
    let path = match difference.path.strip_prefix("SchemaAttributes.") {
        Some(_) => "SchemaAttributes",
        None => difference.path.as_str(),
    };
    let (revision, who) = changes.last_after(&field_path(path), after)?;
    Some((revision, who.name.clone()))
}

fn rows(difference: &Difference, view: View) -> Markup {
    let (old, new) = marked(difference);
    let nothing = html! { span.vh { "absent" } };
    let side = |text: Option<&Markup>, class: &str, sign: &str| {
        let Some(text) = text else { return html! { td.nil { (nothing) } } };
        html! { td.(class) { span.sign aria-hidden="true" { (sign) } (text) } }
    };
    match view {
        View::Split => html! {
            tr { (side(old.as_ref(), "minus", "−")) (side(new.as_ref(), "plus", "+")) }
        },
        View::Unified => html! {
            @if let Some(old) = old {
                tr { td.minus colspan="2" { span.sign { "−" } (old) } }
            }
            @if let Some(new) = new {
                tr { td.plus colspan="2" { span.sign { "+" } (new) } }
            }
        },
    }
}
