//! Connections of AWS clients: TLS, sockets, many of them, bad bytes, and the end of the server.

use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpStream, UnixStream},
};
use userpool::{
    proto::{
        ActorKind, ListUserPoolEventsRequest,
        user_pool_history_service_client::UserPoolHistoryServiceClient,
    },
    transport::Endpoint,
};

use super::{TARGET, address, call, read, start, start_with};

#[tokio::test]
async fn a_process_on_a_unix_socket_is_its_user() {
    let directory = TempDir::new().expect("a directory");
    let path = directory.path().join("aws.sock");
    let server = start_with(|config| config.aws_listen = Some(Endpoint::Unix(path.clone()))).await;
    assert_eq!(server.aws_url, Some(format!("unix:{}", path.display())));
    let body = r#"{"PoolName":"people"}"#;
    let request = format!(
        "POST / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-type: \
         application/x-amz-json-1.1\r\nx-amz-target: {TARGET}.CreateUserPool\r\ncontent-length: \
         {}\r\n\r\n{body}",
        body.len()
    );
    let mut socket = UnixStream::connect(&path).await.expect("a connection");
    socket.write_all(request.as_bytes()).await.expect("written");
    let mut answer = String::new();
    socket.read_to_string(&mut answer).await.expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");

    let mut history = UserPoolHistoryServiceClient::new(server.channel().await);
    let events = history.list_user_pool_events(ListUserPoolEventsRequest::default()).await;
    let events = events.expect("events").into_inner().events;
    let actor = events[0].actor.as_ref().expect("an actor");
    assert_eq!(actor.kind(), ActorKind::LocalProcess);
    assert!(actor.subject.starts_with("uid="), "{actor:?}");
    server.stop().await;
}

/// Idle connections cost neither calls nor each other anything.
#[tokio::test(flavor = "multi_thread")]
async fn calls_are_answered_beside_many_idle_connections() {
    let server = start().await;
    let mut idle = Vec::new();
    for _ in 0..400 {
        idle.push(TcpStream::connect(address(&server)).await.expect("a connection"));
    }
    let listed = call(&server, "ListUserPools", r#"{"MaxResults":1}"#).await;
    assert_eq!(listed.status, 200);
    // Each of them still works.
    let last = idle.last_mut().expect("a connection");
    let request = b"GET /health HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    last.write_all(request).await.expect("written");
    assert_eq!(read(last).await.status, 200);
    // A stop does not wait for them.
    server.stop().await;
}

/// The limit is that of both listeners together.
#[tokio::test]
async fn both_doors_share_the_limit_of_connections() {
    let server = start_with(|config| config.connections = 2).await;
    let _grpc = server.channel().await;
    let first = TcpStream::connect(address(&server)).await.expect("a connection");
    let mut second = TcpStream::connect(address(&server)).await.expect("a connection");
    let mut rest = Vec::new();
    second.read_to_end(&mut rest).await.ok();
    assert_eq!(rest, b"");
    drop(first);
    server.stop().await;
}

/// Requests that are not HTTP/1.1 end their connection, and nothing else.
#[tokio::test]
async fn bytes_that_are_not_http_end_their_connection() {
    let server = start().await;
    for bytes in [
        &b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"[..],
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: x\r\n\r\n",
        b"POST / HTTP/1.1\r\nhost: a\r\nx: \x00\r\n\r\n",
        b"\r\n\r\nnothing\r\n\r\n",
    ] {
        let mut socket = TcpStream::connect(address(&server)).await.expect("a connection");
        socket.write_all(bytes).await.expect("written");
        let mut answer = Vec::new();
        socket.read_to_end(&mut answer).await.ok();
        let answer = String::from_utf8_lossy(&answer);
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 400 "), "{answer}");
        assert!(!answer.to_lowercase().contains("<html"), "{answer}");
    }
    let listed = call(&server, "ListUserPools", r#"{"MaxResults":1}"#).await;
    assert_eq!(listed.status, 200);
    server.stop().await;
}
