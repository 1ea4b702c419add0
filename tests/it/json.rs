//! Messages as JSON, as clients write and see it, with Cognito's names.

use std::{any, fs};

use prost::Message;
use prost_reflect::{DynamicMessage, SerializeOptions};
use serde_json::{Value, json, value::Serializer};
use userpool::proto::{DESCRIPTORS, UserPool};

use crate::tools::repository;

/// A file of `tests/it/data`.
pub(crate) fn data(file: &str) -> Value {
    let path = repository().join("tests/it/data").join(file);
    let text = fs::read_to_string(path).expect("a file");
    serde_json::from_str(&text).expect("JSON")
}

/// The message that a client sends for this JSON.
pub(crate) fn request<M: Message + Default>(members: Value) -> M {
    let descriptor = DESCRIPTORS.get_message_by_name(&name::<M>()).expect("a message");
    let message = DynamicMessage::deserialize(descriptor, members).expect("a request");
    message.transcode_to().expect("the same message")
}

/// The JSON that a client sees of this message.
pub(crate) fn shown<M: Message>(message: &M) -> Value {
    let descriptor = DESCRIPTORS.get_message_by_name(&name::<M>()).expect("a message");
    let mut dynamic = DynamicMessage::new(descriptor);
    dynamic.merge(message.encode_to_vec().as_slice()).expect("the same message");
    dynamic.serialize_with_options(Serializer, &SerializeOptions::new()).expect("JSON")
}

/// A user pool as clients see it, without the members that the service assigns: its
/// ID, its dates, its estimated number of users, and its ARN.
pub(crate) fn settings(pool: Option<&UserPool>) -> Value {
    let mut shown = shown(pool.expect("a user pool"));
    let members = shown.as_object_mut().expect("an object");
    for given in ["Id", "CreationDate", "LastModifiedDate", "EstimatedNumberOfUsers", "Arn"] {
        assert!(members.remove(given).is_some(), "{given} is missing");
    }
    shown
}

/// The settings of a user pool that was created with only a name, except its name and
/// schema.
pub(crate) fn defaults() -> Value {
    with_later_members(json!({
        "Policies": {
            "PasswordPolicy": {
                "MinimumLength": 8,
                "RequireUppercase": true,
                "RequireLowercase": true,
                "RequireNumbers": true,
                "RequireSymbols": true,
            },
        },
        "LambdaConfig": {},
        "VerificationMessageTemplate": { "DefaultEmailOption": "CONFIRM_WITH_CODE" },
        "MfaConfiguration": "OFF",
        "EmailConfiguration": {},
        "AdminCreateUserConfig": {
            "AllowAdminCreateUserOnly": false,
            "UnusedAccountValidityDays": 7,
        },
    }))
}

/// Settings of 2017 with the members that AWS added later and always shows.
pub(crate) fn with_later_members(settings: Value) -> Value {
    let mut all =
        with(json!({ "DeletionProtection": "INACTIVE", "UserPoolTier": "ESSENTIALS" }), settings);
    if let Some(email) = all.get_mut("EmailConfiguration") {
        *email = with(json!({ "EmailSendingAccount": "COGNITO_DEFAULT" }), email.take());
    }
    if let Some(triggers) = all.get_mut("LambdaConfig")
        && let Some(function) = triggers.get("PreTokenGeneration").cloned()
    {
        let config = json!({ "LambdaVersion": "V1_0", "LambdaArn": function });
        *triggers = with(json!({ "PreTokenGenerationConfig": config }), triggers.take());
    }
    all
}

/// A user pool as an earlier version showed it, with the members that are shown since, by a
/// server with this account.
pub(crate) fn shown_later(pool: Value, account: &str) -> Value {
    let id = pool["Id"].as_str().expect("an ID");
    let arn = format!("arn:aws:cognito-idp:us-east-1:{account}:userpool/{id}");
    with(with_later_members(pool), json!({ "Arn": arn }))
}

/// `value` with the members of `more`, which replace members with the same names.
pub(crate) fn with(mut value: Value, more: Value) -> Value {
    let Value::Object(more) = more else { return value };
    value.as_object_mut().expect("an object").extend(more);
    value
}

/// `value` without this member.
pub(crate) fn without(mut value: Value, member: &str) -> Value {
    assert!(value.as_object_mut().expect("an object").remove(member).is_some(), "no {member}");
    value
}

fn name<M>() -> String {
    let path = any::type_name::<M>();
    format!("userpool.v1.{}", path.rsplit("::").next().unwrap_or_default())
}
