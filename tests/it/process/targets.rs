//! The record of a call names what the call was for, and why it was refused.

use std::path::Path;

use bytes::Bytes;
use serde_json::Value;
use tempfile::TempDir;
use tokio::net::UnixStream;
use tonic::{Request, Status, transport::Channel};
use userpool::proto::{
    CreateUserPoolRequest, DeleteUserPoolDomainRequest, DeleteUserPoolRequest,
    DescribeUserPoolDomainRequest, DescribeUserPoolRequest, ListUserPoolEventsRequest,
    ListUserPoolsRequest, ReplayUserPoolRequest, TagResourceRequest, UpdateUserPoolRequest,
    UserPoolEventFilter, WatchUserPoolEventsRequest,
    user_pool_history_service_client::UserPoolHistoryServiceClient,
    watch_user_pool_events_request::Start,
};

use crate::{
    binary::{Process, serve},
    support::{Client, arn, domain, named},
};

const ID: &str = "us-east-1_AbCdEfGhI";

/// A server whose local callers have this role, `readers` or `writers`.
async fn server(directory: &Path, role: &str) -> Process {
    let mut command = serve(&directory.join("data"));
    command.arg(format!("--listen=unix:{}", directory.join("socket").display()));
    command.args([&format!("--{role}=local:uid=*"), "--log-format=json"]);
    Process::from(&mut command).await
}

/// What a record says of its call: the code, the reason, the user pool and the domain.
type Told = (String, Option<String>, Option<String>, Option<String>);

/// The records of a server that ends, by their correlation IDs.
async fn told(server: Process) -> impl Fn(&str) -> Told {
    let stderr = server.terminate("TERM").await.stderr;
    let records = stderr.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    let records: Vec<_> = records.filter(|record| record["message"] == "rpc").collect();
    move |call| {
        let record = records.iter().find(|record| record["correlation_id"] == call).expect(call);
        let text = |key: &str| record[key].as_str().map(str::to_owned);
        (text("code").expect("a code"), text("reason"), text("user_pool_id"), text("domain"))
    }
}

fn expected(code: &str, reason: &str, id: &str, domain: &str) -> Told {
    let some = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    (code.to_owned(), some(reason), some(id), some(domain))
}

/// A request with a correlation ID.
fn call<M>(id: &str, message: M) -> Request<M> {
    let mut request = Request::new(message);
    request.metadata_mut().insert("x-request-id", id.parse().expect("a value"));
    request
}

fn filter(id: &str) -> UserPoolEventFilter {
    UserPoolEventFilter { user_pool_id: Some(id.to_owned()), ..Default::default() }
}

fn clients(channel: &Channel) -> (Client, UserPoolHistoryServiceClient<Channel>) {
    (Client::new(channel.clone()), UserPoolHistoryServiceClient::new(channel.clone()))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_call_is_recorded_with_its_target_and_reason() {
    let directory = TempDir::new().expect("a directory");
    let server = server(directory.path(), "readers").await;
    let (mut pools, _) = clients(&server.channel().await);
    let id = || Some(ID.to_owned());
    let delete = DeleteUserPoolRequest { user_pool_id: id(), ..Default::default() };
    pools.delete_user_pool(call("delete", delete.clone())).await.expect_err("refused");
    let update = UpdateUserPoolRequest {
        user_pool_id: id(),
        email_verification_message: Some("x".repeat(500_000)),
        ..Default::default()
    };
    pools.update_user_pool(call("update", update)).await.expect_err("refused");
    let assign = domain("people-login", ID);
    pools.create_user_pool_domain(call("assign", assign)).await.expect_err("refused");
    let remove = DeleteUserPoolDomainRequest {
        domain: Some("people-login".to_owned()),
        user_pool_id: id(),
        ..Default::default()
    };
    pools.delete_user_pool_domain(call("remove", remove)).await.expect_err("refused");
    let tag = TagResourceRequest { resource_arn: Some(arn(ID)), ..Default::default() };
    pools.tag_resource(call("tag", tag)).await.expect_err("refused");
    pools.create_user_pool(call("create", named("people"))).await.expect_err("refused");
    let mut token = call("token", delete);
    token.metadata_mut().insert("authorization", "Bearer none".parse().expect("a value"));
    pools.delete_user_pool(token).await.expect_err("refused");
    drop(pools);

    let told = told(server).await;

    let refused = |id, domain| expected("PERMISSION_DENIED", "PERMISSION_DENIED", id, domain);
    assert_eq!(told("delete"), refused(ID, ""));
    assert_eq!(told("update"), refused(ID, ""));
    assert_eq!(told("assign"), refused(ID, "people-login"));
    assert_eq!(told("remove"), refused(ID, "people-login"));
    assert_eq!(told("tag"), refused(ID, ""));
    assert_eq!(told("create"), refused("", ""));
    assert_eq!(told("token"), expected("UNAUTHENTICATED", "TOKEN_REFUSED", ID, ""));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_is_recorded_with_its_target_and_any_reason() {
    let directory = TempDir::new().expect("a directory");
    let server = server(directory.path(), "writers").await;
    let (mut pools, mut history) = clients(&server.channel().await);
    let created = pools.create_user_pool(call("create", named("people"))).await.expect("created");
    let own = created.into_inner().user_pool.and_then(|pool| pool.id).expect("an ID");
    let describe = |id: &str| DescribeUserPoolRequest {
        user_pool_id: Some(id.to_owned()),
        ..DescribeUserPoolRequest::default()
    };
    pools.describe_user_pool(call("described", describe(&own))).await.expect("described");
    pools.describe_user_pool(call("unknown", describe(ID))).await.expect_err("refused");
    let hostile = format!("\n\u{1b}[31m\"{}", "x".repeat(1000));
    pools.describe_user_pool(call("hostile", describe(&hostile))).await.expect_err("refused");
    let unowned = DescribeUserPoolDomainRequest {
        domain: Some("people-login".to_owned()),
        ..DescribeUserPoolDomainRequest::default()
    };
    pools.describe_user_pool_domain(call("unowned", unowned)).await.expect("described");
    let list = ListUserPoolsRequest { max_results: Some(1), ..Default::default() };
    pools.list_user_pools(call("list", list)).await.expect("listed");
    let nameless = CreateUserPoolRequest::default();
    pools.create_user_pool(call("nameless", nameless)).await.expect_err("refused");
    let events = ListUserPoolEventsRequest { filter: Some(filter(&own)), ..Default::default() };
    history.list_user_pool_events(call("events", events)).await.expect("listed");
    let replay = ReplayUserPoolRequest { user_pool_id: Some(ID.to_owned()), ..Default::default() };
    history.replay_user_pool(call("replay", replay)).await.expect_err("refused");
    let watch = WatchUserPoolEventsRequest {
        filter: Some(filter(&own)),
        start: Some(Start::AfterPosition(7)),
        ..Default::default()
    };
    history.watch_user_pool_events(call("watch", watch)).await.expect_err("refused");
    drop((pools, history));

    let told = told(server).await;

    assert_eq!(told("create"), expected("OK", "", "", ""));
    assert_eq!(told("described"), expected("OK", "", &own, ""));
    assert_eq!(told("unknown"), expected("NOT_FOUND", "USER_POOL_NOT_FOUND", ID, ""));
    let escaped = format!(r#"\n\u{{1b}}[31m\"{}..."#, "x".repeat(128 - 14));
    assert_eq!(told("hostile"), expected("INVALID_ARGUMENT", "INVALID_REQUEST", &escaped, ""));
    assert_eq!(told("unowned"), expected("OK", "", "", "people-login"));
    assert_eq!(told("list"), expected("OK", "", "", ""));
    assert_eq!(told("nameless"), expected("INVALID_ARGUMENT", "INVALID_REQUEST", "", ""));
    assert_eq!(told("events"), expected("OK", "", &own, ""));
    assert_eq!(told("replay"), expected("NOT_FOUND", "USER_POOL_NOT_FOUND", ID, ""));
    assert_eq!(told("watch"), expected("OUT_OF_RANGE", "BEYOND_END", &own, ""));
}

/// A caller cannot hide the target of its request, nor name another one.
#[tokio::test(flavor = "multi_thread")]
async fn a_target_is_read_as_the_request_would_be_decoded() {
    let directory = TempDir::new().expect("a directory");
    let server = server(directory.path(), "readers").await;
    let socket = UnixStream::connect(directory.path().join("socket")).await.expect("a socket");
    let (calls, connection) = h2::client::handshake(socket).await.expect("HTTP/2");
    let connection = tokio::spawn(connection);
    let mut calls = calls.ready().await.expect("ready");
    let (other, own) = (b"\x0a\x05other".to_vec(), b"\x0a\x03own".to_vec());
    let group = [&b"\x33"[..], &other, b"\x34"].concat();
    let unknown = [&b"\x7a\xe8\x07"[..], &[b'x'; 1000]].concat();
    let numbers = b"\x38\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x41fixed_64\x45fix4".to_vec();
    for (call, parts, whole) in [
        ("last", [other.clone(), own.clone()].concat(), true),
        ("others", [numbers, unknown, own.clone(), group].concat(), true),
        ("torn", own.clone(), false),
        ("malformed", [&own[..], b"\x0f"].concat(), true),
    ] {
        let length = u32::try_from(parts.len() + usize::from(!whole)).expect("short");
        let body = [&[0][..], &length.to_be_bytes(), &parts].concat();
        send(&mut calls, call, &body).await;
    }
    drop(calls);
    connection.await.expect("no panic").expect("an end");

    let told = told(server).await;

    for (call, id) in [("last", "own"), ("others", "own"), ("torn", ""), ("malformed", "")] {
        let expected = expected("PERMISSION_DENIED", "PERMISSION_DENIED", id, "");
        assert_eq!(told(call), expected, "{call}");
    }
}

/// Calls `DeleteUserPool` with a body in frames of one byte, and waits for the refusal.
async fn send(calls: &mut h2::client::SendRequest<Bytes>, call: &str, body: &[u8]) {
    let path = "http://localhost/userpool.v1.UserPoolService/DeleteUserPool";
    let request = http::Request::post(path).header("content-type", "application/grpc");
    let request = request.header("te", "trailers").header("x-request-id", call);
    let (response, mut stream) =
        calls.send_request(request.body(()).expect("a request"), false).expect("sent");
    for byte in body {
        stream.send_data(Bytes::copy_from_slice(&[*byte]), false).expect("sent");
    }
    let _ = stream.send_data(Bytes::new(), true);
    let response = response.await.expect("a response");
    let status = Status::from_header_map(response.headers()).expect("a status");
    assert_eq!(status.code(), tonic::Code::PermissionDenied, "{status}");
}
