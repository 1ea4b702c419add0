//! Events as lines of text: type, actor, change.

use anstyle::{AnsiColor, Style};
use clap::ValueEnum;

use crate::{
    auth::Identity,
    proto::{ActorKind, EventChange, UserPoolEvent, UserPoolEventType},
    user_pool,
};

use super::{cell::Cell, terminal, text::escape};

/// The types of events, by the names that are printed.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum EventTypeName {
    Created,
    Updated,
    Deleted,
    DomainCreated,
    DomainUpdated,
    DomainDeleted,
    Tagged,
    Untagged,
    AttributesAdded,
    MfaSet,
    Restored,
}

impl From<EventTypeName> for UserPoolEventType {
    fn from(name: EventTypeName) -> Self {
        match name {
            EventTypeName::Created => Self::UserPoolCreated,
            EventTypeName::Updated => Self::UserPoolUpdated,
            EventTypeName::Deleted => Self::UserPoolDeleted,
            EventTypeName::DomainCreated => Self::UserPoolDomainCreated,
            EventTypeName::DomainUpdated => Self::UserPoolDomainUpdated,
            EventTypeName::DomainDeleted => Self::UserPoolDomainDeleted,
            EventTypeName::Tagged => Self::UserPoolTagged,
            EventTypeName::Untagged => Self::UserPoolUntagged,
            EventTypeName::AttributesAdded => Self::CustomAttributesAdded,
            EventTypeName::MfaSet => Self::UserPoolMfaConfigSet,
            EventTypeName::Restored => Self::UserPoolRestored,
        }
    }
}

/// The widths of columns that are printed one by one.
const PLACE: usize = 8;
const TIME: usize = 20;
const SHORT_TIME: usize = 17;
const SHORTEST_TIME: usize = 12;
const POOL: usize = 19;
const TYPE: usize = 16;
const ACTOR: usize = 24;
/// The width of an address with its port, by which anonymous callers differ: an IPv4 address.
const ADDRESS: usize = "255.255.255.255:65535".len();
/// The minimum width of a column that is shortened.
const MIN_CELL: usize = 12;
/// The events of all user pools have no positions in a terminal with fewer columns than this,
/// so that there is space for the actors.
const MIN_COLUMNS_FOR_POSITION: usize = 100;

/// The paths of names, which need no explanation.
const NAMES: [&str; 3] = ["pool_name", "domain", "custom_domain"];

/// The columns of the history of one user pool.
pub(super) const COLUMNS: [&str; 5] = ["#REVISION", "TIME", "TYPE", "~ACTOR", "~WHAT"];

/// The row of an event in the history of one user pool.
pub(super) fn row(event: &UserPoolEvent) -> Vec<Cell> {
    vec![
        event.revision.to_string().into(),
        Cell::Time(event.record_time),
        type_name(event).into(),
        actor_name(event).into(),
        change(event),
    ]
}

/// The layout of events that are printed one by one, with fixed column widths.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum EventLayout {
    /// The events of one user pool, by revision.
    Pool,
    /// The events of all user pools, by position.
    Log,
}

/// The widths of the columns that fit a terminal. The last column has no width in a file or
/// pipe, where nothing is shortened.
#[derive(Debug, Clone, Copy)]
struct Widths {
    /// 0 if there is no space for the column.
    place: usize,
    time: usize,
    /// 0 if there is no space for the column.
    actor: usize,
    change: usize,
}

impl EventLayout {
    pub(super) fn heading(self) -> String {
        let place = match self {
            Self::Pool => "REVISION",
            Self::Log => "POSITION",
        };
        let [time, pool, event_type, actor, change] =
            ["TIME", "POOL", "TYPE", "ACTOR", "WHAT"].map(|name| Cell::from(name.to_owned()));
        let bold = Style::new().bold();
        let line = self.format(place, &pool, (&event_type, Style::new()), [&time, &actor, &change]);
        format!("{bold}{line}{bold:#}")
    }

    pub(super) fn line(self, event: &UserPoolEvent) -> String {
        let place = match self {
            Self::Pool => event.revision,
            Self::Log => event.position,
        };
        let (pool, event_type) = (escape(&event.user_pool_id).into(), type_name(event).into());
        let (actor, change) = (actor_name(event).into(), change(event));
        let cells = [&Cell::Time(event.record_time), &actor, &change];
        self.format(&place.to_string(), &pool, (&event_type, type_style(event)), cells)
    }

    fn format(
        self,
        place: &str,
        pool: &Cell,
        (event_type, style): (&Cell, Style),
        [time, actor, change]: [&Cell; 3],
    ) -> String {
        let widths = self.widths(terminal::columns());
        let pool = match self {
            Self::Pool => String::new(),
            Self::Log => format!("{:<POOL$}  ", pool.text()),
        };
        let (time, event_type) = (time.fit(widths.time), event_type.text());
        let actor = match widths.actor {
            0 => String::new(),
            width => format!("{:<width$}  ", actor.fit(width)),
        };
        let change = change.fit(widths.change);
        let place = match widths.place {
            0 => String::new(),
            width => format!("{place:>width$}  "),
        };
        let line = format!(
            "{place}{time:<0$}  {pool}{style}{event_type:<TYPE$}{style:#}  {actor}{change}",
            widths.time
        );
        line.trim_end().to_owned()
    }

    /// The widths in a terminal with this number of columns, if there is one.
    fn widths(self, columns: Option<usize>) -> Widths {
        let Some(columns) = columns else {
            return Widths { place: PLACE, time: TIME, actor: ACTOR, change: usize::MAX };
        };
        let (place, pool) = match self {
            Self::Pool => (PLACE, 0),
            Self::Log if columns < MIN_COLUMNS_FOR_POSITION => (0, POOL + 2),
            Self::Log => (PLACE, POOL + 2),
        };
        let gap = if place == 0 { 0 } else { 2 };
        let left = columns.saturating_sub(place + gap + pool + TYPE + 2);
        // A time is shortened before an address loses its port.
        let time = match left.saturating_sub(2 + ADDRESS + 2 + MIN_CELL) {
            TIME.. => TIME,
            SHORT_TIME.. => SHORT_TIME,
            _ if place == 0 => SHORTEST_TIME,
            _ => SHORT_TIME,
        };
        let left = left.saturating_sub(time + 2);
        let half = left.saturating_sub(2) / 2;
        let half = half.max(ADDRESS.min(left.saturating_sub(2 + MIN_CELL)));
        let actor = match half {
            ACTOR.. => ACTOR,
            MIN_CELL.. => half,
            _ => 0,
        };
        let rest = if actor == 0 { left } else { left - actor - 2 };
        let change = if rest > MIN_CELL { rest } else { MIN_CELL };
        Widths { place, time, actor, change }
    }
}

/// The name of the type of an event.
pub(super) fn type_name(event: &UserPoolEvent) -> String {
    let name = match event.r#type() {
        UserPoolEventType::UserPoolCreated => "created",
        UserPoolEventType::UserPoolUpdated => "updated",
        UserPoolEventType::UserPoolDeleted => "deleted",
        UserPoolEventType::UserPoolDomainCreated => "domain-created",
        UserPoolEventType::UserPoolDomainUpdated => "domain-updated",
        UserPoolEventType::UserPoolDomainDeleted => "domain-deleted",
        UserPoolEventType::UserPoolTagged => "tagged",
        UserPoolEventType::UserPoolUntagged => "untagged",
        UserPoolEventType::CustomAttributesAdded => "attributes-added",
        UserPoolEventType::UserPoolMfaConfigSet => "mfa-set",
        UserPoolEventType::UserPoolRestored => "restored",
        // A type that only a newer server knows.
        UserPoolEventType::Unspecified => return format!("type {}", event.r#type),
    };
    name.to_owned()
}

fn type_style(event: &UserPoolEvent) -> Style {
    let color = match event.r#type() {
        UserPoolEventType::UserPoolCreated
        | UserPoolEventType::UserPoolDomainCreated
        | UserPoolEventType::UserPoolRestored => AnsiColor::Green,
        UserPoolEventType::UserPoolDeleted | UserPoolEventType::UserPoolDomainDeleted => {
            AnsiColor::Red
        }
        UserPoolEventType::UserPoolUpdated
        | UserPoolEventType::UserPoolDomainUpdated
        | UserPoolEventType::UserPoolTagged
        | UserPoolEventType::UserPoolUntagged
        | UserPoolEventType::CustomAttributesAdded
        | UserPoolEventType::UserPoolMfaConfigSet
        | UserPoolEventType::Unspecified => AnsiColor::Yellow,
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

/// The identity of the caller, as grants and the process log name it: `token:NAME`.
pub(super) fn actor_identity(event: &UserPoolEvent) -> String {
    let Some(actor) = &event.actor else { return String::new() };
    Identity { kind: actor.kind(), subject: actor.subject.clone() }.to_string()
}

/// The address of the caller; empty for a Unix socket.
pub(super) fn peer_address(event: &UserPoolEvent) -> String {
    event.actor.as_ref().map(|actor| actor.peer_address.clone()).unwrap_or_default()
}

/// What changed, in a few words. Of a full event, the values before it are not known.
pub(super) fn change(event: &UserPoolEvent) -> Cell {
    let of_whole = event.payload.as_ref().map(|payload| user_pool::changes(payload, None));
    let changes = of_whole.as_ref().unwrap_or(&event.changes);
    let item = |change| escape(&describe(change, event.r#type()));
    Cell::List(changes.iter().map(item).collect())
}

/// A change of one field: `path: old → new`. A name stands for itself if the type of the event says
/// whether it is the old or the new one, and so does an attribute that was added. The prefix
/// `user_pool_tags` is omitted for events that change only tags.
fn describe(change: &EventChange, event_type: UserPoolEventType) -> String {
    let EventChange { path, old_value, new_value, old_value_unknown } = change;
    let attribute = path.strip_prefix("schema_attributes.");
    let is_of_tags = matches!(
        event_type,
        UserPoolEventType::UserPoolTagged | UserPoolEventType::UserPoolUntagged
    );
    let tag = path.strip_prefix("user_pool_tags.").filter(|_| is_of_tags);
    let path = attribute.or(tag).unwrap_or(path);
    if path == user_pool::RESTORED_REVISION {
        return format!("to revision {}", new_value.as_deref().unwrap_or_default());
    }
    if path == user_pool::DELETED {
        return "was deleted".to_owned();
    }
    // A restore can give a domain to the user pool or take it away.
    let is_name = NAMES.contains(&path)
        && !old_value_unknown
        && event_type != UserPoolEventType::UserPoolRestored;
    match (old_value, new_value) {
        (None, Some(name)) | (Some(name), None) if is_name => name.clone(),
        (Some(old), Some(new)) if is_name && old == new => new.clone(),
        (None, Some(_)) if attribute.is_some() => path.to_owned(),
        (Some(old), Some(new)) => format!("{path}: {old} → {new}"),
        (Some(old), None) => format!("{path}: {old} → none"),
        (None, Some(new)) => format!("{path}: {new}"),
        // A full event does not say what was there.
        (None, None) => format!("{path}: none"),
    }
}
