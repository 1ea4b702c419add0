//! Events as a person reads them: what kind, whose doing, what changed.

use anstyle::{AnsiColor, Style};
use clap::ValueEnum;

use crate::proto::{ActorKind, UserPoolEvent, UserPoolEventType, user_pool_event::Payload};

use super::text::{printable, time};

/// The kinds of events, by the names that are printed.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum Kind {
    Created,
    Updated,
    Deleted,
    DomainCreated,
    DomainDeleted,
}

impl From<Kind> for UserPoolEventType {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Created => Self::UserPoolCreated,
            Kind::Updated => Self::UserPoolUpdated,
            Kind::Deleted => Self::UserPoolDeleted,
            Kind::DomainCreated => Self::UserPoolDomainCreated,
            Kind::DomainDeleted => Self::UserPoolDomainDeleted,
        }
    }
}

/// The columns of the history of one user pool.
pub(super) const COLUMNS: [&str; 5] = ["#REVISION", "TIME", "TYPE", "ACTOR", "WHAT"];

/// The row of an event in the history of one user pool.
pub(super) fn row(event: &UserPoolEvent) -> Vec<String> {
    let (kind, actor, what) = (kind(event), actor(event), what(event));
    vec![event.revision.to_string(), time(event.record_time), kind, actor, what]
}

/// Lines for events as they come: as wide as most of them need.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lines {
    /// Of one user pool, by revision.
    Pool,
    /// Of all of them, by position.
    Log,
}

impl Lines {
    pub(super) fn heading(self) -> String {
        let bold = Style::new().bold();
        let line = match self {
            Self::Pool => columns("REVISION", "TIME", "", ("TYPE", Style::new()), "ACTOR", "WHAT"),
            Self::Log => {
                columns("POSITION", "TIME", "POOL", ("TYPE", Style::new()), "ACTOR", "WHAT")
            }
        };
        format!("{bold}{line}{bold:#}")
    }

    pub(super) fn line(self, event: &UserPoolEvent) -> String {
        let (place, pool) = match self {
            Self::Pool => (event.revision, String::new()),
            Self::Log => (event.position, printable(&event.user_pool_id)),
        };
        let (kind, actor, what) = (kind(event), actor(event), what(event));
        let time = time(event.record_time);
        columns(&place.to_string(), &time, &pool, (&kind, style(event)), &actor, &what)
    }
}

fn columns(
    place: &str,
    time: &str,
    pool: &str,
    (kind, style): (&str, Style),
    actor: &str,
    what: &str,
) -> String {
    let pool = if pool.is_empty() { String::new() } else { format!("{pool:<19}  ") };
    let line =
        format!("{place:>8}  {time:<20}  {pool}{style}{kind:<14}{style:#}  {actor:<24}  {what}");
    line.trim_end().to_owned()
}

fn kind(event: &UserPoolEvent) -> String {
    let name = match event.r#type() {
        UserPoolEventType::UserPoolCreated => "created",
        UserPoolEventType::UserPoolUpdated => "updated",
        UserPoolEventType::UserPoolDeleted => "deleted",
        UserPoolEventType::UserPoolDomainCreated => "domain-created",
        UserPoolEventType::UserPoolDomainDeleted => "domain-deleted",
        // Of a newer server.
        UserPoolEventType::Unspecified => return format!("type {}", event.r#type),
    };
    name.to_owned()
}

fn style(event: &UserPoolEvent) -> Style {
    let colour = match event.r#type() {
        UserPoolEventType::UserPoolCreated | UserPoolEventType::UserPoolDomainCreated => {
            AnsiColor::Green
        }
        UserPoolEventType::UserPoolDeleted | UserPoolEventType::UserPoolDomainDeleted => {
            AnsiColor::Red
        }
        UserPoolEventType::UserPoolUpdated | UserPoolEventType::Unspecified => AnsiColor::Yellow,
    };
    colour.on_default()
}

/// Who it was; where nobody vouched for the caller, where the call came from.
fn actor(event: &UserPoolEvent) -> String {
    let Some(actor) = &event.actor else { return String::new() };
    printable(match actor.kind() {
        ActorKind::Anonymous | ActorKind::Unspecified => &actor.peer_address,
        ActorKind::Certificate | ActorKind::Token | ActorKind::LocalProcess => &actor.subject,
    })
}

fn what(event: &UserPoolEvent) -> String {
    let what = match &event.payload {
        Some(Payload::UserPoolCreated(created)) => {
            created.user_pool.as_ref().and_then(|pool| pool.name.clone()).unwrap_or_default()
        }
        Some(Payload::UserPoolUpdated(updated)) => updated.changed_paths.join(", "),
        Some(Payload::UserPoolDomainCreated(created)) => created.domain.clone(),
        Some(Payload::UserPoolDomainDeleted(deleted)) => deleted.domain.clone(),
        Some(Payload::UserPoolDeleted(_)) | None => String::new(),
    };
    printable(&what)
}
