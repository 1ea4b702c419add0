//! The arguments that choose events.

use chrono::{DateTime, Utc};
use clap::Args;
use prost_types::Timestamp;

use crate::proto::{self, ActorArg, TimeArg, UserPoolEventFilter, UserPoolEventType};

use super::{error::CliError, event::EventTypeName};

/// Which events to show: those that meet all conditions. The server refuses a condition that no
/// event can meet.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Filters")]
pub(super) struct FilterArgs {
    /// Show only events of these types, separated by commas. If omitted, of all types.
    #[arg(long = "type", visible_alias = "types", value_name = "TYPES", value_delimiter = ',')]
    types: Vec<EventTypeName>,
    /// Show only events of this caller, in any form in which callers are printed: with its kind
    /// (token:NAME, certificate:NAME, access-key:NAME, local:uid=0) or without (NAME, uid=0), by
    /// its address (192.0.2.7:41152), or "anonymous". A name that looks like another of these forms
    /// needs its kind (token:token:x). In a name, * matches any text without a slash, and ** any
    /// text, as in the patterns of roles.
    #[arg(long, value_name = "ACTOR")]
    actor: Option<ActorArg>,
    /// Show only events of calls from this address (192.0.2.7), from one port of it
    /// (192.0.2.7:41152), or from this network (10.0.0.0/8).
    #[arg(long, value_name = "ADDRESS")]
    address: Option<String>,
    /// Show only events that gave this domain to a user pool, changed it, or took it away.
    #[arg(long, value_name = "DOMAIN")]
    domain: Option<String>,
    /// Show only events of the call with this correlation ID, which its answer, the log of the
    /// server and every error have as well ("x-request-id").
    #[arg(long, value_name = "ID")]
    correlation_id: Option<String>,
    /// Show only events of changes that were requested under this ID, the idempotency key.
    #[arg(long, value_name = "UUID")]
    request_id: Option<String>,
}

/// When the events were recorded.
#[derive(Debug, Clone, Copy, Args)]
#[command(next_help_heading = "Filters")]
pub(super) struct TimeRangeArgs {
    /// Show only events recorded at this time or later: a time (2026-11-17T10:00:00Z), a date
    /// (2026-11-17), or a duration before now (90s, 15m, 2h, 3d, 1w).
    #[arg(long, value_name = "TIME")]
    pub(super) since: Option<TimeArg>,
    /// Show only events recorded before this time, in the same formats; a date includes its day.
    #[arg(long, value_name = "TIME")]
    until: Option<TimeArg>,
}

/// A range whose times are known.
#[derive(Debug, Clone, Copy)]
pub(super) struct TimeRange {
    pub(super) start_time: Option<Timestamp>,
    /// The first time after the range.
    pub(super) end_time: Option<Timestamp>,
}

impl TimeRange {
    /// Resolves `--since` and `--until` at `now`.
    ///
    /// # Errors
    /// The range is empty.
    pub(super) fn resolve(
        since: Option<TimeArg>,
        until: Option<TimeArg>,
        now: DateTime<Utc>,
    ) -> Result<Self, CliError> {
        let start_time = since.map(|time| time.timestamp(now));
        let end_time = until.map(|time| time.end_timestamp(now));
        let is_empty = start_time.zip(end_time).is_some_and(|(start_time, end_time)| {
            proto::sort_key(start_time) >= proto::sort_key(end_time)
        });
        match (is_empty, since, until) {
            (false, _, _) => Ok(Self { start_time, end_time }),
            (true, Some(TimeArg::Ago(_)), Some(TimeArg::Ago(_))) => Err(CliError::argument(
                "--until must be later than --since; the longer a duration before now, the earlier \
                 the time",
            )),
            (true, _, _) => Err(CliError::argument("--until must be later than --since")),
        }
    }
}

impl FilterArgs {
    /// The filter of a request, for one user pool or for all.
    ///
    /// # Errors
    /// The arguments name two addresses.
    pub(super) fn filter(
        self,
        user_pool_id: Option<String>,
    ) -> Result<UserPoolEventFilter, CliError> {
        let ActorArg { kind, subject, address } = self.actor.unwrap_or_default();
        if address.is_some() && self.address.is_some() {
            return Err(CliError::argument(
                "--actor names an address as well as --address; give one of them",
            ));
        }
        let types = self.types.iter().map(|name| UserPoolEventType::from(*name).into());
        Ok(UserPoolEventFilter {
            user_pool_id,
            types: types.collect(),
            actor_subject: subject,
            start_time: None,
            end_time: None,
            peer_address: self.address.or(address),
            correlation_id: self.correlation_id,
            request_id: self.request_id,
            domain: self.domain,
            actor_kind: kind.into(),
        })
    }
}

impl TimeRangeArgs {
    /// The same filter, for events in this range.
    ///
    /// # Errors
    /// The range is empty.
    pub(super) fn within(
        self,
        filter: UserPoolEventFilter,
        now: DateTime<Utc>,
    ) -> Result<UserPoolEventFilter, CliError> {
        let TimeRange { start_time, end_time } = TimeRange::resolve(self.since, self.until, now)?;
        Ok(UserPoolEventFilter { start_time, end_time, ..filter })
    }
}
