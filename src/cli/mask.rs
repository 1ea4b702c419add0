//! Paths of settings: as AWS names them, and as an update mask does.

use prost::Message as _;
use prost_reflect::{
    DynamicMessage, FieldDescriptor, Kind, MessageDescriptor, ReflectMessage as _,
};

use crate::proto::{DESCRIPTORS, UpdateUserPoolRequest};

/// The fields that are no settings.
const OPTIONS: [&str; 5] =
    ["user_pool_id", "request_id", "validate_only", "expected_revision", "update_mask"];

/// Converts a path to the form of a mask: `Policies.PasswordPolicy` to
/// `policies.password_policy`. A name that no field has stays, for the server to refuse.
pub(super) fn to_mask_path(path: &str) -> String {
    let mut message = descriptor();
    let names = path.trim().split('.').map(|name| {
        let field = message.as_ref().and_then(|message| {
            message.get_field_by_json_name(name).or_else(|| message.get_field_by_name(name))
        });
        let kind = field.as_ref().filter(|field| !field.is_map()).map(FieldDescriptor::kind);
        message = kind.as_ref().and_then(Kind::as_message).cloned();
        field.map_or_else(|| name.to_owned(), |field| field.name().to_owned())
    });
    names.collect::<Vec<_>>().join(".")
}

/// The paths of the settings in a request: of fields that are no messages, or empty ones.
pub(super) fn settings(request: &UpdateUserPoolRequest) -> Vec<String> {
    let mut paths = Vec::new();
    let Some(descriptor) = descriptor() else { return paths };
    let mut message = DynamicMessage::new(descriptor);
    if message.merge(request.encode_to_vec().as_slice()).is_ok() {
        collect("", &message, &mut paths);
        paths.retain(|path| !OPTIONS.contains(&path.as_str()));
    }
    paths
}

fn collect(prefix: &str, message: &DynamicMessage, paths: &mut Vec<String>) {
    for field in message.descriptor().fields().filter(|field| message.has_field(field)) {
        let path = format!("{prefix}{}", field.name());
        let value = message.get_field(&field);
        let nested = value.as_message().filter(|nested| nested.fields().next().is_some());
        match nested {
            Some(nested) => collect(&format!("{path}."), nested, paths),
            None => paths.push(path),
        }
    }
}

fn descriptor() -> Option<MessageDescriptor> {
    DESCRIPTORS.get_message_by_name("userpool.v1.UpdateUserPoolRequest")
}
