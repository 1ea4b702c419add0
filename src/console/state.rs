//! A user pool at a point in its history, and the head of its pages.

use chrono::{DateTime, Utc};
use maud::{Markup, html};
use prost_types::Timestamp;
use serde_json::Value;

use crate::proto::{
    self, DescribeUserPoolResponse, UserPool, UserPoolEventFilter, UserPoolEventType,
    replay_user_pool_request::AsOf,
};

use super::{
    actor::Who,
    failure::{Failure, has_reason},
    filter::just_after,
    icons::Icon,
    text::{age, count, printable, time},
    url::{Query, Route},
    visit::Visit,
};

/// A user pool, as it is or as it was.
#[derive(Debug)]
pub(super) struct State {
    id: String,
    pub(super) pool: UserPool,
    /// Whether the last event deleted it. It is then shown as it was before.
    pub(super) is_deleted: bool,
    /// Who deleted it.
    deleted_by: Option<Who>,
    pub(super) revision: i64,
    pub(super) position: i64,
    /// When the last event was recorded; absent if the state is the current one.
    pub(super) time: Option<Timestamp>,
    /// The answer of the server.
    pub(super) json: Value,
}

/// The tabs of a user pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tab {
    Now,
    History,
    Diff,
}

impl State {
    /// The current state, or the last one of a deleted user pool.
    pub(super) async fn now(visit: &Visit, id: &str) -> Result<Self, Failure> {
        match visit.calls.pool(id).await {
            Ok(described) => {
                let json = proto::to_json(&described)?;
                let DescribeUserPoolResponse { user_pool, revision, position, .. } = described;
                Ok(Self {
                    id: id.to_owned(),
                    pool: user_pool.unwrap_or_default(),
                    is_deleted: false,
                    deleted_by: None,
                    revision,
                    position,
                    time: None,
                    json,
                })
            }
            Err(status) if has_reason(&status, "USER_POOL_DELETED") => {
                Self::at(visit, id, None).await
            }
            Err(status) => Err(status.into()),
        }
    }

    /// The state at a point; the last one if there is none.
    pub(super) async fn at(visit: &Visit, id: &str, at: Option<AsOf>) -> Result<Self, Failure> {
        let replayed = visit.calls.pool_at(id, at).await?;
        let deleted_by = if replayed.deleted {
            let deletions = UserPoolEventFilter {
                user_pool_id: Some(id.to_owned()),
                types: vec![UserPoolEventType::UserPoolDeleted.into()],
                end_time: just_after(replayed.record_time),
                ..UserPoolEventFilter::default()
            };
            let found = visit.calls.newest_events(deletions, 1, "").await?;
            found.events.first().map(|event| Who::of(event.actor.as_ref()))
        } else {
            None
        };
        Ok(Self {
            id: id.to_owned(),
            json: proto::to_json(&replayed)?,
            pool: replayed.user_pool.unwrap_or_default(),
            is_deleted: replayed.deleted,
            deleted_by,
            revision: replayed.revision,
            position: replayed.position,
            time: replayed.record_time,
        })
    }

    /// The name; the ID if it has none.
    pub(super) fn name(&self) -> String {
        printable(self.pool.name.as_deref().unwrap_or(&self.id))
    }

    /// The members of the user pool in JSON.
    pub(super) fn members(&self) -> Option<&Value> {
        self.json.get("UserPool").or_else(|| self.json.get("userPool"))
    }

    /// The head of a page of the user pool.
    pub(super) fn head(&self, tab: Tab, now: DateTime<Utc>) -> Markup {
        let changed = self.time.or(self.pool.last_modified_date);
        let domains = [&self.pool.domain, &self.pool.custom_domain];
        html! {
            p.crumbs {
                a href=(Route::Pools.path()) { "Pools" } " " span { "/" } " " span { (self.name()) }
            }
            div.head { div {
                h1 { (self.name()) }
                p.sub {
                    span.mono { (printable(&self.id)) }
                    @for domain in domains.into_iter().flatten() {
                        a."chip mono" href=(Route::Domain(domain.clone()).path()) {
                            (Icon::Link.show()) (printable(domain))
                        }
                    }
                    span { "revision " (self.revision) ", position " (self.position) }
                    @if changed.is_some() {
                        span { "changed " (time(changed, now)) ", " (age(changed, now)) }
                    }
                }
            } }
            nav.tabs aria-label="Pool" { @for (other, route, name) in self.tabs() {
                a href=(route) aria-current=[(other == tab).then_some("page")]
                    data-diff[other == Tab::Diff] { (name) }
            } }
            @if self.is_deleted {
                p."note warn" {
                    "This user pool was deleted "
                    @if self.time.is_some() { "on " (time(self.time, now)) ", " (age(self.time, now)) ", " }
                    @if let Some(who) = &self.deleted_by { "by " (who.show()) ", " }
                    "in revision " (self.revision) ". It is shown as it was before."
                }
            }
        }
    }

    fn tabs(&self) -> [(Tab, String, String); 3] {
        let id = || self.id.clone();
        let previous = self.revision.saturating_sub(1).max(1);
        let last = Query::default().set("from", previous.to_string());
        // A past state does not say how many events there are.
        let history = match self.time {
            None => format!("History · {}", count(self.revision, "event", "events")),
            Some(_) => "History".to_owned(),
        };
        [
            (Tab::Now, Route::Pool(id()).path(), "Settings".to_owned()),
            (Tab::History, Route::History(id()).path(), history),
            (Tab::Diff, Route::Diff(id()).with(&last), "Diff".to_owned()),
        ]
    }
}
