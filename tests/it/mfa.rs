//! Multi-factor authentication: which factors a user pool has, and what can turn it on.

use serde_json::{Value, json};
use tonic::{Code, Status, transport::Channel};
use tonic_types::StatusExt as _;
use userpool::proto::{
    CreateUserPoolRequest, GetUserPoolMfaConfigRequest, SetUserPoolMfaConfigRequest,
    SmsConfiguration, SmsMfaConfig, SoftwareTokenMfaConfig, UpdateUserPoolRequest, UserPool,
    mfa_configuration::Value as Mfa, user_pool_service_client::UserPoolServiceClient,
};

use crate::{
    json::shown,
    support::{TestServer, create, describe, metadata, named},
};

type Client = UserPoolServiceClient<Channel>;

const ROLE: &str = "arn:aws:iam::123456789012:role/sms";
const ROLE_2: &str = "arn:aws:iam::123456789012:role/sms-2";
const NO_FACTOR: &str = "Invalid MFA configuration given, can't disable all MFAs with a required or optional \
     configuration.";
const OFF_WITH_FACTOR: &str =
    "Invalid MFA configuration given, can't turn off MFA and configure an MFA together.";
const CANNOT_TURN_ON: &str =
    "Cannot turn MFA functionality ON, once the user pool has been created.";
const SMS_REQUIRED: &str = "SMS configuration and Auto verification for phone_number are required when MFA is \
     required/optional";

fn sms_configuration(role: &str) -> SmsConfiguration {
    SmsConfiguration { sns_caller_arn: Some(role.to_owned()), ..SmsConfiguration::default() }
}

fn sms(role: &str, message: Option<&str>) -> SmsMfaConfig {
    SmsMfaConfig {
        sms_configuration: Some(sms_configuration(role)),
        sms_authentication_message: message.map(str::to_owned),
    }
}

const ENABLED: Option<SoftwareTokenMfaConfig> =
    Some(SoftwareTokenMfaConfig { enabled: Some(true) });
const DISABLED: Option<SoftwareTokenMfaConfig> =
    Some(SoftwareTokenMfaConfig { enabled: Some(false) });

async fn get(client: &mut Client, id: &str) -> Value {
    let request = GetUserPoolMfaConfigRequest {
        user_pool_id: Some(id.to_owned()),
        ..GetUserPoolMfaConfigRequest::default()
    };
    let got = client.get_user_pool_mfa_config(request).await.expect("an answer").into_inner();
    without_place(shown(&got))
}

/// Sets the configuration, which is answered as it is then read.
async fn set(
    client: &mut Client,
    id: &str,
    mfa: Option<Mfa>,
    sms: Option<SmsMfaConfig>,
    token: Option<SoftwareTokenMfaConfig>,
) -> Result<Value, Status> {
    let request = SetUserPoolMfaConfigRequest {
        user_pool_id: Some(id.to_owned()),
        mfa_configuration: mfa.map(i32::from),
        sms_mfa_configuration: sms,
        software_token_mfa_configuration: token,
        ..Default::default()
    };
    let set = client.set_user_pool_mfa_config(request).await?.into_inner();
    let answer = without_place(shown(&set));
    assert_eq!(get(client, id).await, answer);
    Ok(answer)
}

fn without_place(mut answer: Value) -> Value {
    let object = answer.as_object_mut().expect("an object");
    object.retain(|member, _| !["revision", "position", "headPosition"].contains(&member.as_str()));
    answer
}

async fn pool(client: &mut Client, id: &str) -> UserPool {
    describe(client, id).await.expect("a user pool")
}

/// A full update that sets MFA, and SMS if there is a role.
async fn update(client: &mut Client, id: &str, mfa: Mfa, role: Option<&str>) -> Result<(), Status> {
    let request = UpdateUserPoolRequest {
        user_pool_id: Some(id.to_owned()),
        mfa_configuration: Some(mfa.into()),
        sms_configuration: role.map(sms_configuration),
        ..Default::default()
    };
    client.update_user_pool(request).await.map(drop)
}

fn assert_refused<T: std::fmt::Debug>(answer: Result<T, Status>, field: &str, text: &str) {
    let refused = answer.expect_err(text);
    assert_eq!((refused.code(), refused.message()), (Code::InvalidArgument, text));
    assert_eq!(metadata(&refused, "aws_error").as_deref(), Some("InvalidParameterException"));
    let violations = refused.get_details_bad_request().expect("details").field_violations;
    assert_eq!((violations.len(), violations[0].field.as_str()), (1, field));
}

#[tokio::test]
async fn a_new_user_pool_has_no_factor_or_sms() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    let id = create(&mut client, "people").await;
    assert_eq!(get(&mut client, &id).await, json!({ "MfaConfiguration": "OFF" }));

    let request = CreateUserPoolRequest {
        mfa_configuration: Some(Mfa::On.into()),
        sms_configuration: Some(sms_configuration(ROLE)),
        sms_authentication_message: Some("Use {####}.".to_owned()),
        ..named("people")
    };
    let created = client.create_user_pool(request).await.expect("created").into_inner();
    let id = created.user_pool.and_then(|pool| pool.id).expect("an ID");
    let expected = json!({
        "MfaConfiguration": "ON",
        "SmsMfaConfiguration": {
            "SmsConfiguration": { "SnsCallerArn": ROLE },
            "SmsAuthenticationMessage": "Use {####}.",
        },
    });
    assert_eq!(get(&mut client, &id).await, expected);
    server.stop().await;
}

/// The settings of SMS are those of the user pool, which verification uses too.
#[tokio::test]
async fn both_factors_are_replaced_and_the_sms_settings_are_kept() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    let id = create(&mut client, "people").await;
    let both = sms(ROLE, Some("Use {####}."));
    let answer = set(&mut client, &id, Some(Mfa::On), Some(both), ENABLED).await;
    let expected = json!({
        "MfaConfiguration": "ON",
        "SmsMfaConfiguration": {
            "SmsConfiguration": { "SnsCallerArn": ROLE },
            "SmsAuthenticationMessage": "Use {####}.",
        },
        "SoftwareTokenMfaConfiguration": { "Enabled": true },
    });
    assert_eq!(answer.expect("set"), expected);
    let shown = pool(&mut client, &id).await;
    assert_eq!(shown.sms_configuration, Some(sms_configuration(ROLE)));
    assert_eq!(shown.sms_authentication_message.as_deref(), Some("Use {####}."));

    // SMS alone, with another role and the default message.
    let answer = set(&mut client, &id, Some(Mfa::Optional), Some(sms(ROLE_2, None)), DISABLED);
    let expected = json!({
        "MfaConfiguration": "OPTIONAL",
        "SmsMfaConfiguration": { "SmsConfiguration": { "SnsCallerArn": ROLE_2 } },
        "SoftwareTokenMfaConfiguration": { "Enabled": false },
    });
    assert_eq!(answer.await.expect("set"), expected);

    // Software tokens alone: verification still needs the role.
    let answer = set(&mut client, &id, None, None, ENABLED).await.expect("set");
    let expected = json!({
        "MfaConfiguration": "OPTIONAL", "SoftwareTokenMfaConfiguration": { "Enabled": true },
    });
    assert_eq!(answer, expected);
    let kept = pool(&mut client, &id).await.sms_configuration;
    assert_eq!(kept, Some(sms_configuration(ROLE_2)));

    // SMS again, with the settings that the user pool has.
    let kept = Some(SmsMfaConfig::default());
    let answer = set(&mut client, &id, None, kept, None).await.expect("set");
    assert_eq!(answer["SmsMfaConfiguration"]["SmsConfiguration"]["SnsCallerArn"], ROLE_2);

    let answer = set(&mut client, &id, Some(Mfa::Off), None, None).await.expect("set");
    assert_eq!(answer, json!({ "MfaConfiguration": "OFF" }));
    server.stop().await;
}

/// The default is recorded, so that the request with the default records nothing more.
#[tokio::test]
async fn software_tokens_are_disabled_by_default() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    let id = create(&mut client, "people").await;
    let by_default = Some(SoftwareTokenMfaConfig::default());
    let mut revisions = Vec::new();
    for token in [by_default, DISABLED, by_default] {
        let request = SetUserPoolMfaConfigRequest {
            user_pool_id: Some(id.clone()),
            mfa_configuration: Some(Mfa::On.into()),
            sms_mfa_configuration: Some(sms(ROLE, None)),
            software_token_mfa_configuration: token,
            ..Default::default()
        };
        let set = client.set_user_pool_mfa_config(request).await.expect("set").into_inner();
        assert_eq!(set.software_token_mfa_configuration, DISABLED);
        revisions.push(set.revision);
    }
    assert_eq!(revisions, [2, 2, 2]);
    server.stop().await;
}

#[tokio::test]
async fn off_excludes_factors_and_the_others_require_one() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    let id = create(&mut client, "people").await;
    let (on, off) = (Some(Mfa::On), Some(Mfa::Off));
    for mfa in [on, Some(Mfa::Optional)] {
        for token in [None, DISABLED, Some(SoftwareTokenMfaConfig::default())] {
            let refused = set(&mut client, &id, mfa, None, token).await;
            assert_refused(refused, "mfa_configuration", NO_FACTOR);
        }
    }
    for (sms_mfa, token, field) in [
        (None, ENABLED, "software_token_mfa_configuration"),
        (None, DISABLED, "software_token_mfa_configuration"),
        (Some(sms(ROLE, None)), None, "sms_mfa_configuration"),
        (Some(sms(ROLE, None)), ENABLED, "sms_mfa_configuration"),
    ] {
        // Also if the user pool has it off.
        for mfa in [off, None] {
            let refused = set(&mut client, &id, mfa, sms_mfa.clone(), token).await;
            assert_refused(refused, field, OFF_WITH_FACTOR);
        }
    }
    let nothing = Some(SmsMfaConfig::default());
    let refused = set(&mut client, &id, on, nothing, ENABLED).await;
    assert_refused(refused, "sms_mfa_configuration.sms_configuration", SMS_REQUIRED);
    // Nothing was recorded.
    assert_eq!(pool(&mut client, &id).await.mfa_configuration, Some(Mfa::Off.into()));
    set(&mut client, &id, on, None, ENABLED).await.expect("set");
    assert_refused(set(&mut client, &id, None, None, None).await, "mfa_configuration", NO_FACTOR);
    server.stop().await;
}

#[tokio::test]
async fn an_update_can_turn_mfa_on_once_a_factor_was_enabled() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    let id = create(&mut client, "people").await;
    let field = "mfa_configuration";
    let refused = update(&mut client, &id, Mfa::On, Some(ROLE)).await;
    assert_refused(refused, field, CANNOT_TURN_ON);
    // Optional MFA with SMS does not enable the factor.
    update(&mut client, &id, Mfa::Optional, Some(ROLE)).await.expect("updated");
    let refused = update(&mut client, &id, Mfa::On, Some(ROLE)).await;
    assert_refused(refused, field, CANNOT_TURN_ON);

    let optional = Some(Mfa::Optional);
    for (sms_mfa, token) in [(Some(sms(ROLE, None)), None), (None, ENABLED)] {
        set(&mut client, &id, optional, sms_mfa, token).await.expect("set");
        for mfa in [Mfa::On, Mfa::Off, Mfa::On, Mfa::Optional, Mfa::On] {
            update(&mut client, &id, mfa, Some(ROLE)).await.expect("updated");
        }
        // The call that turns it off removes the factors.
        set(&mut client, &id, Some(Mfa::Off), None, None).await.expect("set");
        let refused = update(&mut client, &id, Mfa::On, Some(ROLE)).await;
        assert_refused(refused, field, CANNOT_TURN_ON);
    }
    server.stop().await;
}

/// Software tokens are a factor, so that SMS is not required.
#[tokio::test]
async fn an_update_of_a_user_pool_with_software_tokens_needs_no_sms() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    let id = create(&mut client, "people").await;
    set(&mut client, &id, Some(Mfa::On), None, ENABLED).await.expect("set");
    update(&mut client, &id, Mfa::On, None).await.expect("updated");
    update(&mut client, &id, Mfa::Optional, None).await.expect("updated");
    let expected = json!({
        "MfaConfiguration": "OPTIONAL", "SoftwareTokenMfaConfiguration": { "Enabled": true },
    });
    assert_eq!(get(&mut client, &id).await, expected);

    set(&mut client, &id, Some(Mfa::On), Some(sms(ROLE, None)), None).await.expect("set");
    let refused = update(&mut client, &id, Mfa::On, None).await;
    assert_refused(refused, "sms_configuration", SMS_REQUIRED);
    server.stop().await;
}

#[tokio::test]
async fn the_same_configuration_records_nothing() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    let id = create(&mut client, "people").await;
    let request = SetUserPoolMfaConfigRequest {
        user_pool_id: Some(id.clone()),
        mfa_configuration: Some(Mfa::On.into()),
        software_token_mfa_configuration: ENABLED,
        ..Default::default()
    };
    for _ in 0..2 {
        let set = client.set_user_pool_mfa_config(request.clone()).await.expect("set").into_inner();
        assert_eq!((set.revision, set.position), (2, 2));
    }
    server.stop().await;
}
