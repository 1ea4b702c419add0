//! Who changed each setting last, and in which revision.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};
use maud::{Markup, html};
use prost_types::Timestamp;

use crate::proto::{self, UserPoolEvent, UserPoolEventType};

use super::{
    actor::Who,
    text::{full_time, short_day},
    url::{Query, Route},
};

/// A change is recent for this long: what happened yesterday is looked for first.
const RECENT: TimeDelta = TimeDelta::hours(48);

/// The changes of a user pool, the newest first.
#[derive(Debug)]
pub(super) struct LastChanges {
    changes: Vec<Change>,
    pool: String,
    now: DateTime<Utc>,
}

/// A change: where it is in the history, and what it changed.
#[derive(Debug)]
struct Change {
    revision: i64,
    time: Option<Timestamp>,
    who: Who,
    /// The paths of the fields; none stands for all, which a creation sets.
    fields: Option<Vec<String>>,
}

impl LastChanges {
    /// Reads the newest events of a user pool, of which those up to `revision` count.
    pub(super) fn new(
        pool: &str,
        events: &[UserPoolEvent],
        revision: i64,
        now: DateTime<Utc>,
    ) -> Self {
        let changes = events.iter().filter(|event| event.revision <= revision).map(|event| {
            let is_creation = event.r#type() == UserPoolEventType::UserPoolCreated;
            Change {
                revision: event.revision,
                time: event.record_time,
                who: Who::of(event.actor.as_ref()),
                fields: (!is_creation).then(|| changed_fields(event)),
            }
        });
        Self { changes: changes.collect(), pool: pool.to_owned(), now }
    }

    /// The last change of a field, as a link to it. That a field without a value never had one
    /// is not worth a word.
    pub(super) fn show(&self, field: &str, has_value: bool) -> Markup {
        let history = Route::History(self.pool.clone());
        let Some(change) = self.last(field) else {
            let title = "the change is older than the events that this page looks at";
            return html! { a.change href=(history.path()) title=(title) { "older" } };
        };
        let Change { revision, time, who, fields } = change;
        if fields.is_none() && !has_value {
            return html! {};
        }
        let title = format!(
            "last changed in revision {revision}, {} UTC, by {}",
            full_time(*time),
            who.full
        );
        let age = time.and_then(proto::to_date_time);
        let is_recent = age.is_some_and(|at| self.now.signed_duration_since(at) < RECENT);
        let class = if is_recent { "change hot" } else { "change" };
        // The page of the history that begins with this change.
        let at = Query::default().set("at", revision.to_string());
        let (day, name) = (short_day(*time, self.now), who.last_word());
        html! {
            a class=(class) href=(history.with(&at)) title=(title) {
                "r" (revision) " · " (day) " · " (name)
            }
        }
    }

    /// Whether a field was changed after the creation, as far as the events show it.
    pub(super) fn is_changed(&self, field: &str) -> bool {
        self.last(field).is_some_and(|change| change.fields.is_some())
    }

    /// The names of the members of a field that were changed.
    pub(super) fn changed_members(&self, field: &str) -> BTreeSet<&str> {
        let fields = self.changes.iter().filter_map(|change| change.fields.as_deref()).flatten();
        fields.filter_map(|changed| changed.strip_prefix(field)?.strip_prefix('.')).collect()
    }

    /// The revision and the caller of the last change of a field after a revision.
    pub(super) fn last_after(&self, field: &str, revision: i64) -> Option<(i64, &Who)> {
        let change = self.last(field).filter(|change| change.revision > revision)?;
        Some((change.revision, &change.who))
    }

    fn last(&self, field: &str) -> Option<&Change> {
        self.changes.iter().find(|change| match &change.fields {
            None => true,
            Some(fields) => fields.iter().any(|changed| concerns(changed, field)),
        })
    }
}

/// The paths of the fields that an event changed.
fn changed_fields(event: &UserPoolEvent) -> Vec<String> {
    event.changes.iter().map(|change| change.path.clone()).collect()
}

/// Whether a change of one path changed the other: they are equal, or one is inside the other.
fn concerns(changed: &str, field: &str) -> bool {
    let inside = |inner: &str, outer: &str| {
        inner.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    inside(changed, field) || inside(field, changed)
}
