//! Events as lines of text: type, actor, change.

use anstyle::{AnsiColor, Style};
use clap::ValueEnum;

use crate::proto::{ActorKind, UserPoolEvent, UserPoolEventType, user_pool_event::Payload};

use super::text::{escape, format_time};

/// The types of events, by the names that are printed.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum EventKind {
    Created,
    Updated,
    Deleted,
    DomainCreated,
    DomainDeleted,
}

impl From<EventKind> for UserPoolEventType {
    fn from(kind: EventKind) -> Self {
        match kind {
            EventKind::Created => Self::UserPoolCreated,
            EventKind::Updated => Self::UserPoolUpdated,
            EventKind::Deleted => Self::UserPoolDeleted,
            EventKind::DomainCreated => Self::UserPoolDomainCreated,
            EventKind::DomainDeleted => Self::UserPoolDomainDeleted,
        }
    }
}

/// The columns of the history of one user pool.
pub(super) const COLUMNS: [&str; 5] = ["#REVISION", "TIME", "TYPE", "ACTOR", "WHAT"];

/// The row of an event in the history of one user pool.
pub(super) fn row(event: &UserPoolEvent) -> Vec<String> {
    let (kind, actor, change) = (kind_name(event), actor_name(event), change(event));
    vec![event.revision.to_string(), format_time(event.record_time), kind, actor, change]
}

/// The layout of events that are printed one by one, with fixed column widths.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum EventLayout {
    /// The events of one user pool, by revision.
    Pool,
    /// The events of all user pools, by position.
    Log,
}

impl EventLayout {
    pub(super) fn heading(self) -> String {
        let bold = Style::new().bold();
        let line = match self {
            Self::Pool => {
                format_columns("REVISION", "TIME", "", ("TYPE", Style::new()), "ACTOR", "WHAT")
            }
            Self::Log => {
                format_columns("POSITION", "TIME", "POOL", ("TYPE", Style::new()), "ACTOR", "WHAT")
            }
        };
        format!("{bold}{line}{bold:#}")
    }

    pub(super) fn line(self, event: &UserPoolEvent) -> String {
        let (place, pool) = match self {
            Self::Pool => (event.revision, String::new()),
            Self::Log => (event.position, escape(&event.user_pool_id)),
        };
        let (kind, actor, change) = (kind_name(event), actor_name(event), change(event));
        let time = format_time(event.record_time);
        format_columns(
            &place.to_string(),
            &time,
            &pool,
            (&kind, kind_style(event)),
            &actor,
            &change,
        )
    }
}

fn format_columns(
    place: &str,
    time: &str,
    pool: &str,
    (kind, style): (&str, Style),
    actor: &str,
    change: &str,
) -> String {
    let pool = if pool.is_empty() { String::new() } else { format!("{pool:<19}  ") };
    let line =
        format!("{place:>8}  {time:<20}  {pool}{style}{kind:<14}{style:#}  {actor:<24}  {change}");
    line.trim_end().to_owned()
}

fn kind_name(event: &UserPoolEvent) -> String {
    let name = match event.r#type() {
        UserPoolEventType::UserPoolCreated => "created",
        UserPoolEventType::UserPoolUpdated => "updated",
        UserPoolEventType::UserPoolDeleted => "deleted",
        UserPoolEventType::UserPoolDomainCreated => "domain-created",
        UserPoolEventType::UserPoolDomainDeleted => "domain-deleted",
        // A type that only a newer server knows.
        UserPoolEventType::Unspecified => return format!("type {}", event.r#type),
    };
    name.to_owned()
}

fn kind_style(event: &UserPoolEvent) -> Style {
    let color = match event.r#type() {
        UserPoolEventType::UserPoolCreated | UserPoolEventType::UserPoolDomainCreated => {
            AnsiColor::Green
        }
        UserPoolEventType::UserPoolDeleted | UserPoolEventType::UserPoolDomainDeleted => {
            AnsiColor::Red
        }
        UserPoolEventType::UserPoolUpdated | UserPoolEventType::Unspecified => AnsiColor::Yellow,
    };
    color.on_default()
}

/// The identity of the caller, or its address if it is not authenticated.
fn actor_name(event: &UserPoolEvent) -> String {
    let Some(actor) = &event.actor else { return String::new() };
    escape(match actor.kind() {
        ActorKind::Anonymous | ActorKind::Unspecified => &actor.peer_address,
        ActorKind::Certificate
        | ActorKind::Token
        | ActorKind::AccessKey
        | ActorKind::LocalProcess => &actor.subject,
    })
}

/// The change in a few words.
fn change(event: &UserPoolEvent) -> String {
    let change = match &event.payload {
        Some(Payload::UserPoolCreated(created)) => {
            created.user_pool.as_ref().and_then(|pool| pool.name.clone()).unwrap_or_default()
        }
        Some(Payload::UserPoolUpdated(updated)) => updated.changed_paths.join(", "),
        Some(Payload::UserPoolDomainCreated(created)) => created.domain.clone(),
        Some(Payload::UserPoolDomainDeleted(deleted)) => deleted.domain.clone(),
        Some(Payload::UserPoolDeleted(_)) | None => String::new(),
    };
    escape(&change)
}
