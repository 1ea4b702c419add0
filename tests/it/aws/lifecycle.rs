//! The phases of the server at this door: it starts, and it stops under load.

use std::{path::Path, sync::Arc, time::Duration};

use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpStream, UnixStream},
    sync::mpsc,
    task::JoinSet,
    time::Instant,
};
use userpool::{server::Server, transport::Endpoint};

use crate::{
    metrics::startup::SlowLog,
    support::{FixedSource, TestServer, config, describe, wait_for_listener},
};

use super::{Answer, TARGET, address, call, call_over, call_with_over, parse, read, start};

const DESCRIBE: (&str, &str) = ("DescribeUserPool", r#"{"UserPoolId":"us-east-1_AbCdEfGhI"}"#);

#[track_caller]
fn assert_unavailable(answer: &Answer, text: &str) {
    assert_eq!(answer.status, 503, "{answer:?}");
    let (error, message) = answer.error();
    assert_eq!(error, "ServiceUnavailableException");
    assert!(message.contains(text), "{message}");
    // SDKs try again.
    assert!(answer.header("retry-after").is_some(), "{answer:?}");
    assert!(answer.header("x-amzn-requestid").is_some(), "{answer:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_are_refused_while_the_read_model_is_built() {
    let directory = TempDir::new().expect("a directory");
    let socket = directory.path().join("aws");
    let log = SlowLog::of(2).await;
    let mut config = config(directory.path());
    config.aws_listen = Some(Endpoint::Unix(socket.clone()));
    let read_model = directory.path().join("read_model");
    let source = Arc::new(FixedSource::default());
    let starting = Arc::<SlowLog>::clone(&log);
    let starting =
        tokio::spawn(async move { Server::on(starting, &read_model, config, source).await });
    wait_for_listener(&socket).await;

    let health = health(&socket).await;
    assert_eq!((health.status, health.body.as_str()), (503, r#"{"status":"starting"}"#));
    let described = over_socket(&socket, DESCRIBE).await;
    assert_unavailable(&described, "the server is starting");
    let created = over_socket(&socket, ("CreateUserPool", r#"{"PoolName":"people"}"#)).await;
    assert_unavailable(&created, "nothing was recorded");
    // What the server cannot read is refused as always.
    let unknown = over_socket(&socket, ("CreateUser", "{}")).await;
    assert_eq!(unknown.error().0, "UnknownOperationException");
    assert!(!starting.is_finished());

    log.release();
    let ready = starting.await.expect("no panic").expect("a server");

    assert_eq!(self::health(&socket).await.body, r#"{"status":"ready"}"#);
    assert_eq!(over_socket(&socket, DESCRIBE).await.status, 200);
    ready.serve(async {}).await.expect("served to the end");
}

async fn health(socket: &Path) -> Answer {
    let socket = UnixStream::connect(socket).await.expect("a connection");
    call_over(socket, "GET /health", &[], b"").await
}

async fn over_socket(socket: &Path, (operation, body): (&str, &str)) -> Answer {
    let socket = UnixStream::connect(socket).await.expect("a connection");
    call_with_over(socket, operation, &[], body).await
}

/// The head of a call whose body has this many bytes.
fn head(operation: &str, bytes: usize, others: &str) -> String {
    format!(
        "POST / HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/x-amz-json-1.1\r\n\
         x-amz-target: {TARGET}.{operation}\r\ncontent-length: {bytes}\r\n{others}\r\n"
    )
}

/// A request whose body the server reads, and of which half has been sent.
async fn half_sent(server: &TestServer) -> TcpStream {
    let mut socket = TcpStream::connect(address(server)).await.expect("a connection");
    let head = head("CreateUserPool", 22, "expect: 100-continue\r\n");
    socket.write_all(head.as_bytes()).await.expect("written");
    let mut reads = [0; 25];
    socket.read_exact(&mut reads).await.expect("the server reads");
    assert_eq!(&reads, b"HTTP/1.1 100 Continue\r\n\r\n");
    socket.write_all(br#"{"PoolName":"#).await.expect("written");
    socket
}

#[tokio::test]
async fn half_sent_requests_and_idle_connections_delay_no_stop() {
    let server = start().await;
    assert_eq!(call(&server, "ListUserPools", r#"{"MaxResults":1}"#).await.status, 200);
    let mut half_sent = half_sent(&server).await;
    let mut others = Vec::new();
    for bytes in ["", "PO", "POST / HTTP/1.1\r\nhost: localhost\r\n"] {
        let mut fresh = TcpStream::connect(address(&server)).await.expect("a connection");
        fresh.write_all(bytes.as_bytes()).await.expect("written");
        let mut used = TcpStream::connect(address(&server)).await.expect("a connection");
        call_on(&mut used, "ListUserPools", r#"{"MaxResults":1}"#).await.expect("an answer");
        used.write_all(bytes.as_bytes()).await.expect("written");
        others.extend([fresh, used]);
    }
    // After this call, the server has received what was sent before it.
    call(&server, "ListUserPools", r#"{"MaxResults":1}"#).await;
    // From here on: the writer has a thread of its own, which this clock does not wait for.
    tokio::time::pause();

    let begun = Instant::now();
    server.stop().await;

    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    let refused = read(&mut half_sent).await;
    assert_unavailable(&refused, "the server is shutting down; nothing was recorded");
}

/// Calls on a connection that stays open. None if the server has closed it without an answer.
async fn call_on(socket: &mut TcpStream, operation: &str, body: &str) -> Option<Answer> {
    let request = head(operation, body.len(), "") + body;
    socket.write_all(request.as_bytes()).await.ok()?;
    let mut bytes = Vec::new();
    loop {
        if socket.read_buf(&mut bytes).await.ok()? == 0 {
            assert_eq!(bytes, b"", "an answer is complete");
            return None;
        }
        let text = str::from_utf8(&bytes).expect("UTF-8");
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        if length.expect("a length").parse() == Ok(body.len()) {
            return Some(parse(&bytes));
        }
    }
}

/// Each call is answered, refused with an exception on which clients try again, or not begun.
#[tokio::test(flavor = "multi_thread")]
async fn a_stop_under_load_loses_no_acknowledged_change() {
    let server = start().await;
    let (created, mut progress) = mpsc::unbounded_channel();
    let mut callers = JoinSet::new();
    for _ in 0..16 {
        let mut socket = TcpStream::connect(address(&server)).await.expect("a connection");
        let created = created.clone();
        callers.spawn(async move {
            let mut refused = 0;
            while let Some(answer) =
                call_on(&mut socket, "CreateUserPool", r#"{"PoolName":"people"}"#).await
            {
                if answer.status == 200 {
                    let id = answer.json()["UserPool"]["Id"].as_str().expect("an ID").to_owned();
                    created.send(id).expect("they are counted");
                } else {
                    assert_unavailable(&answer, "nothing was recorded");
                    refused += 1;
                }
            }
            refused
        });
    }
    drop(created);
    let mut ids = Vec::new();
    while ids.len() < 50 {
        ids.push(progress.recv().await.expect("it serves"));
    }

    let address = address(&server).to_owned();
    let begun = Instant::now();
    let directory = server.stop().await;

    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
    TcpStream::connect(&address).await.expect_err("closed");
    let refused: usize = callers.join_all().await.into_iter().sum();
    while let Some(id) = progress.recv().await {
        ids.push(id);
    }
    eprintln!("{} created, {refused} refused", ids.len());
    let server = TestServer::start_in(directory).await;
    let mut client = server.client().await;
    for id in ids {
        describe(&mut client, &id).await.expect("it was acknowledged");
    }
    server.stop().await;
}
