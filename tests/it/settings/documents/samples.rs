//! Ten documents that mix members at their bounds.

use std::iter;

use serde_json::{Map, Value, json};

use crate::json::with;

/// Each document with its name: requests to create a user pool.
pub(super) fn samples() -> [(&'static str, Value); 10] {
    [
        ("the shortest values", shortest()),
        ("the longest values", longest('a')),
        ("the longest values in characters of three bytes", longest('プ')),
        ("every value of every list", lists()),
        ("usernames and MFA for all", usernames()),
        ("fifty attributes", attributes()),
        ("fifty tags", tags()),
        ("numbers at their limits", numbers()),
        ("templates with links", links()),
        ("objects without members", empty_objects()),
    ]
}

/// `start`, filled up to this number of characters.
fn filled(start: &str, fill: char, length: usize) -> String {
    start.chars().chain(iter::repeat(fill)).take(length).collect()
}

fn arn(length: usize) -> String {
    filled("arn:aws:iam::1:", 'r', length)
}

fn sms(length: usize) -> Value {
    json!({ "SnsCallerArn": arn(length) })
}

fn shortest() -> Value {
    json!({
        "PoolName": "a",
        "Policies": { "PasswordPolicy": { "MinimumLength": 6 } },
        "LambdaConfig": { "PreSignUp": arn(20) },
        "SmsVerificationMessage": "{####}",
        "EmailVerificationMessage": "{####}",
        "EmailVerificationSubject": "a",
        "SmsAuthenticationMessage": "{####}",
        "MfaConfiguration": "OPTIONAL",
        "SmsConfiguration": sms(20),
        "EmailConfiguration": { "SourceArn": arn(20), "ReplyToEmailAddress": "a@b" },
        "UserPoolTags": { "a": "" },
        "AdminCreateUserConfig": {
            "UnusedAccountValidityDays": 0,
            "InviteMessageTemplate": {
                "SMSMessage": "{username}{####}", "EmailMessage": "{####}{username}",
                "EmailSubject": "a",
            },
        },
        "Schema": [{
            "Name": "a", "AttributeDataType": "String",
            "StringAttributeConstraints": { "MinLength": "0", "MaxLength": "0" },
        }],
    })
}

/// Texts that allow it consist of `fill`.
fn longest(fill: char) -> Value {
    let message = |length| filled("{username} {####} ", fill, length);
    let tag = (filled("", fill, 128), filled("", fill, 256));
    json!({
        "PoolName": filled("", 'a', 128),
        "Policies": { "PasswordPolicy": { "MinimumLength": 99, "RequireSymbols": true } },
        "LambdaConfig": { "CustomMessage": arn(2048), "PreTokenGeneration": arn(2048) },
        "SmsVerificationMessage": message(140),
        "EmailVerificationMessage": message(20_000),
        "EmailVerificationSubject": filled("", fill, 140),
        "SmsAuthenticationMessage": message(140),
        "MfaConfiguration": "ON",
        "SmsConfiguration": sms(2048),
        "EmailConfiguration": { "ReplyToEmailAddress": filled("a@b", fill, 2000) },
        "UserPoolTags": { (tag.0): tag.1 },
        "AdminCreateUserConfig": {
            "AllowAdminCreateUserOnly": true,
            "UnusedAccountValidityDays": 365,
            "InviteMessageTemplate": {
                "SMSMessage": message(140), "EmailMessage": message(20_000),
                "EmailSubject": filled("", fill, 140),
            },
        },
        "Schema": [{
            "Name": filled("", fill, 20), "AttributeDataType": "String",
            "StringAttributeConstraints": { "MinLength": "2048", "MaxLength": "2048" },
        }],
    })
}

fn lists() -> Value {
    json!({
        "PoolName": "_ +=,.@-\t9",
        "AutoVerifiedAttributes": ["phone_number", "email"],
        "AliasAttributes": ["phone_number", "email", "preferred_username"],
        "MfaConfiguration": "OPTIONAL",
        "SmsConfiguration": with(sms(20), json!({ "ExternalId": "" })),
        "UserPoolAddOns": { "AdvancedSecurityMode": "ENFORCED" },
        "Schema": [
            { "Name": "email", "Required": true, "Mutable": true },
            { "Name": "phone_number", "Required": true },
            { "Name": "birthdate", "StringAttributeConstraints": { "MinLength": "1" } },
        ],
    })
}

fn usernames() -> Value {
    json!({
        "PoolName": "usernames",
        "UsernameAttributes": ["email", "phone_number"],
        "AutoVerifiedAttributes": ["email"],
        "MfaConfiguration": "ON",
        "SmsConfiguration": sms(21),
        "DeviceConfiguration": {
            "ChallengeRequiredOnNewDevice": true, "DeviceOnlyRememberedOnUserPrompt": false,
        },
        "UserPoolAddOns": { "AdvancedSecurityMode": "OFF" },
    })
}

fn attributes() -> Value {
    let attribute = |index: usize| match index % 3 {
        0 => json!({ "Name": format!("text-{index}"), "AttributeDataType": "String" }),
        1 => json!({ "Name": format!("date-{index}"), "AttributeDataType": "DateTime" }),
        _ => json!({
            "Name": format!("flag-{index}"), "AttributeDataType": "Boolean", "Mutable": true,
            "DeveloperOnlyAttribute": true,
        }),
    };
    let schema: Vec<_> = (0..50).map(attribute).collect();
    json!({ "PoolName": "fifty attributes", "AliasAttributes": ["email"], "Schema": schema })
}

fn tags() -> Value {
    let tags: Map<_, _> =
        (0..50).map(|index| (format!("{index} é_.:/=+-@"), json!("awsome"))).collect();
    json!({
        "PoolName": "fifty tags",
        "UserPoolTags": tags,
        "EmailVerificationMessage": "{####}{####}",
        "MfaConfiguration": "OFF",
        "SmsConfiguration": sms(20),
    })
}

fn numbers() -> Value {
    let number = |name: &str, bounds: Value| {
        json!({
            "Name": name, "AttributeDataType": "Number", "NumberAttributeConstraints": bounds,
        })
    };
    let (least, most) = (i64::MIN.to_string(), i64::MAX.to_string());
    json!({
        "PoolName": "numbers",
        "Policies": { "PasswordPolicy": { "MinimumLength": 99 } },
        "AdminCreateUserConfig": { "UnusedAccountValidityDays": 365 },
        "Schema": [
            number("widest", json!({ "MinValue": least, "MaxValue": most })),
            number("narrowest", json!({ "MinValue": "-1", "MaxValue": "-1" })),
            number("updated_at", json!({ "MaxValue": "0" })),
            number("open", json!({})),
        ],
    })
}

fn links() -> Value {
    json!({
        "PoolName": "links",
        "AutoVerifiedAttributes": ["email"],
        "VerificationMessageTemplate": {
            "SmsMessage": filled("{####}", '\n', 140),
            "EmailMessage": filled("{####}", '\n', 20_000),
            "EmailSubject": filled("a", ' ', 140),
            "EmailMessageByLink": filled("{##a##}", 'a', 20_000),
            "EmailSubjectByLink": "a",
            "DefaultEmailOption": "CONFIRM_WITH_LINK",
        },
        "MfaConfiguration": "ON",
        "SmsConfiguration": sms(2048),
        "UserPoolAddOns": { "AdvancedSecurityMode": "AUDIT" },
        "Schema": [{ "Name": "sub", "Required": true }, { "Name": "custom:a", "AttributeDataType": "Boolean" }],
    })
}

fn empty_objects() -> Value {
    json!({
        "PoolName": "empty",
        "Policies": {},
        "LambdaConfig": {},
        "VerificationMessageTemplate": {},
        "DeviceConfiguration": {},
        "EmailConfiguration": {},
        "UserPoolTags": {},
        "AdminCreateUserConfig": { "InviteMessageTemplate": {} },
        "Schema": [{ "Name": "name", "StringAttributeConstraints": {} }],
    })
}
