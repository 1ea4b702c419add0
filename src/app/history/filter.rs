//! Which events a list or a watch returns.

use std::fmt::Display;

use memchr::memmem;
use prost::Message as _;
use prost_types::Timestamp;
use uuid::Uuid;

use crate::{
    app::context::{MAX_CORRELATION_ID_BYTES, is_correlation_id},
    proto::{
        self, ActorKind, SubjectPattern, UserPoolEvent, UserPoolEventFilter, UserPoolEventType,
    },
    user_pool::{Check, DOMAIN_EVENT_TYPES, Rule, UserPoolId, fields, touches_domain},
};

use super::peer_filter::PeerFilter;

/// More than a subject has, and few enough for a pattern that is compiled for each call.
const MAX_SUBJECT_PATTERN_CHARS: usize = 2048;

/// Which events to return. An event must meet all conditions.
#[derive(Debug, Clone, Default)]
pub struct EventFilter {
    /// Only events of this user pool.
    pub user_pool_id: Option<UserPoolId>,
    /// All conditions, those of the other fields included.
    conditions: UserPoolEventFilter,
    actor_subject: Option<SubjectPattern>,
    peer: Option<PeerFilter>,
    /// In the form in which it is recorded.
    request_id: Option<String>,
}

impl EventFilter {
    /// Trusts conditions that were checked with [`check_filter`].
    pub(super) fn new(conditions: UserPoolEventFilter) -> Self {
        let user_pool_id = conditions.user_pool_id.clone().map(UserPoolId::from_trusted);
        let actor_subject = conditions.actor_subject.as_deref();
        let peer = conditions.peer_address.as_deref();
        let request_id = conditions.request_id.as_deref();
        Self {
            user_pool_id,
            // The check made sure that these can be parsed.
            actor_subject: actor_subject.and_then(|subject| subject.parse().ok()),
            peer: peer.and_then(|address| address.parse().ok()),
            request_id: request_id.and_then(|id| Some(Uuid::try_parse(id).ok()?.to_string())),
            conditions,
        }
    }

    /// Whether the filter has no conditions.
    #[must_use]
    pub fn matches_all(&self) -> bool {
        self.conditions == UserPoolEventFilter::default()
    }

    /// Whether the event meets the conditions.
    #[must_use]
    pub fn matches(&self, event: &UserPoolEvent) -> bool {
        self.matches_envelope(event) && self.matches_payload(event)
    }

    /// Whether a record with this body can hold an event that meets the conditions. A text that
    /// such an event has is in the body as it is, so most other records need not be decoded.
    #[must_use]
    pub fn may_match(&self, body: &[u8]) -> bool {
        let UserPoolEventFilter { correlation_id, domain, .. } = &self.conditions;
        let texts = [correlation_id, domain, &self.request_id];
        texts.into_iter().flatten().all(|text| memmem::find(body, text.as_bytes()).is_some())
    }

    /// Whether the event meets the conditions that do not depend on its payload.
    #[must_use]
    pub fn matches_envelope(&self, event: &UserPoolEvent) -> bool {
        let UserPoolEventFilter {
            user_pool_id,
            types,
            actor_subject: _,
            start_time: _,
            end_time: _,
            peer_address: _,
            correlation_id,
            request_id: _,
            domain,
            actor_kind,
        } = &self.conditions;
        let actor = event.actor.as_ref();
        user_pool_id.as_ref().is_none_or(|id| event.user_pool_id == *id)
            && (types.is_empty() || types.contains(&event.r#type))
            && (domain.is_none() || names_a_domain(event.r#type))
            && correlation_id.as_ref().is_none_or(|id| event.correlation_id == *id)
            && (*actor_kind == 0 || actor.is_some_and(|actor| actor.kind == *actor_kind))
            && self.request_id.as_ref().is_none_or(|id| event.request_id.as_ref() == Some(id))
            && self
                .actor_subject
                .as_ref()
                .is_none_or(|pattern| actor.is_some_and(|actor| pattern.matches(&actor.subject)))
            && self
                .peer
                .is_none_or(|peer| actor.is_some_and(|actor| peer.matches(&actor.peer_address)))
            && !self.is_before_start(event)
            && self.is_before_end(event)
    }

    /// Whether [`matches`](Self::matches) needs the payload of an event.
    #[must_use]
    pub const fn needs_payload(&self) -> bool {
        self.conditions.domain.is_some()
    }

    fn matches_payload(&self, event: &UserPoolEvent) -> bool {
        let Some(domain) = self.conditions.domain.as_deref() else { return true };
        event.payload.as_ref().is_some_and(|payload| touches_domain(payload, domain))
    }

    /// Whether the filter has a start time.
    #[must_use]
    pub const fn has_start(&self) -> bool {
        self.conditions.start_time.is_some()
    }

    /// Whether the filter has an end time.
    #[must_use]
    pub const fn has_end(&self) -> bool {
        self.conditions.end_time.is_some()
    }

    /// Whether the event was recorded before the start time.
    #[must_use]
    pub fn is_before_start(&self, event: &UserPoolEvent) -> bool {
        let start = self.conditions.start_time.map(proto::sort_key);
        start.is_some_and(|start| event.record_time.map(proto::sort_key) < Some(start))
    }

    /// Whether the event was recorded before the end time.
    #[must_use]
    pub fn is_before_end(&self, event: &UserPoolEvent) -> bool {
        let end = self.conditions.end_time.map(proto::sort_key);
        end.is_none_or(|end| event.record_time.map(proto::sort_key) < Some(end))
    }

    /// The encoded conditions, which identify the filter.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        self.conditions.encode_to_vec()
    }
}

/// Checks each condition: an event can meet it.
pub(super) fn check_filter(check: &mut Check, filter: &UserPoolEventFilter) {
    fields::optional_user_pool_id(check, filter.user_pool_id.as_ref());
    check.enum_values("types", &filter.types, UserPoolEventType::as_str_name);
    check.time("start_time", filter.start_time.as_ref());
    check.time("end_time", filter.end_time.as_ref());
    check_subject(check, filter.actor_subject.as_ref());
    check_actor_kind(check, filter);
    let address = filter.peer_address.as_ref();
    if let Some((address, Err(error))) =
        address.map(|address| (address, address.parse::<PeerFilter>()))
    {
        refuse(check, "peer_address", address, &error);
    }
    check_correlation_id(check, filter.correlation_id.as_ref());
    fields::request_id(check, filter.request_id.as_ref());
    fields::optional_domain(check, filter.domain.as_ref());
    if filter.domain.is_some()
        && !filter.types.is_empty()
        && !filter.types.iter().any(|event_type| names_a_domain(*event_type))
    {
        let names = DOMAIN_EVENT_TYPES.map(|event_type| event_type.as_str_name()).join(", ");
        let allowed = format!(
            "must have the type of an event that names a domain ({names}), or be empty, if domain \
             is set"
        );
        let types =
            filter.types.iter().filter_map(|number| UserPoolEventType::try_from(*number).ok());
        let types: Vec<_> = types.map(|event_type| event_type.as_str_name()).collect();
        check.refuse(
            "types",
            Rule::Conflict,
            Some(&types.join(", ")),
            &allowed,
            "have the type of an event that names a domain",
        );
    }
}

/// Whether events of this type can name a domain.
fn names_a_domain(event_type: i32) -> bool {
    DOMAIN_EVENT_TYPES.iter().any(|named| i32::from(*named) == event_type)
}

/// No event is in an empty range.
pub(super) fn check_time_range(
    check: &mut Check,
    start: Option<Timestamp>,
    end: Option<Timestamp>,
) {
    let (Some(start), Some(end)) = (start, end) else { return };
    if proto::sort_key(start) >= proto::sort_key(end) {
        let shown = proto::format_time(end);
        let allowed = "must be later than start_time";
        check.refuse("end_time", Rule::Conflict, Some(&shown), allowed, "be later than startTime");
    }
}

fn check_subject(check: &mut Check, pattern: Option<&String>) {
    check.length("actor_subject", pattern, 0..=MAX_SUBJECT_PATTERN_CHARS);
    if let Some(pattern) = pattern.filter(|pattern| pattern.chars().any(char::is_control)) {
        let shown = pattern.escape_default();
        refuse(check, "actor_subject", &shown, &"have no control characters: no subject has them");
    }
}

/// Checks that an actor of this kind can have the subject and the address.
fn check_actor_kind(check: &mut Check, filter: &UserPoolEventFilter) {
    let kind = filter.actor_kind();
    if filter.actor_kind != 0 {
        check.enum_value("actor_kind", Some(filter.actor_kind), ActorKind::as_str_name);
    }
    let mut conflict = |field, value: &str, remedy: &str| {
        let remedy = format!("{remedy}, because actor_kind is {}", kind.as_str_name());
        let allowed = format!("must {remedy}");
        check.refuse(field, Rule::Conflict, Some(&value.escape_default()), &allowed, &remedy);
    };
    let (subject, address) = (filter.actor_subject.as_deref(), filter.peer_address.as_deref());
    let matches_empty =
        |pattern: &str| pattern.parse::<SubjectPattern>().is_ok_and(|pattern| pattern.matches(""));
    match (kind, subject, address) {
        (ActorKind::Anonymous, Some(subject), _) if !matches_empty(subject) => {
            conflict("actor_subject", subject, "be empty or absent");
        }
        (
            ActorKind::Certificate
            | ActorKind::Token
            | ActorKind::LocalProcess
            | ActorKind::AccessKey,
            Some(""),
            _,
        ) => conflict("actor_subject", "", "not be empty"),
        (ActorKind::LocalProcess, _, Some(address)) => {
            conflict("peer_address", address, "be absent");
        }
        (
            ActorKind::Unspecified
            | ActorKind::Anonymous
            | ActorKind::Certificate
            | ActorKind::Token
            | ActorKind::LocalProcess
            | ActorKind::AccessKey,
            _,
            _,
        ) => (),
    }
}

fn check_correlation_id(check: &mut Check, id: Option<&String>) {
    if let Some(id) = id.filter(|id| !is_correlation_id(id)) {
        let remedy = format!(
            "have 1 to {MAX_CORRELATION_ID_BYTES} visible ASCII characters, has {} bytes",
            id.len()
        );
        refuse(check, "correlation_id", &id.escape_default(), &remedy);
    }
}

/// Refuses a text that no event can have. `remedy` continues "must".
fn refuse(check: &mut Check, field: &str, value: &dyn Display, remedy: &dyn Display) {
    let (allowed, constraint) = (format!("must {remedy}"), remedy.to_string());
    check.refuse(field, Rule::Pattern, Some(value), &allowed, &constraint);
}
