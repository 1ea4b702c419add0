//! Settings by the path of their field: those to replace, and those that changed.

use std::collections::BTreeSet;

use prost::Message as _;
use prost_reflect::{
    DynamicMessage, FieldDescriptor, Kind, MessageDescriptor, ReflectMessage as _, Value,
};

use crate::proto::{DESCRIPTORS, UserPool};

use super::{check::Check, violation::Rule};

/// The settings that an update can replace: the members of Cognito's
/// `UpdateUserPoolRequest`, which have the same names in `UserPool`, except for [`POOL_NAME`].
const SETTINGS: [&str; 20] = [
    "account_recovery_setting",
    "admin_create_user_config",
    "auto_verified_attributes",
    "deletion_protection",
    "device_configuration",
    "email_configuration",
    "email_verification_message",
    "email_verification_subject",
    "lambda_config",
    "mfa_configuration",
    "policies",
    POOL_NAME,
    "sms_authentication_message",
    "sms_configuration",
    "sms_verification_message",
    "user_attribute_update_settings",
    "user_pool_add_ons",
    "user_pool_tags",
    "user_pool_tier",
    "verification_message_template",
];

/// The name of a user pool in requests, which is `NAME` in the user pool.
const POOL_NAME: &str = "pool_name";
const NAME: &str = "name";

/// The settings that have two fields; see `defaults`.
const MIRRORED: [(&str, &str); 4] = [
    ("sms_verification_message", "verification_message_template.sms_message"),
    ("email_verification_message", "verification_message_template.email_message"),
    ("email_verification_subject", "verification_message_template.email_subject"),
    (TOKEN_FUNCTION, "lambda_config.pre_token_generation_config.lambda_arn"),
];
/// The function of a trigger, and its message, which cannot be without a function.
const TOKEN_FUNCTION: &str = "lambda_config.pre_token_generation";
const TOKEN_TRIGGER: &str = "lambda_config.pre_token_generation_config";

/// The paths of the settings to replace.
#[derive(Debug, Clone)]
pub(super) struct UpdateMask(Vec<String>);

impl UpdateMask {
    /// Checks that every path is the path of a setting.
    pub(super) fn check(check: &mut Check, paths: &[String]) {
        let settings = SETTINGS.join(", ");
        let allowed =
            format!("must be \"*\" or the path of a field that begins with one of {settings}");
        for (index, path) in paths.iter().enumerate() {
            if path != "*" && resolve(path).is_none() {
                let field = format!("update_mask[{index}]");
                check.refuse(&field, Rule::Pattern, Some(path), &allowed, "name a setting");
            }
        }
    }

    /// Makes a mask of checked paths. No paths, or "*", stand for all settings.
    pub(super) fn new(paths: Vec<String>) -> Self {
        let paths = canonical_mask(paths);
        Self(if paths.is_empty() { SETTINGS.map(str::to_owned).to_vec() } else { paths })
    }

    /// Replaces the named settings by those in `requested`, or clears them.
    pub(super) fn apply(&self, pool: &mut UserPool, requested: &UserPool) {
        let mut target = to_dynamic(pool);
        let source = to_dynamic(requested);
        for (legacy, template) in MIRRORED {
            // If the mask names one field of a text, the other field gets the same value.
            let (named, other) = match (self.includes(legacy), self.includes(template)) {
                (true, false) => (legacy, template),
                (false, true) => (template, legacy),
                (true, true) | (false, false) => continue,
            };
            copy(&source, named, &mut target, other);
        }
        for path in &self.0 {
            if path != POOL_NAME {
                copy(&source, path, &mut target, path);
            } else if let Some(name) = get(&source, NAME) {
                // Without a name in the request, the user pool keeps its own.
                set(&mut target, NAME, Some(name));
            }
        }
        if get(&target, TOKEN_FUNCTION).is_none() && self.includes(TOKEN_FUNCTION) {
            set(&mut target, TOKEN_TRIGGER, None);
        }
        #[expect(clippy::expect_used, reason = "the message was made from a user pool")]
        let changed = target.transcode_to().expect("a user pool");
        *pool = changed;
    }

    fn includes(&self, path: &str) -> bool {
        self.0.iter().any(|named| {
            path.strip_prefix(named.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        })
    }
}

/// The paths of a mask, sorted and without duplicates; empty if they stand for all settings.
/// Masks that mean the same have the same paths.
#[must_use]
pub fn canonical_mask(paths: Vec<String>) -> Vec<String> {
    if paths.iter().any(|path| path == "*") {
        return Vec::new();
    }
    let paths: BTreeSet<String> = paths.into_iter().collect();
    paths.into_iter().collect()
}

/// The sorted paths of the settings that differ. If both sides have a message, the paths of
/// its changed fields are listed instead of its own.
pub(super) fn changed(before: &UserPool, after: &UserPool) -> Vec<String> {
    let mut paths: Vec<_> =
        changed_fields(before, after).into_iter().map(|found| found.path).collect();
    paths.sort();
    paths
}

/// A field that differs between two user pools, and its values.
#[derive(Debug)]
pub(super) struct ChangedField {
    pub(super) path: String,
    pub(super) field: FieldDescriptor,
    pub(super) before: Option<Value>,
    pub(super) after: Option<Value>,
}

/// The fields that differ, in the order of the schema. If both sides have a message, its changed
/// fields are listed instead of it.
pub(super) fn changed_fields(before: &UserPool, after: &UserPool) -> Vec<ChangedField> {
    let mut found = Vec::new();
    collect_changes("", &to_dynamic(before), &to_dynamic(after), &mut found);
    let names = found.iter_mut().filter(|field| field.path == NAME);
    names.for_each(|field| POOL_NAME.clone_into(&mut field.path));
    found
}

fn collect_changes(
    prefix: &str,
    before: &DynamicMessage,
    after: &DynamicMessage,
    found: &mut Vec<ChangedField>,
) {
    for field in before.descriptor().fields() {
        let path = format!("{prefix}{}", field.name());
        match (get_if_set(before, &field), get_if_set(after, &field)) {
            (Some(Value::Message(before)), Some(Value::Message(after))) => {
                collect_changes(&format!("{path}."), &before, &after, found);
            }
            (before, after) if before != after => {
                found.push(ChangedField { path, field, before, after });
            }
            _ => (),
        }
    }
}

/// The fields at these paths that have changed to those of `after`.
pub(super) fn fields_at(paths: &[String], after: &UserPool) -> Vec<ChangedField> {
    let message = to_dynamic(after);
    let at = |path: &String| {
        let after = get(&message, if path == POOL_NAME { NAME } else { path });
        Some(ChangedField { path: path.clone(), field: field_at(path)?, before: None, after })
    };
    paths.iter().filter_map(at).collect()
}

fn get_if_set(message: &DynamicMessage, field: &FieldDescriptor) -> Option<Value> {
    message.has_field(field).then(|| message.get_field(field).into_owned())
}

/// Copies the field `from` of `source` to the field `to` of `target`, also when it is unset.
fn copy(source: &DynamicMessage, from: &str, target: &mut DynamicMessage, to: &str) {
    let value = get(source, from);
    set(target, to, value);
}

fn get(message: &DynamicMessage, path: &str) -> Option<Value> {
    let (name, rest) = split(path);
    let field = message.descriptor().get_field_by_name(name)?;
    match (get_if_set(message, &field)?, rest) {
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
        // An absent message has nothing to clear.
        (Some(_), None) if !message.has_field(&field) => (),
        (Some(rest), value) => {
            if let Value::Message(nested) = message.get_field_mut(&field) {
                set(nested, rest, value);
            }
        }
    }
}

/// The field at the path of a setting.
fn resolve(path: &str) -> Option<FieldDescriptor> {
    let (first, _) = split(path);
    if SETTINGS.contains(&first) { field_at(path) } else { None }
}

/// The field at a path, unless the path goes through a list or a map.
fn field_at(path: &str) -> Option<FieldDescriptor> {
    let mut message = descriptor();
    let mut rest = Some(if path == POOL_NAME { NAME } else { path });
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

fn descriptor() -> MessageDescriptor {
    #[expect(clippy::expect_used, reason = "the message is in the compiled-in schema")]
    DESCRIPTORS.get_message_by_name("userpool.v1.UserPool").expect("userpool.v1.UserPool")
}

fn to_dynamic(pool: &UserPool) -> DynamicMessage {
    let mut message = DynamicMessage::new(descriptor());
    #[expect(clippy::expect_used, reason = "a message always reads its own encoding")]
    message.merge(pool.encode_to_vec().as_slice()).expect("a user pool");
    message
}
