//! Rules across settings, with Cognito's texts: SMS where it is required, one kind of
//! sign-in name, and tags.

mod documents;
mod messages;

use serde_json::{Value, json};
use tonic::Status;
use tonic_types::StatusExt as _;
use userpool::proto::{CreateUserPoolRequest, UpdateUserPoolRequest};

use crate::{
    json::{request, settings, with},
    support::{TestServer, create, metadata},
};

/// The user pool after a creation with these members.
async fn created(members: Value) -> Result<Value, Status> {
    let server = TestServer::start().await;
    let request: CreateUserPoolRequest = request(with(json!({ "PoolName": "people" }), members));
    let answer = server.client().await.create_user_pool(request).await;
    server.stop().await;
    Ok(settings(answer?.into_inner().user_pool.as_ref()))
}

/// The user pool after an update with these members.
async fn updated(members: Value) -> Result<Value, Status> {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    let id = create(&mut client, "people").await;
    let request: UpdateUserPoolRequest = request(with(json!({ "UserPoolId": id }), members));
    let answer = client.update_user_pool(request).await;
    server.stop().await;
    Ok(settings(answer?.into_inner().user_pool.as_ref()))
}

/// A refusal for one reason: its message, the field, the reason, the exception.
fn only(refused: Result<Value, Status>) -> (String, String, String, String) {
    let status = refused.expect_err("a refusal");
    assert_eq!(status.code(), tonic::Code::InvalidArgument);
    let mut violations = status.get_details_bad_request().expect("a BadRequest").field_violations;
    assert_eq!(violations.len(), 1, "{violations:?}");
    let violation = violations.swap_remove(0);
    let aws_error = metadata(&status, "aws_error").expect("an exception");
    (status.message().to_owned(), violation.field, violation.reason, aws_error)
}

fn parameter(message: &str, field: &str, reason: &str) -> (String, String, String, String) {
    (message.into(), field.into(), reason.into(), "InvalidParameterException".into())
}

fn sms() -> Value {
    json!({ "SmsConfiguration": { "SnsCallerArn": "arn:aws:iam::123456789012:role/sms" } })
}

#[tokio::test]
async fn a_phone_number_is_verified_by_sms() {
    let members = json!({ "AutoVerifiedAttributes": ["email", "phone_number"] });
    let text = "SMS configuration is required when phone_number is selected for auto verification";
    let expected = parameter(text, "sms_configuration", "REQUIRED");
    assert_eq!(only(created(members.clone()).await), expected);
    assert_eq!(only(updated(members.clone()).await), expected);
    let pool = created(with(members.clone(), sms())).await.expect("a user pool");
    assert_eq!(pool["AutoVerifiedAttributes"], members["AutoVerifiedAttributes"]);
    updated(with(members, sms())).await.expect("a user pool");
}

#[tokio::test]
async fn an_email_address_is_verified_without_any_configuration() {
    let members = json!({ "AutoVerifiedAttributes": ["email"] });
    created(members.clone()).await.expect("a user pool");
    updated(members).await.expect("a user pool");
}

#[tokio::test]
async fn mfa_needs_sms_and_nothing_else() {
    // The same text for both values.
    let text = "SMS configuration and Auto verification for phone_number are required when MFA is \
                required/optional";
    let expected = parameter(text, "sms_configuration", "REQUIRED");
    for value in ["ON", "OPTIONAL"] {
        let members = json!({ "MfaConfiguration": value });
        assert_eq!(only(created(members.clone()).await), expected);
        let pool = created(with(members, sms())).await.expect("a user pool");
        assert_eq!(pool["MfaConfiguration"], value);
    }
    let optional = json!({ "MfaConfiguration": "OPTIONAL" });
    assert_eq!(only(updated(optional.clone()).await), expected);
    updated(with(optional, sms())).await.expect("a user pool");
    created(json!({ "MfaConfiguration": "OFF" })).await.expect("a user pool");
}

#[tokio::test]
async fn a_phone_number_as_username_needs_no_sms() {
    let members = json!({ "UsernameAttributes": ["phone_number"] });
    let pool = created(members.clone()).await.expect("a user pool");
    assert_eq!(pool["UsernameAttributes"], members["UsernameAttributes"]);
}

#[tokio::test]
async fn aliases_and_username_attributes_exclude_each_other() {
    let (aliases, usernames) =
        (json!({ "AliasAttributes": ["email"] }), json!({ "UsernameAttributes": ["email"] }));
    let text = "Only one of the aliasAttributes or usernameAttributes can be set in a User pool.";
    let expected = parameter(text, "username_attributes", "CONFLICT");
    assert_eq!(only(created(with(aliases.clone(), usernames.clone())).await), expected);
    created(aliases).await.expect("a user pool");
    created(usernames).await.expect("a user pool");
}

#[tokio::test]
async fn tags_are_shown_as_they_were_sent() {
    let long_key = "キ".repeat(128);
    let wide_value = "プ".repeat(256);
    let members = json!({
        "UserPoolTags": {
            "team": "payments", "empty": "", (long_key): wide_value,
            "Zürich 9_.:/=+-@": " a_.:/=+-@9é", "awsome": "aws:", "a:aws:": "aws:a",
        },
    });
    let pool = created(members.clone()).await.expect("a user pool");
    assert_eq!(pool["UserPoolTags"], members["UserPoolTags"]);
    let pool = updated(members.clone()).await.expect("a user pool");
    assert_eq!(pool["UserPoolTags"], members["UserPoolTags"]);
}

#[tokio::test]
async fn a_user_pool_without_tags_shows_none() {
    for members in [json!({}), json!({ "UserPoolTags": {} })] {
        let pool = created(members).await.expect("a user pool");
        assert_eq!(pool.get("UserPoolTags"), None);
    }
}

#[tokio::test]
async fn an_invalid_tag_is_refused_by_its_key() {
    let wide = "プ".repeat(129);
    let cut = "プ".repeat(128);
    for (key, value, shown, reason, rule) in [
        ("", "a".into(), "", "LENGTH", "key must have 1 to 128 characters"),
        (wide.as_str(), "a".into(), cut.as_str(), "LENGTH", "key must have 1 to 128 characters"),
        ("a", "v".repeat(257), "a", "LENGTH", "value must have at most 256 characters"),
        ("aws:a", "a".into(), "aws:a", "RESERVED", "key must not begin with \"aws:\""),
        ("AWS:a", "a".into(), "AWS:a", "RESERVED", "key must not begin with \"aws:\""),
        (
            "a!",
            "a".into(),
            "a!",
            "PATTERN",
            "may contain only letters, digits, spaces and _ . : / = + - @",
        ),
        (
            "a",
            "#".into(),
            "a",
            "PATTERN",
            "may contain only letters, digits, spaces and _ . : / = + - @",
        ),
        (
            "a",
            "\n".into(),
            "a",
            "PATTERN",
            "may contain only letters, digits, spaces and _ . : / = + - @",
        ),
    ] {
        let members = json!({ "UserPoolTags": { (key): value } });
        let field = format!("user_pool_tags[\"{shown}\"]");
        let message = format!("Invalid tag: {field} {rule}.");
        let expected = (message, field, reason.to_owned(), "UserPoolTaggingException".to_owned());
        assert_eq!(only(created(members.clone()).await), expected);
        assert_eq!(only(updated(members).await), expected);
    }
}

#[tokio::test]
async fn the_maximum_number_of_tags_is_a_setting() {
    for (limit, count) in [(50, 50), (2, 2), (2, 3)] {
        let server = TestServer::with(|config| config.limits.tags = limit).await;
        let tags: serde_json::Map<_, _> =
            (0..count).map(|tag| (format!("t{tag}"), json!("a"))).collect();
        let members = json!({ "PoolName": "people", "UserPoolTags": tags });
        let request: CreateUserPoolRequest = request(members);
        let answer = server.client().await.create_user_pool(request).await;
        server.stop().await;
        if count <= limit {
            assert!(answer.is_ok(), "{count} of {limit}");
            continue;
        }
        let (message, field, reason, aws_error) = only(answer.map(|_| Value::Null));
        let expected = "Invalid tag: user_pool_tags must have at most 2 tags, has 3.";
        assert_eq!(message, expected);
        assert_eq!((field.as_str(), reason.as_str()), ("user_pool_tags", "LENGTH"));
        assert_eq!(aws_error, "UserPoolTaggingException");
    }
}
