//! Settings by the path of their field: which ones to change, and which changed.

use std::collections::BTreeSet;

use prost::Message as _;
use prost_reflect::{
    DynamicMessage, FieldDescriptor, Kind, MessageDescriptor, ReflectMessage as _, Value,
};

use crate::proto::{DESCRIPTORS, UserPool};

use super::{check::Check, violation::Reason};

/// The settings that an update can name: the members of Cognito's
/// `UpdateUserPoolRequest`, which have the same names in `UserPool`.
const SETTINGS: [&str; 15] = [
    "admin_create_user_config",
    "auto_verified_attributes",
    "device_configuration",
    "email_configuration",
    "email_verification_message",
    "email_verification_subject",
    "lambda_config",
    "mfa_configuration",
    "policies",
    "sms_authentication_message",
    "sms_configuration",
    "sms_verification_message",
    "user_pool_add_ons",
    "user_pool_tags",
    "verification_message_template",
];

/// Texts with two names; see `settle`.
const MIRRORED: [(&str, &str); 3] = [
    ("sms_verification_message", "verification_message_template.sms_message"),
    ("email_verification_message", "verification_message_template.email_message"),
    ("email_verification_subject", "verification_message_template.email_subject"),
];

/// The paths of the settings to change.
#[derive(Debug, Clone)]
pub(super) struct Mask(Vec<String>);

impl Mask {
    /// Every path must lead to a setting.
    pub(super) fn check(check: &mut Check, paths: &[String]) {
        let settings = SETTINGS.join(", ");
        let allowed = format!("must be \"*\" or begin with one of {settings}, and lead to a field");
        for (index, path) in paths.iter().enumerate() {
            if path != "*" && resolve(path).is_none() {
                let field = format!("update_mask[{index}]");
                check.refuse(&field, Reason::Pattern, Some(path), &allowed, "name a setting");
            }
        }
    }

    /// The paths of a checked mask; all settings where it names none, or "*".
    pub(super) fn new(paths: Vec<String>) -> Self {
        if paths.is_empty() || paths.iter().any(|path| path == "*") {
            return Self(SETTINGS.map(str::to_owned).to_vec());
        }
        // In order, and each once: a mask may name a path as often as it likes.
        let paths: BTreeSet<String> = paths.into_iter().collect();
        Self(paths.into_iter().collect())
    }

    /// Takes the named settings from `requested`; what is not set there is unset.
    pub(super) fn apply(&self, pool: &mut UserPool, requested: &UserPool) {
        let mut target = dynamic(pool);
        let source = dynamic(requested);
        for (legacy, template) in MIRRORED {
            // Where just one name of a text is meant, the other follows.
            let (named, other) = match (self.names(legacy), self.names(template)) {
                (true, false) => (legacy, template),
                (false, true) => (template, legacy),
                (true, true) | (false, false) => continue,
            };
            copy(&source, named, &mut target, other);
        }
        for path in &self.0 {
            copy(&source, path, &mut target, path);
        }
        #[expect(clippy::expect_used, reason = "the message was made of a user pool")]
        let changed = target.transcode_to().expect("a user pool");
        *pool = changed;
    }

    fn names(&self, path: &str) -> bool {
        self.0.iter().any(|named| {
            path.strip_prefix(named.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        })
    }
}

/// The settings that differ, as sorted paths, as deep as both sides go.
pub(super) fn changed(before: &UserPool, after: &UserPool) -> Vec<String> {
    let (before, after) = (dynamic(before), dynamic(after));
    let mut paths = Vec::new();
    collect_changes("", &before, &after, &mut paths);
    paths.sort();
    paths
}

fn collect_changes(
    prefix: &str,
    before: &DynamicMessage,
    after: &DynamicMessage,
    paths: &mut Vec<String>,
) {
    for field in before.descriptor().fields() {
        let path = format!("{prefix}{}", field.name());
        match (has(before, &field), has(after, &field)) {
            (Some(Value::Message(before)), Some(Value::Message(after))) => {
                collect_changes(&format!("{path}."), &before, &after, paths);
            }
            (before, after) => paths.extend((before != after).then_some(path)),
        }
    }
}

fn has(message: &DynamicMessage, field: &FieldDescriptor) -> Option<Value> {
    message.has_field(field).then(|| message.get_field(field).into_owned())
}

/// Sets `to` in `target` to what `from` is in `source`, set or not.
fn copy(source: &DynamicMessage, from: &str, target: &mut DynamicMessage, to: &str) {
    let value = get(source, from);
    set(target, to, value);
}

fn get(message: &DynamicMessage, path: &str) -> Option<Value> {
    let (name, rest) = split(path);
    let field = message.descriptor().get_field_by_name(name)?;
    match (has(message, &field)?, rest) {
        (Value::Message(nested), Some(rest)) => get(&nested, rest),
        (value, _) => Some(value),
    }
}

fn set(message: &mut DynamicMessage, path: &str, value: Option<Value>) {
    let (name, rest) = split(path);
    let Some(field) = message.descriptor().get_field_by_name(name) else { return };
    match (rest, value) {
        (None, Some(value)) => message.set_field(&field, value),
        (None, None) => message.clear_field(&field),
        // Nothing to unset in a message that is not there.
        (Some(_), None) if !message.has_field(&field) => (),
        (Some(rest), value) => {
            if let Value::Message(nested) = message.get_field_mut(&field) {
                set(nested, rest, value);
            }
        }
    }
}

/// The field that a path leads to, by way of messages alone.
fn resolve(path: &str) -> Option<FieldDescriptor> {
    let (first, _) = split(path);
    if !SETTINGS.contains(&first) {
        return None;
    }
    let mut message = user_pool();
    let mut rest = Some(path);
    let mut found = None;
    while let Some(path) = rest {
        let (name, next) = split(path);
        let field = message.get_field_by_name(name)?;
        rest = next;
        if rest.is_some() {
            let Kind::Message(nested) = field.kind() else { return None };
            if field.is_list() || field.is_map() {
                return None;
            }
            message = nested;
        }
        found = Some(field);
    }
    found
}

fn split(path: &str) -> (&str, Option<&str>) {
    path.split_once('.').map_or((path, None), |(name, rest)| (name, Some(rest)))
}

fn user_pool() -> MessageDescriptor {
    #[expect(clippy::expect_used, reason = "the message is in the compiled-in schema")]
    DESCRIPTORS.get_message_by_name("userpool.v1.UserPool").expect("userpool.v1.UserPool")
}

fn dynamic(pool: &UserPool) -> DynamicMessage {
    let mut message = DynamicMessage::new(user_pool());
    #[expect(clippy::expect_used, reason = "a message always reads its own encoding")]
    message.merge(pool.encode_to_vec().as_slice()).expect("a user pool");
    message
}
