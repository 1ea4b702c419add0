//! Both doors see the same user pools, and the history knows the door.

use serde_json::json;
use userpool::{
    proto::{
        ActorKind, DescribeUserPoolRequest, ListUserPoolEventsRequest, UserPoolEvent,
        VerifyUserPoolHistoryRequest,
        user_pool_history_service_client::UserPoolHistoryServiceClient,
    },
    transport::Endpoint,
};

use crate::{
    calls::Call,
    metrics::Reading,
    support::{TestServer, create as create_over_grpc},
};

use super::{call, call_with, create, start, start_with};

async fn events(server: &TestServer) -> Vec<UserPoolEvent> {
    let mut history = UserPoolHistoryServiceClient::new(server.channel().await);
    let request = ListUserPoolEventsRequest::default();
    history.list_user_pool_events(request).await.expect("events").into_inner().events
}

#[tokio::test]
async fn each_door_sees_the_changes_of_the_other_at_once() {
    let server = start().await;
    let mut client = server.client().await;
    let id = create(&server, r#"{"PoolName":"people"}"#).await;
    let describe = |id: &str| DescribeUserPoolRequest {
        user_pool_id: Some(id.to_owned()),
        ..DescribeUserPoolRequest::default()
    };
    client.describe_user_pool(describe(&id)).await.expect("described");
    let body = json!({ "UserPoolId": id, "UserPoolTags": { "a": "b" } }).to_string();
    assert_eq!(call(&server, "UpdateUserPool", &body).await.status, 200);
    let pool = client.describe_user_pool(describe(&id)).await.expect("described").into_inner();
    assert_eq!(pool.revision, 2);

    let other = create_over_grpc(&mut client, "others").await;
    let body = json!({ "UserPoolId": other }).to_string();
    assert_eq!(call(&server, "DescribeUserPool", &body).await.status, 200);
    let mut history = UserPoolHistoryServiceClient::new(server.channel().await);
    let verified = history.verify_user_pool_history(VerifyUserPoolHistoryRequest::default()).await;
    assert!(verified.expect("verified").into_inner().valid);
    server.stop().await;
}

#[tokio::test]
async fn an_event_has_the_door_the_sdk_and_the_key_that_was_claimed() {
    let server = start().await;
    let headers = [
        ("user-agent", "Boto3/1.44.8 md/Botocore#1.44.8"),
        (
            "authorization",
            "AWS4-HMAC-SHA256 Credential=AKIAEXAMPLE/20171211/us-east-1/cognito-idp/aws4_request, \
             SignedHeaders=host, Signature=00",
        ),
        ("x-request-id", "0193b5f0-7c5e-7d7a-9c55-2d1d8f1b6a01"),
        ("amz-sdk-invocation-id", "1c388cae-a545-4101-999a-4e8c8d995a33"),
        ("amz-sdk-request", "attempt=1; max=3"),
    ];
    let answer = call_with(&server, "CreateUserPool", &headers, r#"{"PoolName":"people"}"#).await;
    let request_id = answer.header("x-amzn-requestid").map(str::to_owned);
    create_over_grpc(&mut server.client().await, "others").await;

    let [event, other] = <[_; 2]>::try_from(events(&server).await).expect("two events");
    let actor = event.actor.expect("an actor");
    // Whoever is not verified is anonymous, whatever key it shows.
    assert_eq!((actor.kind(), actor.subject.as_str()), (ActorKind::Anonymous, ""));
    assert_eq!(actor.door.as_deref(), Some("aws-json"));
    assert_eq!(actor.access_key_id.as_deref(), Some("AKIAEXAMPLE"));
    assert_eq!(actor.user_agent, "Boto3/1.44.8 md/Botocore#1.44.8");
    assert!(actor.peer_address.starts_with("127.0.0.1:"), "{actor:?}");
    assert_eq!(Some(event.correlation_id), request_id);
    assert_eq!(event.request_id.as_deref(), Some("1c388cae-a545-4101-999a-4e8c8d995a33"));
    assert_eq!(other.actor.expect("an actor").door, None);
    server.stop().await;
}

/// An ID that is no UUID stays the correlation ID, but AWS clients expect a UUID.
#[tokio::test]
async fn the_id_of_an_answer_is_a_uuid() {
    let server = start().await;
    let headers = [("x-request-id", "mine")];
    let answer = call_with(&server, "CreateUserPool", &headers, r#"{"PoolName":"people"}"#).await;
    let id = answer.header("x-amzn-requestid").expect("an ID");
    assert!(uuid::Uuid::try_parse(id).is_ok(), "{id}");
    assert_eq!(answer.header("x-request-id"), None);
    assert_eq!(events(&server).await[0].correlation_id, "mine");
    server.stop().await;
}

#[tokio::test]
async fn requests_are_counted_by_operation_and_type() {
    let server = start_with(|config| {
        config.metrics_listen = Some(Endpoint::Tcp("127.0.0.1:0".to_owned()));
    })
    .await;
    create(&server, r#"{"PoolName":"people"}"#).await;
    call(&server, "CreateUserPool", r#"{"PoolName":1}"#).await;
    call(&server, "ListUsers", "{}").await;
    let foreign = [(
        "authorization",
        "AWS4-HMAC-SHA256 Credential=A/20171211/eu-west-1/cognito-idp/aws4_request, \
         SignedHeaders=host, Signature=00",
    )];
    call_with(&server, "ListUserPools", &foreign, "{}").await;
    call_with(&server, "ListUserPools", &[("origin", "http://evil.example")], "{}").await;

    let reading = Reading::of(server.metrics.as_ref().expect("metrics")).await;
    for (series, count) in [
        (r#"userpool_aws_requests_total{operation="CreateUserPool",type="ok"}"#, 1.0),
        (
            r#"userpool_aws_requests_total{operation="CreateUserPool",type="SerializationException"}"#,
            1.0,
        ),
        (r#"userpool_aws_requests_total{operation="other",type="UnknownOperationException"}"#, 1.0),
        (
            r#"userpool_aws_requests_total{operation="ListUserPools",type="InvalidSignatureException"}"#,
            1.0,
        ),
        (r#"userpool_refused_total{reason="wrong_region"}"#, 1.0),
        (r#"userpool_refused_total{reason="origin"}"#, 1.0),
        (r#"userpool_refused_total{reason="bad_signature"}"#, 0.0),
        (
            r#"grpc_server_handled_total{grpc_type="unary",grpc_service="userpool.v1.UserPoolService",grpc_method="CreateUserPool",grpc_code="OK"}"#,
            1.0,
        ),
    ] {
        assert!((reading.value(series) - count).abs() < 0.5, "{series}\n{}", reading.text);
    }
    server.stop().await;
}

#[tokio::test]
async fn a_restored_user_pool_is_shown_again() {
    let server = start().await;
    let mut client = server.client().await;
    let id = create(&server, r#"{"PoolName":"people"}"#).await;
    let body = json!({ "UserPoolId": id }).to_string();
    let before = call(&server, "DescribeUserPool", &body).await.json();
    assert_eq!(call(&server, "DeleteUserPool", &body).await.status, 200);
    let gone = call(&server, "DescribeUserPool", &body).await;
    assert_eq!(gone.error().0, "ResourceNotFoundException");

    Call::restore(&id, 1).send(&mut client).await.expect("restored");
    let mut restored = call(&server, "DescribeUserPool", &body).await.json();
    let modified = &mut restored["UserPool"]["LastModifiedDate"];
    assert_ne!(*modified, before["UserPool"]["LastModifiedDate"]);
    *modified = before["UserPool"]["LastModifiedDate"].clone();
    assert_eq!(restored, before);
    let list = call(&server, "ListUserPools", r#"{"MaxResults":10}"#).await.json();
    assert_eq!(list["UserPools"][0]["Id"], id.as_str());
    server.stop().await;
}
