//! A connection and its streams end with what identified their caller, and a client resumes
//! its watches.

use std::time::Duration;

use bytes::Bytes;
use prost::Message as _;
use serde_json::json;
use tempfile::TempDir;
use tokio::{
    net::TcpStream,
    task::JoinHandle,
    time::{self, Instant, timeout},
};
use tonic::{Code, Request, Status};
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};
use userpool::{
    client::{Client, Options, Tls, Watch, WatchItem},
    proto::{
        CreateUserPoolRequest, WatchUserPoolEventsRequest,
        user_pool_history_service_client::UserPoolHistoryServiceClient,
        watch_user_pool_events_request::Start,
    },
    transport::MaxConnectionAge,
};

use crate::{
    authority::{self, Authority, replace, with_revocation_lists},
    support::{TestServer, named, reason},
    tokens::{Signer, claims, settings},
};

const WATCH: &str = "http://localhost/userpool.v1.UserPoolHistoryService/WatchUserPoolEvents";
/// How long calls may run after their connection has reached its age.
const GRACE: u64 = 30;
/// How long a connection may take to close after that.
const CLOSE: u64 = 10;
/// The time of the first token, in the seconds of the server's clock, which begins at
/// 1512950400 and moves when it is read.
const SOON: u64 = 1_512_950_500;

async fn server(age: Option<Duration>) -> TestServer {
    TestServer::with(|config| config.max_connection_age = MaxConnectionAge(age)).await
}

fn from_the_beginning() -> WatchUserPoolEventsRequest {
    WatchUserPoolEventsRequest { start: Some(Start::AfterPosition(0)), ..Default::default() }
}

/// A connection, and when and how it ends.
async fn connect(
    server: &TestServer,
) -> (h2::client::SendRequest<Bytes>, JoinHandle<(Instant, Result<(), h2::Error>)>) {
    let socket = TcpStream::connect(server.endpoint.to_string()).await.expect("a socket");
    let (calls, connection) = h2::client::handshake(socket).await.expect("HTTP/2");
    let ended = tokio::spawn(async {
        let result = connection.await;
        (Instant::now(), result)
    });
    (calls.ready().await.expect("ready"), ended)
}

/// The position of the next event, or why the watch was disconnected before it.
async fn next(watch: &mut Watch) -> Result<i64, Status> {
    loop {
        match watch.next().await.expect("an item") {
            WatchItem::Event(event) => return Ok(event.position),
            WatchItem::Checkpoint(_) => (),
            WatchItem::Disconnected { status, .. } => return Err(status),
        }
    }
}

async fn create(client: &Client) -> i64 {
    client.create_user_pool(named("people")).await.expect("created").position
}

#[tokio::test]
async fn a_connection_ends_at_its_age_which_differs() {
    let server = server(Some(Duration::from_secs(1000))).await;
    let mut connections = Vec::new();
    for _ in 0..20 {
        connections.push(connect(&server).await);
    }
    time::pause();
    let start = Instant::now();
    let mut ages = Vec::new();
    for (calls, ended) in connections {
        let (end, result) = ended.await.expect("no panic");
        result.expect("a graceful end");
        drop(calls);
        ages.push((end - start).as_secs());
    }
    assert!(ages.iter().all(|age| (799..=1001).contains(age)), "{ages:?}");
    assert_ne!(ages.iter().min(), ages.iter().max(), "{ages:?}");
    server.stop().await;
}

#[tokio::test]
async fn without_a_maximum_age_a_connection_stays() {
    let server = server(None).await;
    let (_calls, ended) = connect(&server).await;
    time::pause();
    timeout(Duration::from_hours(10), ended).await.expect_err("it stays");
    server.stop().await;
}

#[tokio::test]
async fn a_watch_is_resumed_without_a_gap_when_its_connection_ends() {
    let server = server(Some(Duration::from_secs(100))).await;
    let client = Options::to(server.endpoint.clone()).connect().await.expect("connected");
    create(&client).await;
    let mut watch = client.watch(from_the_beginning()).await.expect("a watch");
    assert_eq!(next(&mut watch).await.expect("an event"), 1);
    for position in 2..=4 {
        time::pause();
        let start = Instant::now();
        let status = next(&mut watch).await.expect_err("the connection ends");
        let age = start.elapsed().as_secs();
        time::resume();
        assert_eq!(
            (status.code(), reason(&status).as_str()),
            (Code::Unavailable, "MAX_CONNECTION_AGE")
        );
        assert!((79 + GRACE..=101 + GRACE).contains(&age), "{age}");
        // Before the watch has resumed.
        assert_eq!(create(&client).await, position);
        assert_eq!(next(&mut watch).await.expect("an event"), position);
    }
    server.stop().await;
}

/// A revocation counts for new connections, so the age is how long an old one can be used.
#[tokio::test]
async fn a_revoked_client_is_out_when_its_connection_ends() {
    let (authority, files) = (Authority::new("root"), TempDir::new().expect("a directory"));
    let list = authority.revocation_list(&[], 4000);
    let certificates = with_revocation_lists(
        authority.write_server_tls(files.path(), Some(true)),
        files.path(),
        &list,
    );
    let server = TestServer::with(|config| {
        config.tls = Some(certificates);
        config.max_connection_age = MaxConnectionAge(Some(Duration::from_secs(100)));
    })
    .await;
    let issued = authority.numbered("spiffe://prod/client", 7);
    let identity = (
        replace(files.path(), "client.crt", &issued.certificate),
        replace(files.path(), "client.key", &issued.key),
    );
    let ca = Some(files.path().join("ca.crt"));
    let tls = Some(Tls { ca, identity: Some(identity), server_name: None });
    let options = Options { tls, ..Options::to(server.endpoint.clone()) };
    let client = options.connect().await.expect("connected");
    create(&client).await;
    let mut watch = client.watch(from_the_beginning()).await.expect("a watch");
    assert_eq!(next(&mut watch).await.expect("an event"), 1);
    let list = authority.revocation_list(&[7], 4000);
    replace(files.path(), "crl.pem", &list);
    let (address, trusted) = (server.endpoint.to_string(), authority.trusted());
    let new = trusted.identity(issued.identity());
    while let Ok(channel) = authority::connect(&address, new.clone()).await {
        if HealthClient::new(channel).check(HealthCheckRequest::default()).await.is_err() {
            break;
        }
    }
    // The open connection can still be used.
    assert_eq!(create(&client).await, 2);
    assert_eq!(next(&mut watch).await.expect("an event"), 2);
    time::pause();

    let status = next(&mut watch).await.expect_err("the connection ends");

    assert_eq!(reason(&status), "MAX_CONNECTION_AGE");
    timeout(Duration::from_mins(3), watch.next()).await.expect_err("it cannot be resumed");
    server.stop().await;
}

/// The end of a stream is not delivered to a client that does not read it.
#[tokio::test]
async fn a_client_that_does_not_read_is_disconnected_all_the_same() {
    let server = server(Some(Duration::from_secs(100))).await;
    let mut writer = server.client().await;
    let message = format!("{{####}}{}", "x".repeat(19_994));
    for _ in 0..10 {
        // In all, more than the flow-control window.
        let large = CreateUserPoolRequest {
            email_verification_message: Some(message.clone()),
            ..named("large")
        };
        writer.create_user_pool(large).await.expect("created");
    }
    drop(writer);
    let (mut calls, ended) = connect(&server).await;
    let request = http::Request::post(WATCH).header("content-type", "application/grpc");
    let request = request.header("te", "trailers").body(()).expect("a request");
    let (response, mut body) = calls.send_request(request, false).expect("sent");
    let message = from_the_beginning().encode_to_vec();
    let prefix = [0, 0, 0, 0, u8::try_from(message.len()).expect("short")];
    body.send_data([&prefix[..], &message].concat().into(), true).expect("sent");
    let mut body = response.await.expect("a response").into_body();
    body.data().await.expect("a frame").expect("data");
    time::pause();
    let start = Instant::now();

    let (end, _) = ended.await.expect("no panic");

    let age = (end - start).as_secs();
    assert!((79 + GRACE + CLOSE..=101 + GRACE + CLOSE).contains(&age), "{age}");
    server.stop().await;
}

/// A server that accepts tokens, with the keys in this directory.
async fn with_tokens(directory: &TempDir, signer: &Signer) -> TestServer {
    let settings = settings(directory, &signer.public);
    TestServer::with(|config| config.tokens = Some(settings)).await
}

#[tokio::test]
async fn a_watch_ends_when_its_token_expires() {
    let (directory, signer) = (TempDir::new().expect("a directory"), Signer::es256());
    let server = with_tokens(&directory, &signer).await;
    let token = signer.sign(&claims(&json!({ "exp": SOON })));
    let mut request = Request::new(from_the_beginning());
    let value = format!("Bearer {token}").parse().expect("ASCII");
    request.metadata_mut().insert("authorization", value);
    let mut client = UserPoolHistoryServiceClient::new(server.channel().await);
    let mut watch = client.watch_user_pool_events(request).await.expect("a watch").into_inner();
    time::pause();
    let start = Instant::now();

    let ended = loop {
        match watch.message().await {
            Ok(message) => assert!(message.is_some(), "it ends without a status"),
            Err(status) => break status,
        }
    };

    assert_eq!((ended.code(), reason(&ended).as_str()), (Code::Unauthenticated, "TOKEN_REFUSED"));
    assert_eq!(ended.message(), "the token has expired; get a new one");
    // With the leeway of 30 seconds, less what the clock of the server has moved.
    assert!((110..=130).contains(&start.elapsed().as_secs()), "{:?}", start.elapsed());
    server.stop().await;
}

#[tokio::test]
async fn a_client_resumes_a_watch_with_the_next_token() {
    let (directory, signer) = (TempDir::new().expect("a directory"), Signer::es256());
    let server = with_tokens(&directory, &signer).await;
    let token = |exp: u64| signer.sign(&claims(&json!({ "exp": exp })));
    let file = replace(directory.path(), "token", &token(SOON));
    let options = Options { token_file: Some(file), ..Options::to(server.endpoint.clone()) };
    let client = options.connect().await.expect("connected");
    create(&client).await;
    let mut watch = client.watch(from_the_beginning()).await.expect("a watch");
    assert_eq!(next(&mut watch).await.expect("an event"), 1);
    replace(directory.path(), "token", &token(SOON + 1000));
    time::pause();

    let status = next(&mut watch).await.expect_err("the token expires");

    assert_eq!(reason(&status), "TOKEN_REFUSED");
    time::resume();
    assert_eq!(create(&client).await, 2);
    assert_eq!(next(&mut watch).await.expect("an event"), 2);
    server.stop().await;
}

#[tokio::test]
async fn a_watch_is_not_resumed_with_an_expired_token() {
    let (directory, signer) = (TempDir::new().expect("a directory"), Signer::es256());
    let server = with_tokens(&directory, &signer).await;
    let token = signer.sign(&claims(&json!({ "exp": 1_512_950_375 })));
    let file = replace(directory.path(), "token", &token);
    let options = Options { token_file: Some(file), ..Options::to(server.endpoint.clone()) };
    let client = options.connect().await.expect("connected");
    let mut watch = client.watch(from_the_beginning()).await.expect("a watch");
    time::pause();

    next(&mut watch).await.expect_err("the token expires");

    // The clock of the server moves only when it is read.
    let refused = loop {
        match watch.next().await {
            Ok(item) => assert!(!matches!(item, WatchItem::Event(_)), "{item:?}"),
            Err(status) => break status,
        }
    };
    assert_eq!(
        (refused.code(), reason(&refused).as_str()),
        (Code::Unauthenticated, "TOKEN_REFUSED")
    );
    server.stop().await;
}

#[test]
fn a_maximum_age_is_a_duration_or_off() {
    for (text, expected) in [
        ("1h", Some(Duration::from_hours(1))),
        ("90m", Some(Duration::from_mins(90))),
        ("1s", Some(Duration::from_secs(1))),
        ("off", None),
        ("0", None),
    ] {
        let age: MaxConnectionAge = text.parse().expect(text);
        assert_eq!(age, MaxConnectionAge(expected));
        assert_eq!(age.to_string().parse(), Ok(age));
    }
    for text in ["", "1", "never", "0s", "999ms", "-1h", "1h off"] {
        let error = text.parse::<MaxConnectionAge>().expect_err(text);
        assert!(error.to_string().starts_with("expected a duration of at least 1s"), "{error}");
    }
}
