//! The filter of events in an address, and the same as options of a command.

use chrono::TimeDelta;
use maud::{Markup, html};
use prost_types::Timestamp;

use crate::proto::{self, ActorArg, UserPoolEvent, UserPoolEventFilter};

use super::{
    answer::Command,
    failure::Failure,
    kind::{KINDS, kind_named},
    text::printable,
    url::Query,
    visit::Visit,
};

/// The parameters of the filter, without that of the user pool.
pub(super) const PARAMETERS: [&str; 8] =
    ["type", "actor", "address", "correlation", "request", "domain", "since", "until"];

/// Reads the filter from the address.
pub(super) fn events(visit: &Visit, pool: Option<&str>) -> Result<UserPoolEventFilter, Failure> {
    let types = types(&visit.query).map(|name| {
        let kind = kind_named(name).ok_or_else(|| Failure::Parameter {
            name: "type",
            value: name.to_owned(),
            expected: format!("must be one of {}", KINDS.map(|kind| kind.name).join(", ")),
        })?;
        Ok(i32::from(kind.event_type))
    });
    let text = |name: &str| visit.query.get(name).map(str::to_owned);
    let ActorArg { kind, subject, address } = text("actor").map(ActorArg::from).unwrap_or_default();
    if let (Some(_), Some(value)) = (&address, text("address")) {
        let expected = "must be left out if the caller is an address".to_owned();
        return Err(Failure::Parameter { name: "address", value, expected });
    }
    Ok(UserPoolEventFilter {
        user_pool_id: pool.map(str::to_owned),
        types: types.collect::<Result<_, Failure>>()?,
        actor_subject: subject,
        start_time: visit.since()?,
        end_time: visit.until()?,
        peer_address: text("address").or(address),
        correlation_id: text("correlation"),
        request_id: text("request"),
        domain: text("domain"),
        actor_kind: kind.into(),
    })
}

/// The names of the types: each in a parameter of its own, as a form sends them, or separated by
/// commas, as the commands take them.
pub(super) fn types(query: &Query) -> impl Iterator<Item = &str> {
    query.all("type").flat_map(|names| names.split(',')).map(str::trim)
}

/// The end of a list that begins with an event recorded at this time. Events are recorded at whole
/// milliseconds.
pub(super) fn just_after(time: Option<Timestamp>) -> Option<Timestamp> {
    let next =
        time.and_then(proto::to_date_time)?.checked_add_signed(TimeDelta::milliseconds(1))?;
    Some(proto::to_timestamp(next))
}

/// Adds the filter to a command. `events` are those of the page; a page that is not the first one
/// begins with another event than the filter alone says, as does one with an `end`.
pub(super) fn options(
    visit: &Visit,
    command: Command,
    events: &[UserPoolEvent],
    end: Option<Timestamp>,
) -> Command {
    let types = types(&visit.query).collect::<Vec<_>>().join(",");
    let first = events.first().filter(|_| !visit.token().is_empty());
    let end = first.map_or(end, |first| just_after(first.record_time));
    let of = |name: &str| visit.query.get(name);
    let until = end.map(proto::format_time).or_else(|| of("until").map(str::to_owned));
    command
        .option("--type", Some(types.as_str()).filter(|types| !types.is_empty()))
        .option("--since", of("since"))
        .option("--until", until.as_deref())
        .option("--actor", of("actor"))
        .option("--address", of("address"))
        .option("--correlation-id", of("correlation"))
        .option("--request-id", of("request"))
        .option("--domain", of("domain"))
}

/// A field of the form of a filter.
pub(super) fn field(visit: &Visit, name: &str, label: &str, size: u32, example: &str) -> Markup {
    let value = printable(visit.query.get(name).unwrap_or_default());
    html! {
        label.field {
            (label) " "
            input name=(name) size=(size) placeholder=(example) value=(value) autocomplete="off"
                spellcheck="false";
        }
    }
}

/// The form of a filter. Where there is little room, it is folded unless it is in use.
pub(super) fn folded(visit: &Visit, more: &str, form: &Markup) -> Markup {
    let is_used = visit.query.has_any(&PARAMETERS) || visit.query.get(more).is_some();
    html! { details.fold open[is_used] { summary { "Filter" } (form) } }
}

/// The sentence of a list without events.
pub(super) fn nothing(visit: &Visit, is_complete: bool) -> Markup {
    let is_filtered = visit.query.has_any(&PARAMETERS) || visit.query.get("pool").is_some();
    html! {
        div.pad {
            @if !is_complete {
                p { "No event matches among those that the server looked at so far; it goes on \
                     with older ones on the next page." }
            } @else if is_filtered {
                p { "No event matches. " a href=(visit.route.path()) { "Show all events" }
                    ", or widen the filter: a pattern such as " code { "**" }
                    " for the caller, or an earlier time. A call that was refused recorded no event; \
                     the log of the server's process has it, by its correlation ID." }
            } @else {
                p { "Nothing has been recorded yet." }
            }
        }
    }
}
