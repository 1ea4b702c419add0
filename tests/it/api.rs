//! A user pool shows every member of its request: in the answer and in every
//! Describe, together with Cognito's defaults and nothing else.

use std::collections::BTreeSet;

use prost_reflect::{Kind, MessageDescriptor};
use serde_json::{Value, json};
use tonic::{Code, transport::Channel};
use userpool::proto::{
    CreateUserPoolDomainRequest, CreateUserPoolRequest, DESCRIPTORS, DeleteUserPoolRequest,
    DescribeUserPoolRequest, DescribeUserPoolResponse, UpdateUserPoolRequest,
    user_pool_service_client::UserPoolServiceClient,
};

use crate::{
    json::{data, defaults, request, settings, shown, with, with_later_members, without},
    support::{TestServer, create, domain, metadata, named, reason},
};

/// Three requests that together have every member; the first two those of 2017.
const FILES: [&str; 3] = [
    "create-user-pool-full.json",
    "create-user-pool-usernames.json",
    "create-user-pool-today.json",
];

async fn describe(
    client: &mut UserPoolServiceClient<Channel>,
    id: &str,
) -> DescribeUserPoolResponse {
    let request = DescribeUserPoolRequest {
        user_pool_id: Some(id.to_owned()),
        ..DescribeUserPoolRequest::default()
    };
    client.describe_user_pool(request).await.expect("a user pool").into_inner()
}

/// Creates a user pool, checks that Describe shows the same, and returns it.
async fn created(members: Value) -> Value {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    let request: CreateUserPoolRequest = request(members);
    let created = client.create_user_pool(request).await.expect("a user pool").into_inner();
    let id = created.user_pool.as_ref().and_then(|pool| pool.id.clone()).expect("an ID");
    let described = describe(&mut client, &id).await;
    assert_eq!(shown(&created), without(shown(&described), "headPosition"));
    server.stop().await;
    settings(described.user_pool.as_ref())
}

#[tokio::test]
async fn the_first_example_is_shown_as_it_was_sent() {
    let sent = data(FILES[0]);
    let mut attributes = data("standard-attributes.json").as_array().expect("a list").clone();
    // A standard attribute keeps its place; custom ones follow.
    let email = attributes.iter_mut().find(|attribute| attribute["Name"] == "email");
    *email.expect("email") = sent["Schema"][0].clone();
    for (index, name) in ["custom:plan", "custom:credit", "custom:since", "dev:custom:flagged"]
        .into_iter()
        .enumerate()
    {
        attributes.push(with(sent["Schema"][index + 1].clone(), json!({ "Name": name })));
    }
    let names = json!({ "Name": sent["PoolName"], "SchemaAttributes": attributes });
    let expected = with(without(without(sent.clone(), "PoolName"), "Schema"), names);
    assert_eq!(created(sent).await, with_later_members(expected));
}

#[tokio::test]
async fn the_second_example_is_shown_as_it_was_sent() {
    let sent = data(FILES[1]);
    let names = json!({
        "Name": sent["PoolName"],
        "SchemaAttributes": data("standard-attributes.json"),
        // Has a default even if the configuration omits it.
        "AdminCreateUserConfig": {
            "AllowAdminCreateUserOnly": true, "UnusedAccountValidityDays": 7,
        },
    });
    let expected = with(with(defaults(), without(sent.clone(), "PoolName")), names);
    assert_eq!(created(sent).await, with_later_members(expected));
}

#[tokio::test]
async fn the_third_example_is_shown_as_it_was_sent() {
    let sent = data(FILES[2]);
    let names = json!({
        "Name": sent["PoolName"],
        "SchemaAttributes": data("standard-attributes.json"),
        // As long as a temporary password.
        "AdminCreateUserConfig": {
            "AllowAdminCreateUserOnly": false, "UnusedAccountValidityDays": 30,
        },
    });
    let expected = with(with(defaults(), without(sent.clone(), "PoolName")), names);
    assert_eq!(created(sent).await, expected);
}

#[test]
fn the_three_examples_cover_every_member() {
    let request = DESCRIPTORS.get_message_by_name("userpool.v1.CreateUserPoolRequest");
    let mut missing = BTreeSet::new();
    collect("", &request.expect("a message"), &FILES.map(data), &mut missing);
    assert_eq!(missing, BTreeSet::new(), "members that no file has");
}

/// The paths of all members that no value in `values` has.
fn collect(
    prefix: &str,
    message: &MessageDescriptor,
    values: &[Value],
    missing: &mut BTreeSet<String>,
) {
    // Our own members have numbers from 101.
    for field in message.fields().filter(|field| field.number() <= 100) {
        let path = format!("{prefix}{}", field.json_name());
        let given: Vec<Value> = values
            .iter()
            .filter_map(|value| value.get(field.json_name()))
            .flat_map(|value| value.as_array().cloned().unwrap_or_else(|| vec![value.clone()]))
            .collect();
        if given.is_empty() {
            missing.insert(path);
        } else if let Kind::Message(nested) = field.kind()
            && !field.is_map()
        {
            collect(&format!("{path}."), &nested, &given, missing);
        }
    }
}

#[tokio::test]
async fn a_user_pool_with_only_a_name_shows_only_the_defaults() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    let answer = client.create_user_pool(named("people")).await.expect("a user pool").into_inner();
    let answer = shown(&answer);
    let pool = json!({
        "Id": answer["UserPool"]["Id"],
        "Arn": "arn:aws:cognito-idp:us-east-1:123456789012:userpool/us-east-1_000000001",
        "Name": "people",
        "CreationDate": answer["UserPool"]["CreationDate"],
        // The user pool has not been modified yet.
        "LastModifiedDate": answer["UserPool"]["CreationDate"],
        "SchemaAttributes": data("standard-attributes.json"),
        "EstimatedNumberOfUsers": 0,
    });
    let expected = json!({ "UserPool": with(defaults(), pool), "revision": "1", "position": "1" });
    assert_eq!(answer, expected);
    let id = answer["UserPool"]["Id"].as_str().expect("an ID");
    let described = shown(&describe(&mut client, id).await);
    assert_eq!(described, with(expected, json!({ "headPosition": "1" })));
    server.stop().await;
}

#[tokio::test]
async fn an_id_is_the_region_and_nine_letters_and_digits() {
    let server = TestServer::with(|config| config.region = "eu-west-1".to_owned()).await;
    let id = create(&mut server.client().await, "people").await;
    let suffix = id.strip_prefix("eu-west-1_").expect("the region");
    assert_eq!(suffix.len(), 9);
    assert!(suffix.bytes().all(|byte| byte.is_ascii_alphanumeric()));
    server.stop().await;
}

#[tokio::test]
async fn the_maximum_number_of_user_pools_is_a_setting() {
    let server = TestServer::with(|config| config.limits.user_pools = 2).await;
    let mut client = server.client().await;
    let first = create(&mut client, "people").await;
    create(&mut client, "people").await;
    let status = client.create_user_pool(named("people")).await.expect_err("a refusal");
    assert_eq!(status.code(), Code::ResourceExhausted);
    assert_eq!(status.message(), "Maximum number of user pools exceeded: the limit is 2.");
    assert_eq!(reason(&status), "LIMIT_EXCEEDED");
    assert_eq!(metadata(&status, "limit").as_deref(), Some("2"));
    assert_eq!(metadata(&status, "aws_error").as_deref(), Some("LimitExceededException"));
    // A deletion makes room for one user pool.
    let delete =
        DeleteUserPoolRequest { user_pool_id: Some(first), ..DeleteUserPoolRequest::default() };
    client.delete_user_pool(delete).await.expect("deleted");
    create(&mut client, "people").await;
    client.create_user_pool(named("people")).await.expect_err("a refusal");
    server.stop().await;
}

#[tokio::test]
async fn names_of_user_pools_are_not_unique() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    let (one, other) = (create(&mut client, "people").await, create(&mut client, "people").await);
    assert_ne!(one, other);
    server.stop().await;
}

#[tokio::test]
async fn a_partial_password_policy_requires_only_what_it_names() {
    let policy =
        |members: Value| json!({ "PoolName": "people", "Policies": { "PasswordPolicy": members } });
    let pool = created(policy(json!({ "RequireNumbers": true }))).await;
    let partly = json!({
        "MinimumLength": 8,
        "RequireUppercase": false,
        "RequireLowercase": false,
        "RequireNumbers": true,
        "RequireSymbols": false,
    });
    assert_eq!(pool["Policies"]["PasswordPolicy"], partly);
    let pool = created(policy(json!({ "MinimumLength": 6 }))).await;
    let none = with(partly, json!({ "MinimumLength": 6, "RequireNumbers": false }));
    assert_eq!(pool["Policies"]["PasswordPolicy"], none);
    // Policies without a password policy count as omitted.
    let pool = created(json!({ "PoolName": "people", "Policies": {} })).await;
    assert_eq!(pool["Policies"], defaults()["Policies"]);
}

#[tokio::test]
async fn both_names_of_a_text_show_the_same_value() {
    let texts = |sms: &str, message: &str, subject: &str| {
        let template =
            json!({ "SmsMessage": sms, "EmailMessage": message, "EmailSubject": subject });
        let legacy = json!({
            "SmsVerificationMessage": sms,
            "EmailVerificationMessage": message,
            "EmailVerificationSubject": subject,
        });
        (json!({ "VerificationMessageTemplate": template }), legacy)
    };
    let both = |(template, legacy): (Value, Value)| {
        let option = json!({ "DefaultEmailOption": "CONFIRM_WITH_CODE" });
        let template = with(template["VerificationMessageTemplate"].clone(), option);
        with(legacy, json!({ "VerificationMessageTemplate": template }))
    };
    let name = json!({ "PoolName": "people" });
    let expected = |texts| {
        let more =
            json!({ "Name": "people", "SchemaAttributes": data("standard-attributes.json") });
        with(with(defaults(), more), both(texts))
    };

    // If either name is given, both are shown.
    let one = texts("sms {####}", "mail {####}", "subject");
    assert_eq!(created(with(name.clone(), one.0.clone())).await, expected(one.clone()));
    assert_eq!(created(with(name.clone(), one.1.clone())).await, expected(one.clone()));
    // If both are given and differ, the template wins.
    let other = texts("other sms {####}", "other mail {####}", "other subject");
    let mixed = with(with(name, other.1), one.0.clone());
    assert_eq!(created(mixed).await, expected(one));
}

#[tokio::test]
async fn unknown_and_deleted_pools_differ_in_reason_but_not_in_text() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    let deleted = create(&mut client, "people").await;
    let delete = |id: &str| DeleteUserPoolRequest {
        user_pool_id: Some(id.to_owned()),
        ..DeleteUserPoolRequest::default()
    };
    client.delete_user_pool(delete(&deleted)).await.expect("deleted");
    let unknown = "us-east-1_AbCdEfGhI".to_owned();
    for (id, expected, revision) in [
        (unknown, "USER_POOL_NOT_FOUND", None),
        (deleted, "USER_POOL_DELETED", Some("2".to_owned())),
    ] {
        let user_pool_id = Some(id.clone());
        let described = client
            .describe_user_pool(DescribeUserPoolRequest {
                user_pool_id: user_pool_id.clone(),
                ..DescribeUserPoolRequest::default()
            })
            .await
            .map(drop);
        let update = UpdateUserPoolRequest { user_pool_id, ..UpdateUserPoolRequest::default() };
        let updated = client.update_user_pool(update).await.map(drop);
        let deleted = client.delete_user_pool(delete(&id)).await.map(drop);
        let request: CreateUserPoolDomainRequest = domain("people", &id);
        let given_a_domain = client.create_user_pool_domain(request).await.map(drop);
        for answer in [described, updated, deleted, given_a_domain] {
            let status = answer.expect_err("no such user pool");
            assert_eq!(status.code(), Code::NotFound);
            assert_eq!(status.message(), format!("User pool {id} does not exist."));
            assert_eq!(reason(&status), expected);
            assert_eq!(metadata(&status, "user_pool_id"), Some(id.clone()));
            assert_eq!(metadata(&status, "revision"), revision);
            let aws_error = metadata(&status, "aws_error");
            assert_eq!(aws_error.as_deref(), Some("ResourceNotFoundException"));
        }
    }
    server.stop().await;
}

#[tokio::test]
async fn a_validated_request_creates_nothing() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    let request = CreateUserPoolRequest { validate_only: true, ..named("people") };
    let answer = client.create_user_pool(request).await.expect("valid").into_inner();
    assert_eq!((answer.revision, answer.position), (1, 0));
    let pool = settings(answer.user_pool.as_ref());
    assert_eq!(pool["Name"], "people");
    let user_pool_id = answer.user_pool.and_then(|pool| pool.id);
    let request = DescribeUserPoolRequest { user_pool_id, ..DescribeUserPoolRequest::default() };
    let status = client.describe_user_pool(request).await.expect_err("nothing");
    assert_eq!(reason(&status), "USER_POOL_NOT_FOUND");
    server.stop().await;
}
