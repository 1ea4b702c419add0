//! What an event changed in a user pool, as short texts for people.

use std::collections::{BTreeMap, BTreeSet};

use prost_reflect::{DynamicMessage, FieldDescriptor, MapKey, Value};
use prost_types::Timestamp;
use serde_json::Value as Json;

use crate::proto::{EventChange, UserPool, UserPoolEvent, UserPoolRestored};

use super::{
    Event, UserPoolState, defaults,
    domain::is_custom_name,
    evolve,
    paths::{self, ChangedField},
};

/// The longest text of a value, in characters.
const MAX_VALUE_CHARS: usize = 256;
/// The mark of a text that is cut.
const ELLIPSIS: char = '…';

/// The fields that the service assigns, or that change with every event.
const SERVICE_FIELDS: [&str; 4] =
    ["id", "creation_date", "last_modified_date", "estimated_number_of_users"];
/// The attributes, of which each is listed by its name.
const ATTRIBUTES: &str = "schema_attributes";
const TAGS: &str = "user_pool_tags";
const POOL_NAME: &str = "pool_name";
/// The revision that a user pool was restored to, which is no field of it.
pub const RESTORED_REVISION: &str = "restored_revision";
/// Whether a user pool was deleted, which is no field of it.
pub const DELETED: &str = "deleted";

/// The summary of an event: who changed what, and when. `before` is the state before the event,
/// if it is known.
#[must_use]
pub fn summarize(event: UserPoolEvent, before: Option<&UserPoolState>) -> UserPoolEvent {
    let changes = event.payload.as_ref().map(|payload| changes(payload, before));
    UserPoolEvent {
        position: event.position,
        user_pool_id: event.user_pool_id,
        revision: event.revision,
        event_id: event.event_id,
        r#type: event.r#type,
        record_time: event.record_time,
        actor: event.actor,
        request_id: event.request_id,
        correlation_id: event.correlation_id,
        traceparent: event.traceparent,
        changes: changes.unwrap_or_default(),
        ..UserPoolEvent::default()
    }
}

/// Whether an event has the full state of its user pool, whatever that was before.
#[must_use]
pub const fn has_full_state(event: &Event) -> bool {
    match event {
        Event::UserPoolCreated(_) | Event::UserPoolUpdated(_) | Event::UserPoolRestored(_) => true,
        Event::UserPoolDeleted(_)
        | Event::UserPoolDomainCreated(_)
        | Event::UserPoolDomainUpdated(_)
        | Event::UserPoolDomainDeleted(_)
        | Event::UserPoolTagged(_)
        | Event::UserPoolUntagged(_)
        | Event::CustomAttributesAdded(_)
        | Event::UserPoolMfaConfigSet(_) => false,
    }
}

/// Whether [`changes`] are complete only if the state before the event is known. What an event
/// adds had no value before.
#[must_use]
pub const fn replaces_values(event: &Event) -> bool {
    match event {
        Event::UserPoolCreated(_)
        | Event::UserPoolDomainCreated(_)
        | Event::CustomAttributesAdded(_) => false,
        Event::UserPoolUpdated(_)
        | Event::UserPoolDeleted(_)
        | Event::UserPoolDomainUpdated(_)
        | Event::UserPoolDomainDeleted(_)
        | Event::UserPoolTagged(_)
        | Event::UserPoolUntagged(_)
        | Event::UserPoolMfaConfigSet(_)
        | Event::UserPoolRestored(_) => true,
    }
}

/// What an event changed, in the order of the fields. `before` is the state before the event, if
/// it is known.
#[must_use]
pub fn changes(event: &Event, before: Option<&UserPoolState>) -> Vec<EventChange> {
    let nothing = UserPool::default();
    match (event, before) {
        (Event::UserPoolCreated(_), _) => {
            let defaults = defaults::new_user_pool(UserPool::default());
            let added = to_changes(changed_by(event, &defaults)).into_iter();
            let added = added.map(|change| EventChange { old_value: None, ..change });
            added.filter(|change| change.new_value.is_some()).collect()
        }
        (Event::UserPoolDeleted(_), before) => {
            let pool = before.and_then(UserPoolState::user_pool);
            let name = pool.and_then(|pool| pool.name.as_deref());
            name.map(|name| removed(POOL_NAME, Some(name))).into_iter().collect()
        }
        (Event::UserPoolDomainUpdated(updated), before) => {
            let custom_domain = Some(updated.domain.clone()).filter(|name| is_custom_name(name));
            let owner = UserPool { custom_domain, ..UserPool::default() };
            let settings = match before.and_then(UserPoolState::user_pool) {
                Some(before) => to_changes(changed_by(event, before)),
                None => with_unknown_old_values(to_changes(changed_by(event, &owner))),
            };
            [vec![domain_name_change(&updated.domain)], settings].concat()
        }
        (Event::UserPoolRestored(restored), before) => {
            let settings = if let Some(before) = before {
                let last = before.last_user_pool().unwrap_or(&nothing);
                to_changes(changed_by(event, last))
            } else {
                let pool = restored.user_pool.as_ref().unwrap_or(&nothing);
                with_unknown_old_values(whole_fields(&restored.changed_paths, pool))
            };
            [restore_changes(restored), settings].concat()
        }
        (_, Some(before)) => to_changes(changed_by(event, before.user_pool().unwrap_or(&nothing))),
        (Event::UserPoolUpdated(updated), None) => {
            let pool = updated.user_pool.as_ref().unwrap_or(&nothing);
            with_unknown_old_values(whole_fields(&updated.changed_paths, pool))
        }
        (Event::UserPoolUntagged(untagged), None) => {
            let keys = untagged.tag_keys.iter();
            with_unknown_old_values(
                keys.map(|key| removed(&format!("{TAGS}.{key}"), None)).collect(),
            )
        }
        (Event::UserPoolDomainDeleted(deleted), None) => {
            vec![removed(domain_field(&deleted.domain), Some(&deleted.domain))]
        }
        (Event::UserPoolDomainCreated(_) | Event::CustomAttributesAdded(_), None) => {
            to_changes(changed_by(event, &nothing))
        }
        (Event::UserPoolTagged(_) | Event::UserPoolMfaConfigSet(_), None) => {
            with_unknown_old_values(to_changes(changed_by(event, &nothing)))
        }
    }
}

/// The changes of these fields to what they are in `pool`. Without the old value, it is not known
/// which tags or attributes differ, so they are one change.
fn whole_fields(changed_paths: &[String], pool: &UserPool) -> Vec<EventChange> {
    let fields = paths::fields_at(changed_paths, pool).into_iter();
    fields.map(|field| change(field.path, &field.field, None, field.after.as_ref())).collect()
}

/// The settings that an event changes in a user pool.
fn changed_by(event: &Event, before: &UserPool) -> Vec<ChangedField> {
    let state = UserPoolState::Active(Box::new(before.clone()));
    let after = evolve(state, event.clone(), Timestamp::default());
    let nothing = UserPool::default();
    let mut fields = paths::changed_fields(before, after.user_pool().unwrap_or(&nothing));
    let is_setting =
        |path: &str| SERVICE_FIELDS.iter().all(|field| path.split('.').next() != Some(field));
    fields.retain(|field| is_setting(&field.path));
    fields
}

fn domain_field(domain: &str) -> &'static str {
    if is_custom_name(domain) { "custom_domain" } else { "domain" }
}

/// The domain whose settings an event changed.
fn domain_name_change(domain: &str) -> EventChange {
    let path = domain_field(domain).to_owned();
    let name = Some(domain.to_owned());
    EventChange { path, old_value: name.clone(), new_value: name, old_value_unknown: false }
}

/// The revision that a user pool was restored to, and whether it was deleted before.
fn restore_changes(restored: &UserPoolRestored) -> Vec<EventChange> {
    let revision = EventChange {
        path: RESTORED_REVISION.to_owned(),
        new_value: Some(restored.restored_revision.to_string()),
        ..EventChange::default()
    };
    let deleted = restored.was_deleted.then(|| removed(DELETED, Some("true")));
    std::iter::once(revision).chain(deleted).collect()
}

fn removed(path: &str, old_value: Option<&str>) -> EventChange {
    EventChange { path: path.to_owned(), old_value: old_value.map(cut), ..EventChange::default() }
}

/// The same changes, of values that are not known.
fn with_unknown_old_values(mut changes: Vec<EventChange>) -> Vec<EventChange> {
    for change in &mut changes {
        change.old_value_unknown = true;
    }
    changes
}

fn to_changes(fields: Vec<ChangedField>) -> Vec<EventChange> {
    let mut changes = Vec::new();
    for ChangedField { path, field, before, after } in fields {
        if path == ATTRIBUTES {
            let (before, after) = (attributes(before), attributes(after));
            push_members(&mut changes, &path, &field, &before, &after);
        } else if field.is_map() {
            push_members(&mut changes, &path, &field, &entries(before), &entries(after));
        } else {
            changes.push(change(path, &field, before.as_ref(), after.as_ref()));
        }
    }
    changes
}

/// Adds the members that differ, each by its name.
fn push_members(
    changes: &mut Vec<EventChange>,
    path: &str,
    field: &FieldDescriptor,
    before: &BTreeMap<String, Value>,
    after: &BTreeMap<String, Value>,
) {
    let names: BTreeSet<_> = before.keys().chain(after.keys()).collect();
    for name in names {
        let (before, after) = (before.get(name), after.get(name));
        if before != after {
            changes.push(change(format!("{path}.{name}"), field, before, after));
        }
    }
}

fn entries(map: Option<Value>) -> BTreeMap<String, Value> {
    let Some(Value::Map(map)) = map else { return BTreeMap::new() };
    let named = |(key, value)| {
        let MapKey::String(key) = key else { return None };
        Some((key, value))
    };
    map.into_iter().filter_map(named).collect()
}

fn attributes(list: Option<Value>) -> BTreeMap<String, Value> {
    let Some(Value::List(attributes)) = list else { return BTreeMap::new() };
    let named = |attribute: Value| {
        let name = attribute.as_message()?.get_field_by_name("name")?.as_str()?.to_owned();
        Some((name, attribute))
    };
    attributes.into_iter().filter_map(named).collect()
}

fn change(
    path: String,
    field: &FieldDescriptor,
    before: Option<&Value>,
    after: Option<&Value>,
) -> EventChange {
    let text = |value: &Value| {
        let json = to_json(value, field);
        json.as_str().map_or_else(|| cut(&json.to_string()), cut)
    };
    EventChange {
        path,
        old_value: before.map(text),
        new_value: after.map(text),
        old_value_unknown: false,
    }
}

fn to_json(value: &Value, field: &FieldDescriptor) -> Json {
    match value {
        Value::Message(message) => message_to_json(message),
        Value::List(items) => items.iter().map(|item| to_json(item, field)).collect(),
        Value::EnumNumber(number) => {
            let kind = field.kind();
            let value = kind.as_enum().and_then(|names| names.get_value(*number));
            value.map_or_else(|| Json::from(*number), |value| Json::from(value.name()))
        }
        Value::String(text) => Json::from(text.as_str()),
        Value::Bool(flag) => Json::from(*flag),
        Value::I32(number) => Json::from(*number),
        Value::I64(number) => Json::from(*number),
        Value::Map(_) => {
            let members = entries(Some(value.clone())).into_iter();
            members.map(|(name, member)| (name, to_json(&member, field))).collect()
        }
        // A user pool has no fields of these kinds.
        Value::U32(_) | Value::U64(_) | Value::F32(_) | Value::F64(_) | Value::Bytes(_) => {
            Json::Null
        }
    }
}

fn message_to_json(message: &DynamicMessage) -> Json {
    // Fails only for an invalid time, which no event has.
    serde_json::to_value(message).unwrap_or_default()
}

/// A value as it is listed.
fn cut(text: &str) -> String {
    if text.chars().nth(MAX_VALUE_CHARS).is_none() {
        return text.to_owned();
    }
    let mut shown: String = text.chars().take(MAX_VALUE_CHARS - 1).collect();
    shown.push(ELLIPSIS);
    shown
}
