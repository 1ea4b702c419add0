//! Clients that do not read their answers, and what they cannot delay.

use std::{sync::Arc, time::Duration};

use tokio::{io::AsyncWriteExt as _, net::TcpStream, time::Instant};
use userpool::{
    proto::{ListUserPoolsRequest, WatchUserPoolEventsRequest},
    server::Server,
};

use super::wire::{CREATE, LIST, WATCH, Wire, framed, greeting};
use crate::support::{FixedSource, TestServer, config, create, describe, named, reason};

fn list() -> ListUserPoolsRequest {
    ListUserPoolsRequest { max_results: Some(60), ..Default::default() }
}

#[tokio::test]
async fn an_unread_response_holds_no_place_and_is_dropped_in_time() {
    let server = TestServer::with(|config| config.capacity.reads = 1).await;
    let mut client = server.client().await;
    let id = create(&mut client, "people").await;
    let mut wire = Wire::with_window(&server.endpoint.to_string(), 0).await;
    let mut begun = wire.begin(LIST, None).await;
    begun.request.send_data(framed(&list()), true).expect("sent");
    let mut left_there = begun.answered().await;
    describe(&mut client, &id).await.expect("the only place for a read is free");

    tokio::time::pause();
    let begun = Instant::now();
    left_there.data().await.expect("an end").expect_err("it was dropped");
    assert!(begun.elapsed() > Duration::from_secs(20), "it had time");
    server.stop().await;
}

/// Each call takes 16 KiB, so these want ten times the memory that there is.
#[tokio::test(flavor = "multi_thread")]
async fn unread_responses_leave_memory_for_other_calls() {
    let server = TestServer::with(|config| config.capacity.client_memory = 1024 * 1024).await;
    let mut client = server.client().await;
    let id = create(&mut client, "people").await;
    let mut unread = Vec::new();
    for _ in 0..8 {
        let mut wire = Wire::with_window(&server.endpoint.to_string(), 0).await;
        for _ in 0..80 {
            let mut begun = wire.begin(LIST, None).await;
            begun.request.send_data(framed(&list()), true).expect("sent");
            unread.push(begun);
        }
        // They are ready when this one is: the server takes them in order.
        drop(unread.pop().expect("a call").answered().await);
        unread.push(wire.begin(CREATE, None).await);
        for _ in 0..20 {
            describe(&mut client, &id).await.expect("room for a client that reads");
        }
    }
    server.stop().await;
}

/// The change is recorded, so its client must not be told otherwise.
#[tokio::test(flavor = "multi_thread")]
async fn a_change_is_answered_however_little_memory_there_is() {
    // Three quarters of it are enough for the call and its request, and not for the response.
    let server = TestServer::with(|config| config.capacity.client_memory = 22_000).await;
    create(&mut server.client().await, "people").await;
    server.stop().await;
}

#[tokio::test]
async fn a_stalled_response_delays_shutdown_only_to_the_limit() {
    let server = TestServer::start().await;
    create(&mut server.client().await, "people").await;
    // From here on: the writer has a thread of its own, which this clock does not
    // wait for.
    tokio::time::pause();
    let mut wire = Wire::with_window(&server.endpoint.to_string(), 0).await;
    // The answers to watches are never dropped.
    let mut begun = wire.begin(WATCH, None).await;
    let watch = WatchUserPoolEventsRequest::default();
    begun.request.send_data(framed(&watch), true).expect("sent");
    let _left_there = begun.answered().await;

    let start = Instant::now();
    let directory = server.stop().await;
    let took = start.elapsed();

    assert!((29..40).contains(&took.as_secs()), "{took:?}");
    // Nothing holds the data directory any more.
    let source = Arc::new(FixedSource::default());
    Server::start(config(directory.path()), source).await.expect("started again");
}

#[tokio::test]
async fn half_sent_calls_and_dead_connections_delay_nothing() {
    let server = TestServer::start().await;
    let address = server.endpoint.to_string();
    let mut client = server.client().await;
    client.create_user_pool(named("people")).await.expect("created");
    let mut wire = Wire::connect(&address).await;
    let half_sent = wire.begin(CREATE, None).await;
    let mut dead = Vec::new();
    for _ in 0..20 {
        let mut socket = TcpStream::connect(&address).await.expect("connected");
        socket.write_all(&greeting()).await.expect("sent");
        dead.push(socket);
    }
    // A call that completes after these connections are open.
    client.create_user_pool(named("more")).await.expect("created");
    // From here on: the writer has a thread of its own, which this clock does not
    // wait for.
    tokio::time::pause();

    let start = Instant::now();
    server.stop().await;

    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
    let status = half_sent.status().await;
    assert_eq!(reason(&status), "SHUTTING_DOWN", "{status}");
}
