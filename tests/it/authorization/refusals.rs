//! A refusal names the missing role, the caller and the remedy; it is logged and
//! counted.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use serde_json::Value;
use tempfile::TempDir;
use tokio::{
    net::TcpStream,
    time::{self, Instant},
};
use tonic::{Code, Status};
use userpool::proto::{ListUserPoolsRequest, user_pool_service_client::UserPoolServiceClient};

use super::{Role, Server, grants};
use crate::{
    authority::replace,
    binary::{Process, run, userpool},
    metrics::{free, reading},
    support::{TestServer, metadata, named},
};

#[tokio::test]
async fn a_refusal_names_the_role_the_caller_and_the_setting() {
    let server = Server::on_a_socket(grants("local:uid=*", Role::Reader)).await;
    let mut client = UserPoolServiceClient::new(server.channel().await);
    client.list_user_pools(all()).await.expect("a reader reads");

    let refused = client.create_user_pool(named("people")).await.expect_err("a reader");

    let uid = rustix::process::getuid().as_raw();
    assert_eq!(refused.code(), Code::PermissionDenied);
    assert_eq!(
        refused.message(),
        format!(
            "userpool.v1.UserPoolService/CreateUserPool requires role writer, which \
             local:uid={uid} does not have; the server's operator grants it with the setting \
             writers"
        )
    );
    assert_eq!(metadata(&refused, "role").as_deref(), Some("writer"));
    assert_eq!(metadata(&refused, "actor_kind").as_deref(), Some("LOCAL_PROCESS"));
    assert_eq!(metadata(&refused, "actor_subject"), Some(format!("uid={uid}")));
    assert!(refused.metadata().get("x-request-id").is_some());
    server.stop().await;
}

#[tokio::test]
async fn an_anonymous_caller_is_asked_for_credentials() {
    let server = TestServer::with(|config| config.grants = grants("anonymous", Role::Nobody)).await;
    let refused = server.client().await.list_user_pools(all()).await.expect_err("anonymous");
    assert_eq!(refused.code(), Code::Unauthenticated);
    assert_eq!(
        refused.message(),
        "userpool.v1.UserPoolService/ListUserPools requires role reader; anonymous callers have no \
         role: call with a client certificate or a bearer token"
    );
    assert_eq!(metadata(&refused, "role").as_deref(), Some("reader"));
    assert_eq!(metadata(&refused, "actor_kind").as_deref(), Some("ANONYMOUS"));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_first_refusal_in_a_minute_is_a_warning() {
    let directory = TempDir::new().expect("a directory");
    let mut command = userpool();
    command.args(["serve", "--listen=127.0.0.1:0", "--log-format=json", "--log=debug"]);
    command.arg("--readers=anonymous,token:auditor").arg("--data-dir").arg(directory.path());
    let server = Process::from(&mut command).await;
    let mut client = server.client().await;
    client.list_user_pools(all()).await.expect("a reader reads");
    for name in ["people", "staff", "robots"] {
        client.create_user_pool(named(name)).await.expect_err("a reader");
    }
    drop(client);

    let stderr = server.terminate("TERM").await.stderr;

    let records = stderr.lines().map(|line| serde_json::from_str(line).expect("JSON"));
    let records: Vec<Value> =
        records.filter(|record: &Value| record["message"] == "call refused").collect();
    let levels: Vec<_> = records.iter().map(|records| &records["level"]).collect();
    assert_eq!(levels, ["WARN", "DEBUG", "DEBUG"]);
    assert_eq!(records[0]["method"], "userpool.v1.UserPoolService/CreateUserPool");
    assert_eq!(
        (&records[0]["role"], &records[0]["caller"]),
        (&"writer".into(), &"anonymous".into())
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_are_counted_by_their_reason() {
    let server = TestServer::with(|config| {
        config.metrics_listen = Some(free());
        config.grants = grants("anonymous", Role::Reader);
    })
    .await;
    let mut client = server.client().await;
    client.list_user_pools(all()).await.expect("a reader reads");
    client.create_user_pool(named("people")).await.expect_err("a reader");
    reading(&server).await.expect(&[
        ("userpool_refused_total{reason=\"unauthenticated\"}", 1.0),
        ("userpool_refused_total{reason=\"permission_denied\"}", 0.0),
    ]);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_remote_listener_without_grants_logs_a_warning() {
    let directory = TempDir::new().expect("a directory");
    let keys = "[ci]\naccess_key_id = \"AKIACI\"\nsecret_access_key = \"s\"\n";
    let keys = format!("--aws-credentials={}", private(directory.path(), keys).display());
    let (near, far, aws) = ("--listen=127.0.0.1:0", "--listen=0.0.0.0:0", "--aws-listen=0.0.0.0:0");
    for (settings, expected) in [
        (&[far][..], &["0.0.0.0"][..]),
        (&[far, "--writers=anonymous"], &[]),
        (&[near], &[]),
        (&[near, "--aws-listen=127.0.0.1:0"], &[]),
        // Callers of the listener for AWS clients have the same roles.
        (&[near, aws], &["for AWS clients"]),
        (&[near, aws, "--writers=anonymous"], &[]),
        (&[near, aws, &keys], &[]),
        (&[far, aws], &["0.0.0.0", "for AWS clients"]),
    ] {
        let directory = TempDir::new().expect("a directory");
        let mut command = userpool();
        command.args(["serve", "--insecure"]).args(settings);
        let server = Process::from(command.arg("--data-dir").arg(directory.path())).await;
        let stderr = server.terminate("TERM").await.stderr;
        let warning = "every client that can connect to";
        let warnings: Vec<_> = stderr.lines().filter(|line| line.contains(warning)).collect();
        assert_eq!(warnings.len(), expected.len(), "{settings:?}: {stderr}");
        for (warning, text) in warnings.iter().zip(expected) {
            assert!(warning.contains(text), "{settings:?}: {stderr}");
        }
    }
}

/// Writes a file for its owner alone.
fn private(directory: &Path, text: &str) -> PathBuf {
    let file = replace(directory, "keys.toml", text);
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).expect("changed");
    file
}

#[tokio::test(flavor = "multi_thread")]
async fn grants_come_from_flags_the_environment_and_the_file() {
    let directory = TempDir::new().expect("a directory");
    let file = directory.path().join("userpool.toml");
    let text = "readers = [\"certificate:Payments, Inc.\", \"token:alice\"]";
    fs::write(&file, text).expect("written");
    let mut command = userpool();
    command.args(["serve", "--print-config", "--config"]).arg(&file);
    command.env("USERPOOL_WRITERS", "token:a,token:b");
    let printed = String::from_utf8(run(&mut command).await.stdout).expect("UTF-8");
    let from_file = file.display();
    for line in [
        format!("readers = [\"certificate:Payments, Inc.\", \"token:alice\"]  # {from_file}"),
        "writers = [\"token:a\", \"token:b\"]  # environment USERPOOL_WRITERS".to_owned(),
    ] {
        assert!(printed.lines().any(|printed| printed == line), "{line}: {printed}");
    }
    command.args(["--readers=token:c", "--readers=token:d", "--writers=alice"]);
    let refused = run(&mut command).await;
    assert_eq!(refused.status.code(), Some(2));
    let stderr = String::from_utf8_lossy(&refused.stderr);
    assert!(stderr.contains("'alice' for '--writers"), "{stderr}");
    assert!(stderr.contains("expected certificate:SUBJECT"), "{stderr}");
}

fn all() -> ListUserPoolsRequest {
    ListUserPoolsRequest {
        max_results: Some(10),
        next_token: None,
        ..ListUserPoolsRequest::default()
    }
}

/// The request is read for the record of the call, but a refusal does not depend on it.
#[tokio::test]
async fn a_refusal_waits_for_the_request_for_a_second_at_most() {
    let server = TestServer::with(|config| config.grants = grants("anonymous", Role::Nobody)).await;
    let socket = TcpStream::connect(server.endpoint.to_string()).await.expect("a socket");
    let (calls, connection) = h2::client::handshake(socket).await.expect("HTTP/2");
    tokio::spawn(connection);
    let mut calls = calls.ready().await.expect("ready");
    time::pause();
    for (method, seconds) in [("DeleteUserPool", 1), ("ListUserPoolDomains", 0)] {
        let path = format!("http://localhost/userpool.v1.UserPoolService/{method}");
        let request = http::Request::post(path).header("content-type", "application/grpc");
        let request = request.header("te", "trailers").body(()).expect("a request");
        let start = Instant::now();
        let (response, _unsent) = calls.send_request(request, false).expect("sent");

        let response = response.await.expect("a response");

        let status = Status::from_header_map(response.headers()).expect("a status");
        assert_eq!(status.code(), Code::Unauthenticated, "{status}");
        assert_eq!(start.elapsed().as_secs(), seconds, "{method}");
    }
    drop(calls);
    server.stop().await;
}
