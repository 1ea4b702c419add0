//! Updates replace all settings, or the named ones, but never those that Cognito
//! fixes at creation; an update that changes nothing records nothing.

mod mfa;

use serde_json::{Value, json};
use tonic::{Status, transport::Channel};
use tonic_types::StatusExt as _;
use userpool::proto::{
    CreateUserPoolRequest, DescribeUserPoolRequest, UpdateUserPoolRequest,
    user_pool_service_client::UserPoolServiceClient,
};

use crate::{
    json::{data, defaults, request, shown, with, with_later_members, without},
    support::{TestServer, create, domain},
};

type Client = UserPoolServiceClient<Channel>;

/// The members that are fixed at creation.
const FOR_GOOD: [&str; 7] =
    ["Id", "Arn", "Name", "CreationDate", "Domain", "SchemaAttributes", "AliasAttributes"];

/// A user pool with every setting, and a domain.
async fn full(client: &mut Client) -> String {
    let request: CreateUserPoolRequest = request(data("create-user-pool-full.json"));
    let created = client.create_user_pool(request).await.expect("a user pool").into_inner();
    let id = created.user_pool.and_then(|pool| pool.id).expect("an ID");
    client.create_user_pool_domain(domain("people", &id)).await.expect("a domain");
    id
}

async fn describe(client: &mut Client, id: &str) -> Value {
    let request = DescribeUserPoolRequest {
        user_pool_id: Some(id.to_owned()),
        ..DescribeUserPoolRequest::default()
    };
    shown(&client.describe_user_pool(request).await.expect("a user pool").into_inner())
}

/// Updates, and checks that Describe shows the same as the answer.
async fn update(client: &mut Client, id: &str, members: Value) -> Result<Value, Status> {
    let request: UpdateUserPoolRequest = request(with(json!({ "UserPoolId": id }), members));
    let answer = shown(&client.update_user_pool(request).await?.into_inner());
    assert_eq!(without(describe(client, id).await, "headPosition"), answer);
    Ok(answer)
}

/// The settings of a user pool: all that an update can change.
fn settings(answer: &Value) -> Value {
    let mut pool = answer["UserPool"].clone();
    let members = pool.as_object_mut().expect("an object");
    for member in FOR_GOOD.into_iter().chain(["LastModifiedDate", "EstimatedNumberOfUsers"]) {
        members.remove(member);
    }
    pool
}

/// The members of the full request that an update has too.
fn full_settings() -> Value {
    let members = data("create-user-pool-full.json");
    with_later_members(without(without(without(members, "PoolName"), "Schema"), "AliasAttributes"))
}

#[tokio::test]
async fn every_member_of_an_update_is_shown_as_it_was_sent() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    let id = create(&mut client, "people").await;
    let answer = update(&mut client, &id, full_settings()).await.expect("updated");
    assert_eq!(settings(&answer), full_settings());
    server.stop().await;
}

#[tokio::test]
async fn an_update_resets_omitted_settings_to_their_defaults() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    for mask in [json!([]), json!(["*"]), json!(["*", "policies"])] {
        let id = full(&mut client).await;
        let before = describe(&mut client, &id).await;
        assert_eq!(settings(&before), full_settings());
        let answer =
            update(&mut client, &id, json!({ "update_mask": mask })).await.expect("updated");
        assert_eq!(settings(&answer), defaults());
        for fixed in FOR_GOOD {
            assert_eq!(answer["UserPool"][fixed], before["UserPool"][fixed], "{fixed}");
            assert!(!answer["UserPool"][fixed].is_null(), "{fixed}");
        }
        let modified = |answer: &Value| answer["UserPool"]["LastModifiedDate"].to_string();
        assert!(modified(&answer) > modified(&before));
        assert_eq!(answer["revision"], json!("3"));
        let delete = json!({ "Domain": "people", "UserPoolId": id });
        client.delete_user_pool_domain(tonic::Request::new(request(delete))).await.expect("freed");
    }
    server.stop().await;
}

#[tokio::test]
async fn each_setting_can_be_changed_alone() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    let sent = full_settings();
    for (name, value) in sent.as_object().expect("an object") {
        // A setting that requires SMS comes with it, and a text with two names comes
        // under one of them.
        let needs_sms = ["MfaConfiguration", "AutoVerifiedAttributes"].contains(&name.as_str());
        let path = snake(name);
        let mask = if needs_sms { vec![path, "sms_configuration".into()] } else { vec![path] };
        let id = create(&mut client, "people").await;
        let before = describe(&mut client, &id).await;
        let members = with(sent.clone(), json!({ "update_mask": mask }));
        let answer = update(&mut client, &id, members).await.expect(name);
        let mut expected = with(settings(&before), json!({ (name): value }));
        if needs_sms {
            expected["SmsConfiguration"] = sent["SmsConfiguration"].clone();
        }
        for (legacy, template) in [
            ("SmsVerificationMessage", "SmsMessage"),
            ("EmailVerificationMessage", "EmailMessage"),
            ("EmailVerificationSubject", "EmailSubject"),
        ] {
            if name == legacy {
                expected["VerificationMessageTemplate"][template] = value.clone();
            }
            if name == "VerificationMessageTemplate" {
                expected[legacy] = value[template].clone();
            }
        }
        assert_eq!(settings(&answer), expected, "{name}");
        // And the reverse: each omitted setting alone returns to its default.
        let members = json!({ "update_mask": mask });
        let answer = update(&mut client, &id, members).await.expect(name);
        assert_eq!(settings(&answer), settings(&before), "{name}");
    }
    server.stop().await;
}

#[tokio::test]
async fn an_update_mask_reaches_into_settings() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    let id = full(&mut client).await;
    let sent = json!({
        "Policies": { "PasswordPolicy": { "MinimumLength": 20, "RequireNumbers": false } },
        "LambdaConfig": { "PreSignUp": "arn:aws:lambda:eu-west-1:1:function:new" },
        "AdminCreateUserConfig": { "InviteMessageTemplate": { "EmailSubject": "Hello" } },
        "update_mask": [
            "policies.password_policy.minimum_length",
            "lambda_config.pre_sign_up",
            // Not sent: unset.
            "lambda_config.post_confirmation",
            "admin_create_user_config.unused_account_validity_days",
            "admin_create_user_config.invite_message_template.email_subject",
            "device_configuration.challenge_required_on_new_device",
        ],
    });
    let answer = update(&mut client, &id, sent).await.expect("updated");
    let mut expected = full_settings();
    expected["Policies"]["PasswordPolicy"]["MinimumLength"] = json!(20);
    expected["LambdaConfig"]["PreSignUp"] = json!("arn:aws:lambda:eu-west-1:1:function:new");
    expected["LambdaConfig"] = without(expected["LambdaConfig"].clone(), "PostConfirmation");
    // Returns to its default.
    expected["AdminCreateUserConfig"]["UnusedAccountValidityDays"] = json!(7);
    expected["AdminCreateUserConfig"]["InviteMessageTemplate"]["EmailSubject"] = json!("Hello");
    expected["DeviceConfiguration"] =
        without(expected["DeviceConfiguration"].clone(), "ChallengeRequiredOnNewDevice");
    assert_eq!(settings(&answer), expected);
    server.stop().await;
}

#[tokio::test]
async fn a_path_into_an_absent_setting_creates_it_or_does_nothing() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    let id = create(&mut client, "people").await;
    let mask = json!({ "update_mask": ["device_configuration.challenge_required_on_new_device"] });
    let answer = update(&mut client, &id, mask.clone()).await.expect("nothing to do");
    assert_eq!((settings(&answer), &answer["revision"]), (defaults(), &json!("1")));
    let device = json!({ "DeviceConfiguration": {
        "ChallengeRequiredOnNewDevice": true, "DeviceOnlyRememberedOnUserPrompt": true,
    } });
    let answer = update(&mut client, &id, with(device, mask)).await.expect("updated");
    let device = json!({ "DeviceConfiguration": { "ChallengeRequiredOnNewDevice": true } });
    assert_eq!(settings(&answer), with(defaults(), device));
    server.stop().await;
}

#[tokio::test]
async fn one_name_of_a_text_in_the_mask_changes_both() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    for (legacy, member, template) in [
        ("SmsVerificationMessage", "SmsMessage", "sms_message"),
        ("EmailVerificationMessage", "EmailMessage", "email_message"),
        ("EmailVerificationSubject", "EmailSubject", "email_subject"),
    ] {
        let id = full(&mut client).await;
        let by_template = json!({
            "VerificationMessageTemplate": { (member): "new {####}" },
            "update_mask": [format!("verification_message_template.{template}")],
        });
        let by_legacy = json!({ (legacy): "newer {####}", "update_mask": [snake(legacy)] });
        for (sent, text) in [(by_template, "new {####}"), (by_legacy, "newer {####}")] {
            let answer = update(&mut client, &id, sent).await.expect("updated");
            let mut expected = full_settings();
            expected[legacy] = json!(text);
            expected["VerificationMessageTemplate"][member] = json!(text);
            assert_eq!(settings(&answer), expected);
        }
        // Cleared by either name, both are gone.
        let unset = json!({ "update_mask": [snake(legacy)] });
        let answer = update(&mut client, &id, unset).await.expect("updated");
        let template = full_settings()["VerificationMessageTemplate"].clone();
        let template = json!({ "VerificationMessageTemplate": without(template, member) });
        assert_eq!(settings(&answer), with(without(full_settings(), legacy), template));
        let delete = json!({ "Domain": "people", "UserPoolId": id });
        client.delete_user_pool_domain(tonic::Request::new(request(delete))).await.expect("freed");
    }
    server.stop().await;
}

#[tokio::test]
async fn an_update_that_changes_nothing_records_nothing() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    let id = full(&mut client).await;
    let before = without(describe(&mut client, &id).await, "headPosition");
    for members in [
        full_settings(),
        json!({ "MfaConfiguration": "OPTIONAL", "update_mask": ["mfa_configuration"] }),
    ] {
        // LastModifiedDate stays too.
        assert_eq!(update(&mut client, &id, members).await.expect("nothing to do"), before);
    }
    server.stop().await;
}

#[tokio::test]
async fn the_result_of_an_update_must_be_valid_as_a_whole() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    let id = full(&mut client).await;
    let before = describe(&mut client, &id).await;
    // The user pool has MFA and verifies phone numbers, and requires SMS for both.
    let answer = update(&mut client, &id, json!({ "update_mask": ["sms_configuration"] })).await;
    let status = answer.expect_err("a refusal");
    let violations = status.get_details_bad_request().expect("a BadRequest").field_violations;
    let fields: Vec<_> = violations.into_iter().map(|violation| violation.field).collect();
    assert_eq!(fields, ["sms_configuration", "sms_configuration"]);
    assert_eq!(describe(&mut client, &id).await, before);
    // Without those, SMS is optional.
    let mask = ["sms_configuration", "mfa_configuration", "auto_verified_attributes"];
    update(&mut client, &id, json!({ "update_mask": mask })).await.expect("updated");
    server.stop().await;
}

#[tokio::test]
async fn a_path_cannot_clear_a_required_member() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    let id = full(&mut client).await;
    let before = describe(&mut client, &id).await;
    for (path, member) in [
        ("sms_configuration.sns_caller_arn", "smsConfiguration.snsCallerArn"),
        ("user_pool_add_ons.advanced_security_mode", "userPoolAddOns.advancedSecurityMode"),
    ] {
        let answer = update(&mut client, &id, json!({ "update_mask": [path] })).await;
        let status = answer.expect_err(path);
        let text = format!(
            "1 validation error detected: Value null at '{member}' failed to satisfy constraint: \
             Member must not be null"
        );
        assert_eq!(status.message(), text);
        let violations = status.get_details_bad_request().expect("a BadRequest").field_violations;
        assert_eq!((violations.len(), violations[0].field.as_str()), (1, path));
        assert_eq!(describe(&mut client, &id).await, before);
    }
    server.stop().await;
}

/// `MfaConfiguration` → `mfa_configuration`.
fn snake(name: &str) -> String {
    let mut snake = String::new();
    for letter in name.chars() {
        if letter.is_uppercase() && !snake.is_empty() {
            snake.push('_');
        }
        snake.extend(letter.to_lowercase());
    }
    snake
}
