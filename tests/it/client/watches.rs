//! A watch resumes after the last position when its connection is lost.

use tonic::{Code, Status};
use userpool::{
    client::{Client, Watch, WatchItem},
    endpoint::Endpoint,
    proto::{WatchUserPoolEventsRequest, watch_user_pool_events_request::Start},
};

use super::proxy::{Action, Proxy};
use crate::support::{TestServer, named, reason};

async fn create(client: &Client, name: &str) -> i64 {
    client.create_user_pool(named(name)).await.expect("created").position
}

fn from_the_beginning() -> WatchUserPoolEventsRequest {
    WatchUserPoolEventsRequest { start: Some(Start::AfterPosition(0)), ..Default::default() }
}

/// The position of the next event, and how often the connection was lost before it.
async fn next(watch: &mut Watch) -> (i64, usize) {
    let mut lost = 0;
    loop {
        match watch.next().await.expect("a message") {
            WatchItem::Event(event) => return (event.position, lost),
            WatchItem::Checkpoint(_) => (),
            WatchItem::Disconnected { .. } => lost += 1,
        }
    }
}

/// A server on a socket that another one can listen on later, and a watch that has had the
/// first event.
async fn watched_on_socket() -> (TestServer, Client, Watch) {
    let server = TestServer::with(|config| {
        config.listen = Endpoint::Unix(config.data_dir.join("socket"));
    })
    .await;
    let client = userpool::client::Options::to(server.endpoint.clone()).connect().await;
    let client = client.expect("connected");
    create(&client, "people").await;
    let mut watch = client.watch(from_the_beginning()).await.expect("a watch");
    assert_eq!(next(&mut watch).await, (1, 0));
    (server, client, watch)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_resumes_after_a_restart_and_repeats_no_event() {
    let (server, client, mut watch) = watched_on_socket().await;
    let endpoint = server.endpoint.clone();

    let directory = server.stop().await;
    let _server = TestServer::with(|config| {
        config.listen = endpoint;
        config.data_dir = directory.path().to_owned();
    })
    .await;
    create(&client, "staff").await;

    assert_eq!(next(&mut watch).await, (2, 1));
    create(&client, "guests").await;
    assert_eq!(next(&mut watch).await, (3, 0));
}

/// As after a backup was restored: the same positions, other events.
#[tokio::test(flavor = "multi_thread")]
async fn a_watch_does_not_go_on_in_another_log() {
    let (server, client, mut watch) = watched_on_socket().await;
    let endpoint = server.endpoint.clone();

    let _directory = server.stop().await;
    let restored = TestServer::with(|config| config.listen = endpoint).await;
    create(&client, "others").await;

    let refused = loop {
        match watch.next().await {
            Ok(WatchItem::Event(event)) => unreachable!("an event of another log: {event:?}"),
            Ok(WatchItem::Checkpoint(_) | WatchItem::Disconnected { .. }) => (),
            // The restored log may still be empty when the watch resumes.
            Err(status) => break status,
        }
    };
    assert!(["WRONG_LOG", "BEYOND_END"].contains(&reason(&refused).as_str()), "{refused}");
    restored.stop().await;
}

#[tokio::test]
async fn a_watch_that_is_refused_when_it_resumes_ends() {
    let server = TestServer::start().await;
    let proxy = Proxy::of(&server, []).await;
    let client = proxy.options().connect().await.expect("connected");
    create(&client, "people").await;
    let mut watch = client.watch(from_the_beginning()).await.expect("a watch");
    assert_eq!(next(&mut watch).await.0, 1);

    proxy.will(Action::Refuse(Status::unavailable("not yet")));
    proxy.will(Action::Refuse(Status::permission_denied("no longer")));
    server.stop().await;

    let refused = loop {
        match watch.next().await {
            Ok(_) => (),
            Err(status) => break status,
        }
    };
    assert_eq!((refused.code(), refused.message()), (Code::PermissionDenied, "no longer"));
}

#[tokio::test]
async fn a_watch_has_no_deadline() {
    let server = TestServer::start().await;
    let proxy = Proxy::of(&server, []).await;
    let client = proxy.options().connect().await.expect("connected");
    let _watch = client.watch(from_the_beginning()).await.expect("a watch");
    let calls = proxy.calls();
    assert_eq!(calls[0].method, "WatchUserPoolEvents");
    assert!(!calls[0].metadata.contains_key("grpc-timeout"), "{calls:?}");
}
