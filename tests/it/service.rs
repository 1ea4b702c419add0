//! Properties of every call: sizes, unknown methods, correlation IDs, health, and
//! reflection.

use std::collections::BTreeMap;

use prost::Message as _;
use tokio_stream::{StreamExt as _, once};
use tonic::{
    Code, Request, Status, client::Grpc, codegen::http::uri::PathAndQuery, metadata::MetadataMap,
};
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};
use tonic_prost::ProstCodec;
use tonic_reflection::pb::{v1, v1alpha};
use userpool::proto::{CreateUserPoolRequest, DescribeUserPoolRequest, DescribeUserPoolResponse};

use crate::support::{TestServer, create, metadata, named, reason};

const SERVICES: [&str; 4] = [
    "grpc.health.v1.Health",
    "grpc.reflection.v1.ServerReflection",
    "userpool.v1.UserPoolHistoryService",
    "userpool.v1.UserPoolService",
];

#[tokio::test]
async fn a_request_of_more_than_a_mebibyte_is_refused() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    let sized = |bytes: usize| {
        let tagged = |length| CreateUserPoolRequest {
            user_pool_tags: BTreeMap::from([("a".to_owned(), "a".repeat(length))]),
            ..named("people")
        };
        // The protobuf overhead of a text of this size stays the same.
        let request = tagged(bytes - (tagged(1 << 19).encoded_len() - (1 << 19)));
        assert_eq!(request.encoded_len(), bytes);
        request
    };
    // The largest request that is read; it is refused for its tag.
    let status = client.create_user_pool(sized(1 << 20)).await.expect_err("a refusal");
    assert_eq!(reason(&status), "INVALID_REQUEST");
    let status = client.create_user_pool(sized((1 << 20) + 1)).await.expect_err("a refusal");
    assert_eq!(status.code(), Code::ResourceExhausted);
    assert_eq!(status.message(), "the request is larger than 1048576 bytes");
    assert_eq!(reason(&status), "LIMIT_EXCEEDED");
    assert_eq!(metadata(&status, "limit").as_deref(), Some("1048576"));
    // The connection still works.
    create(&mut client, "people").await;
    server.stop().await;
}

#[tokio::test]
async fn unknown_methods_are_unimplemented() {
    let server = TestServer::start().await;
    let mut grpc = Grpc::new(server.channel().await);
    for path in [
        "/userpool.v1.UserPoolService/CreateGroup",
        "/userpool.v1.NoSuchService/CreateUserPool",
        "/userpool.v2.UserPoolService/CreateUserPool",
    ] {
        grpc.ready().await.expect("a connection");
        let codec: ProstCodec<DescribeUserPoolRequest, DescribeUserPoolResponse> =
            ProstCodec::default();
        let request = Request::new(DescribeUserPoolRequest::default());
        let status = grpc.unary(request, PathAndQuery::from_static(path), codec).await;
        let status = status.expect_err(path);
        assert_eq!(status.code(), Code::Unimplemented, "{path}");
        assert!(status.metadata().get("x-request-id").is_some(), "{path}");
    }
    server.stop().await;
}

/// Describes a user pool with this correlation ID.
async fn describe(
    server: &TestServer,
    id: &str,
    request_id: Option<&str>,
) -> Result<MetadataMap, Status> {
    let user_pool_id = Some(id.to_owned());
    let mut request = Request::new(DescribeUserPoolRequest {
        user_pool_id,
        ..DescribeUserPoolRequest::default()
    });
    if let Some(request_id) = request_id {
        request.metadata_mut().insert("x-request-id", request_id.parse().expect("ASCII"));
    }
    let answer = server.client().await.describe_user_pool(request).await?;
    Ok(answer.metadata().clone())
}

fn request_id(metadata: &MetadataMap) -> String {
    let value = metadata.get("x-request-id").expect("a correlation ID");
    value.to_str().expect("ASCII").to_owned()
}

#[tokio::test]
async fn a_correlation_id_is_echoed_also_on_errors() {
    let server = TestServer::start().await;
    let known = create(&mut server.client().await, "people").await;
    let longest = "x".repeat(128);
    for id in ["a", "trace/7:4~!", longest.as_str()] {
        let answer = describe(&server, &known, Some(id)).await.expect("a user pool");
        assert_eq!(request_id(&answer), id);
        for bad in ["us-east-1_AbCdEfGhI", "no ID at all"] {
            let status = describe(&server, bad, Some(id)).await.expect_err("a refusal");
            assert_eq!(request_id(status.metadata()), id);
        }
    }
    server.stop().await;
}

#[tokio::test]
async fn a_missing_or_invalid_correlation_id_is_replaced() {
    let server = TestServer::start().await;
    let known = create(&mut server.client().await, "people").await;
    let too_long = "x".repeat(129);
    for id in [None, Some(""), Some("a b"), Some(too_long.as_str())] {
        let answer = describe(&server, &known, id).await.expect("a user pool");
        let given = request_id(&answer);
        assert!(uuid::Uuid::try_parse(&given).is_ok(), "{id:?} became {given}");
        let status = describe(&server, "?", id).await.expect_err("a refusal");
        assert_ne!(request_id(status.metadata()), given, "one per call");
    }
    server.stop().await;
}

#[tokio::test]
async fn health_covers_the_server_and_each_service() {
    let server = TestServer::start().await;
    let mut client = HealthClient::new(server.channel().await);
    for service in ["", "userpool.v1.UserPoolService", "userpool.v1.UserPoolHistoryService"] {
        let request = HealthCheckRequest { service: service.to_owned() };
        let answer = client.check(request).await.expect(service).into_inner();
        assert_eq!(answer.status().as_str_name(), "SERVING", "{service}");
    }
    let request = HealthCheckRequest { service: "userpool.v1.Other".to_owned() };
    assert_eq!(client.check(request).await.expect_err("unknown").code(), Code::NotFound);
    server.stop().await;
}

/// Requests the list of services and the file of a symbol from reflection, in one of
/// its two versions, which have the same messages.
macro_rules! reflect {
    ($version:ident, $server:expr, $symbols:expr) => {{
        use $version::{
            ServerReflectionRequest, server_reflection_client::ServerReflectionClient,
            server_reflection_request::MessageRequest, server_reflection_response::MessageResponse,
        };
        let mut client = ServerReflectionClient::new($server.channel().await);
        let mut answers = Vec::new();
        let symbols = $symbols.map(|name| MessageRequest::FileContainingSymbol(name.to_owned()));
        for message in [MessageRequest::ListServices(String::new())].into_iter().chain(symbols) {
            let request =
                ServerReflectionRequest { host: String::new(), message_request: Some(message) };
            let stream = client.server_reflection_info(once(request)).await.expect("a stream");
            let answer = stream.into_inner().next().await.expect("an answer").expect("an answer");
            answers.push(match answer.message_response {
                Some(MessageResponse::ListServicesResponse(list)) => {
                    list.service.into_iter().map(|service| service.name).collect()
                }
                Some(MessageResponse::FileDescriptorResponse(files)) => files
                    .file_descriptor_proto
                    .iter()
                    .map(|file| prost_types::FileDescriptorProto::decode(file.as_slice()))
                    .flat_map(|file| file.expect("a file").message_type)
                    .map(|message| message.name().to_owned())
                    .collect::<Vec<_>>(),
                other => vec![format!("{other:?}")],
            });
        }
        answers
    }};
}

#[tokio::test]
async fn reflection_lists_the_services_and_the_error_details() {
    let server = TestServer::start().await;
    let symbols = ["google.rpc.BadRequest", "google.rpc.ErrorInfo", "userpool.v1.UserPool"];
    for answers in [reflect!(v1, server, symbols), reflect!(v1alpha, server, symbols)] {
        // Each version of reflection lists itself.
        let mut services: Vec<_> =
            answers[0].iter().map(|service| service.replace("v1alpha", "v1")).collect();
        services.sort();
        assert_eq!(services, SERVICES);
        for (messages, name) in answers[1..].iter().zip(["BadRequest", "ErrorInfo", "UserPool"]) {
            assert!(messages.iter().any(|message| message == name), "{name} in {messages:?}");
        }
    }
    server.stop().await;
}
