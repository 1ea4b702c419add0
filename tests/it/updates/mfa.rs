//! An update cannot turn MFA on for all users: only a new user pool can require it.

use serde_json::{Value, json};
use tonic::Status;
use tonic_types::StatusExt as _;
use userpool::proto::CreateUserPoolRequest;

use super::{Client, describe, update};
use crate::{
    json::{request, with, without},
    support::{TestServer, metadata, reason},
};

const REFUSAL: &str = "Cannot turn MFA functionality ON, once the user pool has been created.";

/// The values that a user pool can have, and whether an update can change the first to the
/// second. An omitted value is OFF.
const CHANGES: [(&str, &str, bool); 12] = [
    ("OFF", "OFF", true),
    ("OFF", "OPTIONAL", true),
    ("OFF", "ON", false),
    ("OPTIONAL", "OFF", true),
    ("OPTIONAL", "OPTIONAL", true),
    ("OPTIONAL", "ON", false),
    ("ON", "OFF", true),
    ("ON", "OPTIONAL", true),
    ("ON", "ON", true),
    ("", "OFF", true),
    ("", "OPTIONAL", true),
    ("", "ON", false),
];

fn sms() -> Value {
    json!({ "SmsConfiguration": { "SnsCallerArn": "arn:aws:iam::123456789012:role/sms" } })
}

fn mfa(value: &str) -> Value {
    if value.is_empty() { json!({}) } else { json!({ "MfaConfiguration": value }) }
}

async fn user_pool(client: &mut Client, value: &str) -> String {
    let members = with(with(json!({ "PoolName": "people" }), sms()), mfa(value));
    let request: CreateUserPoolRequest = request(members);
    let created = client.create_user_pool(request).await.expect("a user pool").into_inner();
    created.user_pool.and_then(|pool| pool.id).expect("an ID")
}

fn assert_refused(status: &Status, what: &str) {
    assert_eq!(status.code(), tonic::Code::InvalidArgument, "{what}");
    assert_eq!(status.message(), REFUSAL, "{what}");
    assert_eq!(reason(status), "INVALID_REQUEST", "{what}");
    let aws_error = metadata(status, "aws_error");
    assert_eq!(aws_error.as_deref(), Some("InvalidParameterException"), "{what}");
    let violations = status.get_details_bad_request().expect("a BadRequest").field_violations;
    let violations: Vec<_> = violations
        .iter()
        .map(|violation| (violation.field.as_str(), violation.reason.as_str()))
        .collect();
    assert_eq!(violations, [("mfa_configuration", "CONFLICT")], "{what}");
}

#[tokio::test]
async fn an_update_cannot_turn_mfa_on() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    let dry_run = json!({ "validate_only": true });
    for (from, to, allowed) in CHANGES {
        for (how, members) in [
            ("all settings", with(mfa(to), sms())),
            ("all settings, by *", with(with(mfa(to), sms()), json!({ "update_mask": ["*"] }))),
            ("a mask", with(mfa(to), json!({ "update_mask": ["mfa_configuration"] }))),
        ] {
            let what = format!("from {from:?} to {to:?} with {how}");
            let id = user_pool(&mut client, from).await;
            let before = describe(&mut client, &id).await;
            let tried = with(with(members.clone(), dry_run.clone()), json!({ "UserPoolId": id }));
            let tried = client
                .update_user_pool(request::<userpool::proto::UpdateUserPoolRequest>(tried))
                .await;
            assert_eq!(describe(&mut client, &id).await, before, "{what}");
            let answer = update(&mut client, &id, members).await;
            if allowed {
                tried.expect(&what);
                assert_eq!(answer.expect(&what)["UserPool"]["MfaConfiguration"], to, "{what}");
            } else {
                assert_refused(&tried.expect_err(&what), &what);
                assert_refused(&answer.expect_err(&what), &what);
                assert_eq!(describe(&mut client, &id).await, before, "{what}");
            }
        }
    }
    server.stop().await;
}

#[tokio::test]
async fn a_mask_without_mfa_leaves_it_as_it_is() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    for (from, to) in [("OFF", "ON"), ("OPTIONAL", "ON"), ("ON", "ON"), ("ON", "OFF")] {
        let id = user_pool(&mut client, from).await;
        let members = json!({ "UserPoolTags": { "team": "a" }, "update_mask": ["user_pool_tags"] });
        let answer = update(&mut client, &id, with(mfa(to), members)).await.expect("updated");
        assert_eq!(answer["UserPool"]["MfaConfiguration"], from);
    }
    server.stop().await;
}

#[tokio::test]
async fn without_sms_the_refusal_to_turn_mfa_on_is_the_only_one() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    for from in ["OFF", "OPTIONAL"] {
        let id = user_pool(&mut client, from).await;
        // SMS, which MFA requires as well, would not help.
        let answer = update(&mut client, &id, mfa("ON")).await;
        assert_refused(&answer.expect_err("a refusal"), from);
    }
    server.stop().await;
}

/// MFA that an update turned off stays off.
#[tokio::test]
async fn mfa_is_not_turned_on_again() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    let id = user_pool(&mut client, "ON").await;
    let settings = with(mfa("ON"), sms());
    update(&mut client, &id, without(settings.clone(), "MfaConfiguration")).await.expect("off");
    let answer = update(&mut client, &id, settings).await;
    assert_refused(&answer.expect_err("a refusal"), "on again");
    server.stop().await;
}
