//! The messages of invitations are checked twice: their lengths with all other field rules,
//! under the names of the API, and then their patterns, under the names that they have
//! behind it.

use serde_json::{Value, json};
use tonic::Status;
use userpool::proto::{CreateUserPoolRequest, UpdateUserPoolRequest};

use super::violations::reported;
use crate::{
    json::{request, with},
    support::{TestServer, create},
};

const SMS_PATTERN: &str = r".*\{####\}.*";
const EMAIL_PATTERN: &str =
    r"[\p{L}\p{M}\p{S}\p{N}\p{P}\s*]*\{####\}[\p{L}\p{M}\p{S}\p{N}\p{P}\s*]*";
const SUBJECT_PATTERN: &str = r"[\p{L}\p{M}\p{S}\p{N}\p{P}\s]+";

fn invite(template: &Value) -> Value {
    json!({ "AdminCreateUserConfig": { "InviteMessageTemplate": template } })
}

fn long(count: usize) -> String {
    "a".repeat(count)
}

/// The refusals of a creation and of an update with these members.
async fn refusals(members: Value) -> [Status; 2] {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    let id = create(&mut client, "people").await;
    let creation: CreateUserPoolRequest =
        request(with(json!({ "PoolName": "people" }), members.clone()));
    let created = client.create_user_pool(creation).await.expect_err("a refusal");
    let update: UpdateUserPoolRequest = request(with(json!({ "UserPoolId": id }), members));
    let updated = client.update_user_pool(update).await.expect_err("a refusal");
    server.stop().await;
    [created, updated]
}

/// A violation: the path in Cognito's text, the value, and what it must do.
type Expected<'a> = (&'a str, String, String);

fn at_least(path: &str, value: String, length: usize) -> Expected<'_> {
    (path, value, format!("have length greater than or equal to {length}"))
}

fn at_most(path: &str, value: String, length: usize) -> Expected<'_> {
    (path, value, format!("have length less than or equal to {length}"))
}

fn matches<'a>(path: &'a str, value: &str, pattern: &str) -> Expected<'a> {
    (path, value.to_owned(), format!("satisfy regular expression pattern: {pattern}"))
}

#[tokio::test]
async fn lengths_and_patterns_name_a_message_differently() {
    const SMS: &str = "adminCreateUserConfig.inviteMessageTemplate.sMSMessage";
    const EMAIL: &str = "adminCreateUserConfig.inviteMessageTemplate.emailMessage";
    const SUBJECT: &str = "adminCreateUserConfig.inviteMessageTemplate.emailSubject";
    const SMS_BEHIND: &str = "adminCreateUserConfig.inviteMessage.smsMessage";
    const EMAIL_BEHIND: &str = "adminCreateUserConfig.inviteMessage.emailMessage";
    let shown = |length: usize| format!("{}…", long(length.min(128)));
    for (template, expected) in [
        // An empty message is one error, because its pattern is not reached.
        (json!({ "SMSMessage": "" }), vec![at_least(SMS, String::new(), 6)]),
        (json!({ "EmailMessage": "" }), vec![at_least(EMAIL, String::new(), 6)]),
        // The pattern of a subject is checked with the lengths.
        (
            json!({ "EmailMessage": "", "EmailSubject": "" }),
            vec![
                at_least(EMAIL, String::new(), 6),
                at_least(SUBJECT, String::new(), 1),
                matches(SUBJECT, "", SUBJECT_PATTERN),
            ],
        ),
        (json!({ "SMSMessage": "{###}" }), vec![at_least(SMS, "{###}".to_owned(), 6)]),
        (json!({ "SMSMessage": long(141) }), vec![at_most(SMS, shown(141), 140)]),
        (json!({ "EmailMessage": long(20_001) }), vec![at_most(EMAIL, shown(20_001), 20_000)]),
        // One length hides both patterns.
        (
            json!({ "SMSMessage": "", "EmailMessage": "no code" }),
            vec![at_least(SMS, String::new(), 6)],
        ),
        (
            json!({ "SMSMessage": "no code", "EmailMessage": "no code", "EmailSubject": "" }),
            vec![at_least(SUBJECT, String::new(), 1), matches(SUBJECT, "", SUBJECT_PATTERN)],
        ),
        (
            json!({ "SMSMessage": "{username}" }),
            vec![matches(SMS_BEHIND, "{username}", SMS_PATTERN)],
        ),
        (
            json!({ "SMSMessage": "no code", "EmailMessage": "{username}" }),
            vec![
                matches(SMS_BEHIND, "no code", SMS_PATTERN),
                matches(EMAIL_BEHIND, "{username}", EMAIL_PATTERN),
            ],
        ),
    ] {
        let texts: Vec<_> = expected
            .iter()
            .map(|(path, value, must)| {
                format!(
                    "Value '{value}' at '{path}' failed to satisfy constraint: Member must {must}"
                )
            })
            .collect();
        let plural = if texts.len() == 1 { "" } else { "s" };
        let message =
            format!("{} validation error{plural} detected: {}", texts.len(), texts.join("; "));
        for refused in refusals(invite(&template)).await {
            assert_eq!(refused.message(), message);
        }
    }
}

/// The paths in the details are those of the request in both cases.
#[tokio::test]
async fn the_details_have_the_paths_of_the_request() {
    let path = "admin_create_user_config.invite_message_template.sms_message";
    for (text, reason) in [("", "LENGTH"), ("no code", "PATTERN"), ("{####}", "PATTERN")] {
        for refused in refusals(invite(&json!({ "SMSMessage": text }))).await {
            assert_eq!(reported(&refused), [(path.to_owned(), reason.to_owned())], "{text}");
        }
    }
}

/// The patterns of invitations are checked after all other field rules, and before the
/// rules for what fields mean.
#[tokio::test]
async fn an_error_in_another_field_hides_the_pattern_of_an_invitation() {
    let path = "admin_create_user_config.invite_message_template.sms_message";
    let members = invite(&json!({ "SMSMessage": "no code" }));
    let policy = json!({ "Policies": { "PasswordPolicy": { "MinimumLength": 100 } } });
    for refused in refusals(with(members.clone(), policy)).await {
        let expected = ("policies.password_policy.minimum_length".to_owned(), "RANGE".to_owned());
        assert_eq!(reported(&refused), [expected]);
    }
    let mfa = json!({ "MfaConfiguration": "OPTIONAL" });
    for refused in refusals(with(members, mfa)).await {
        assert_eq!(reported(&refused), [(path.to_owned(), "PATTERN".to_owned())]);
    }
}

/// Only invitations are checked twice.
#[tokio::test]
async fn other_messages_have_one_name() {
    for (members, path) in [
        (json!({ "SmsAuthenticationMessage": "" }), "smsAuthenticationMessage"),
        (json!({ "SmsVerificationMessage": "" }), "smsVerificationMessage"),
        (
            json!({ "VerificationMessageTemplate": { "SmsMessage": "" } }),
            "verificationMessageTemplate.smsMessage",
        ),
    ] {
        let start = format!("Value '' at '{path}' failed to satisfy constraint: Member must");
        let message = format!(
            "2 validation errors detected: {start} have length greater than or equal to 6; \
             {start} satisfy regular expression pattern: {SMS_PATTERN}"
        );
        for refused in refusals(members).await {
            assert_eq!(refused.message(), message);
        }
    }
}
