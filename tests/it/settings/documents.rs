//! The rules hold in documents that mix members at their bounds, not only in requests that
//! have little else.

mod samples;

use serde_json::{Value, json};
use tonic::Status;
use userpool::proto::{CreateUserPoolRequest, UpdateUserPoolRequest};

use self::samples::samples;
use super::sms;
use crate::{
    json::{request, settings, with},
    support::{Client, TestServer},
};

const NO_SMS: &str = "SMS configuration and Auto verification for phone_number are required when \
                      MFA is required/optional";
const NO_SMS_FOR_PHONE: &str =
    "SMS configuration is required when phone_number is selected for auto verification";
const TURNED_ON: &str = "Cannot turn MFA functionality ON, once the user pool has been created.";

async fn create(client: &mut Client, document: Value) -> Result<(String, Value), Status> {
    let request: CreateUserPoolRequest = request(document);
    let pool = client.create_user_pool(request).await?.into_inner().user_pool;
    let id = pool.as_ref().and_then(|pool| pool.id.clone()).expect("an ID");
    Ok((id, settings(pool.as_ref())))
}

/// Updates a new user pool with this document to the same document with `changes`. An update
/// that is only validated has the same result.
async fn update(client: &mut Client, document: &Value, changes: Value) -> Result<Value, Status> {
    let (id, _) = create(client, document.clone()).await.expect("a user pool");
    let mut members = with(with(document.clone(), changes), json!({ "UserPoolId": id }));
    let object = members.as_object_mut().expect("an object");
    object.retain(|name, _| {
        !["PoolName", "Schema", "AliasAttributes", "UsernameAttributes"].contains(&name.as_str())
    });
    let request: UpdateUserPoolRequest = request(members);
    let validated = UpdateUserPoolRequest { validate_only: true, ..request.clone() };
    let validated = client.update_user_pool(validated).await;
    let answer = client.update_user_pool(request).await;
    match (&validated, &answer) {
        (Ok(_), Ok(_)) => (),
        (Err(validated), Err(status)) => assert_eq!(validated.message(), status.message()),
        both => unreachable!("{both:?}"),
    }
    Ok(settings(answer?.into_inner().user_pool.as_ref()))
}

/// The messages of the refusals of a creation with `changes`, and of an update to them.
async fn refusals(client: &mut Client, document: &Value, changes: Value) -> [String; 2] {
    let created = create(client, with(document.clone(), changes.clone())).await;
    let updated = update(client, document, changes).await;
    [created.expect_err("a refusal"), updated.expect_err("a refusal")]
        .map(|status| status.message().to_owned())
}

/// Whether `shown` has every member of `sent`.
fn has(shown: &Value, sent: &Value) -> bool {
    match (shown, sent) {
        (Value::Object(shown), Value::Object(sent)) => sent.iter().all(|(name, sent)| {
            shown.get(name).map_or(*sent == json!({}), |shown| has(shown, sent))
        }),
        (shown, sent) => shown == sent,
    }
}

#[tokio::test]
async fn every_document_is_accepted_and_shown_as_it_was_sent() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    for (name, document) in samples() {
        let (_, shown) = create(&mut client, document.clone()).await.expect(name);
        for (member, sent) in document.as_object().expect("an object") {
            if !["PoolName", "Schema"].contains(&member.as_str()) {
                assert!(has(&shown, &json!({ (member): sent })), "{name}: {member}");
            }
        }
        let updated = update(&mut client, &document, json!({})).await.expect(name);
        assert_eq!(updated, shown, "{name}");
    }
    server.stop().await;
}

#[tokio::test]
async fn no_document_turns_mfa_on_in_an_update() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    for (name, document) in samples() {
        let answer =
            update(&mut client, &document, with(sms(), json!({ "MfaConfiguration": "ON" })));
        match document.get("MfaConfiguration").and_then(Value::as_str) {
            Some("ON") => assert_eq!(answer.await.expect(name)["MfaConfiguration"], "ON"),
            _ => assert_eq!(answer.await.expect_err(name).message(), TURNED_ON, "{name}"),
        }
    }
    server.stop().await;
}

#[tokio::test]
async fn attributes_in_every_document_are_immutable_by_default() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    for (name, document) in samples() {
        let (_, shown) = create(&mut client, document.clone()).await.expect(name);
        let sent = document.get("Schema").cloned().unwrap_or(json!([]));
        let sent = sent.as_array().expect("a list");
        for attribute in shown["SchemaAttributes"].as_array().expect("a list") {
            let shown_name = attribute["Name"].as_str().expect("a name");
            let is_sent = |sent: &&Value| {
                let sent = sent["Name"].as_str().expect("a name");
                [sent.into(), format!("custom:{sent}"), format!("dev:custom:{sent}")]
                    .contains(&shown_name.to_owned())
            };
            let expected = match sent.iter().find(is_sent) {
                Some(sent) => sent.get("Mutable").is_some_and(|mutable| mutable == true),
                None => shown_name != "sub",
            };
            assert_eq!(attribute["Mutable"], expected, "{name}: {shown_name}");
        }
    }
    server.stop().await;
}

#[tokio::test]
async fn an_invitation_in_every_document_has_both_placeholders() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    let text = "The invite message must contain {username} and {####}.";
    for (name, document) in samples() {
        for member in ["SMSMessage", "EmailMessage"] {
            for message in ["{####}", "{USERNAME} {####}"] {
                let template = json!({ "InviteMessageTemplate": { (member): message } });
                let changes = json!({ "AdminCreateUserConfig": template });
                assert_eq!(refusals(&mut client, &document, changes).await, [text; 2], "{name}");
            }
        }
    }
    server.stop().await;
}

#[tokio::test]
async fn a_link_in_every_document_has_a_text() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    for (name, document) in samples() {
        for option in ["CONFIRM_WITH_CODE", "CONFIRM_WITH_LINK"] {
            let template =
                json!({ "EmailMessageByLink": "CODE {####}", "DefaultEmailOption": option });
            let changes = json!({ "VerificationMessageTemplate": template });
            let refused = refusals(&mut client, &document, changes).await;
            assert_eq!(refused, ["The message is invalid."; 2], "{name}");
        }
    }
    server.stop().await;
}

#[tokio::test]
async fn mfa_in_every_document_needs_sms() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    for (name, document) in samples() {
        let verified = document.get("AutoVerifiedAttributes").and_then(Value::as_array);
        let is_phone_verified =
            verified.is_some_and(|verified| verified.contains(&json!("phone_number")));
        let text = if is_phone_verified {
            format!("{NO_SMS_FOR_PHONE}; {NO_SMS}")
        } else {
            NO_SMS.to_owned()
        };
        for value in ["ON", "OPTIONAL"] {
            let mut bare = with(document.clone(), json!({ "MfaConfiguration": value }));
            bare.as_object_mut().expect("an object").remove("SmsConfiguration");
            let created = create(&mut client, bare).await.expect_err(name);
            assert_eq!(created.message(), text, "{name} {value}");
        }
        let changes = json!({ "MfaConfiguration": "OPTIONAL", "SmsConfiguration": null });
        let updated = update(&mut client, &document, changes).await.expect_err(name);
        assert_eq!(updated.message(), text, "{name}");
    }
    server.stop().await;
}

#[tokio::test]
async fn a_required_alias_in_every_document_is_accepted() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    for (name, document) in samples() {
        let attribute = json!({ "Name": "preferred_username", "Required": true });
        let changes = json!({
            "AliasAttributes": ["preferred_username"], "UsernameAttributes": [],
            "Schema": [attribute],
        });
        let (_, shown) = create(&mut client, with(document, changes)).await.expect(name);
        assert_eq!(shown["SchemaAttributes"][6]["Required"], true, "{name}");
    }
    server.stop().await;
}

#[tokio::test]
async fn an_invitation_in_every_document_has_two_names_in_refusals() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    let empty = "1 validation error detected: Value '' at \
                 'adminCreateUserConfig.inviteMessageTemplate.sMSMessage' failed to satisfy \
                 constraint: Member must have length greater than or equal to 6";
    let without_code = "1 validation error detected: Value '{username}' at \
                        'adminCreateUserConfig.inviteMessage.smsMessage' failed to satisfy \
                        constraint: Member must satisfy regular expression pattern: .*\\{####\\}.*";
    for (name, document) in samples() {
        for (message, text) in [("", empty), ("{username}", without_code)] {
            let template = json!({ "InviteMessageTemplate": { "SMSMessage": message } });
            let changes = json!({ "AdminCreateUserConfig": template });
            assert_eq!(refusals(&mut client, &document, changes).await, [text; 2], "{name}");
        }
    }
    server.stop().await;
}
