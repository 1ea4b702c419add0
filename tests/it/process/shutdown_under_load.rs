//! A signal ends the process gracefully under any load, and a second signal ends it
//! at once.

use std::time::Duration;

use tempfile::TempDir;
use tokio::{
    io::AsyncWriteExt as _,
    net::TcpStream,
    task::JoinSet,
    time::{Instant, timeout},
};
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};
use userpool::proto::{
    WatchUserPoolEventsRequest, user_pool_history_service_client::UserPoolHistoryServiceClient,
};

use crate::{
    binary::Process,
    load::wire::{CREATE, WATCH, Wire, framed, greeting},
    support::{create, named, pools, reason},
};

/// The limit of the server, and a little more.
const DRAIN: Duration = Duration::from_secs(35);

#[tokio::test(flavor = "multi_thread")]
async fn shutdown_is_graceful_with_many_connections_and_watches() {
    let directory = TempDir::new().expect("a directory");
    let server = Process::start(directory.path()).await;
    let mut idle = Vec::new();
    for _ in 0..300 {
        let mut socket = TcpStream::connect(server.address()).await.expect("connected");
        socket.write_all(&greeting()).await.expect("sent");
        idle.push(socket);
    }
    let mut watches = JoinSet::new();
    for _ in 0..10 {
        let client = UserPoolHistoryServiceClient::new(server.channel().await);
        for _ in 0..50 {
            let mut client = client.clone();
            let request = WatchUserPoolEventsRequest::default();
            let watch = client.watch_user_pool_events(request).await.expect("a watch");
            watches.spawn(async move {
                let mut watch = watch.into_inner();
                loop {
                    if let Err(status) = watch.message().await {
                        return status;
                    }
                }
            });
        }
    }
    let mut half_sent = Vec::new();
    for _ in 0..5 {
        let mut wire = Wire::connect(server.address()).await;
        for _ in 0..100 {
            half_sent.push(wire.begin(CREATE, None).await);
        }
    }
    let mut writers = JoinSet::new();
    for _ in 0..10 {
        let client = server.client().await;
        for _ in 0..50 {
            let mut client = client.clone();
            writers.spawn(async move { client.create_user_pool(named("people")).await.is_ok() });
        }
    }
    let first = writers.join_next().await.expect("a call").expect("no panic");
    assert!(first, "it serves");

    let address = server.address().to_owned();
    let start = Instant::now();
    let ended = timeout(DRAIN, server.terminate("TERM")).await.expect("ended within the limit");

    eprintln!("ended after {:?}", start.elapsed());
    assert_eq!(ended.status.code(), Some(0), "{}", ended.stderr);
    while let Some(watch) = watches.join_next().await {
        assert_eq!(reason(&watch.expect("no panic")), "SHUTTING_DOWN");
    }
    TcpStream::connect(&address).await.expect_err("closed");
    let acknowledged = 1 + writers.join_all().await.into_iter().filter(|created| *created).count();
    drop(half_sent);
    let server = Process::start(directory.path()).await;
    let stored = pools(&mut server.client().await).await.len();
    assert!(stored >= acknowledged, "{stored} of {acknowledged} are there");
    server.kill().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_signal_ends_the_process_at_once_and_loses_nothing() {
    for (first, second) in [("TERM", "TERM"), ("INT", "INT"), ("TERM", "INT")] {
        let directory = TempDir::new().expect("a directory");
        let server = Process::start(directory.path()).await;
        create(&mut server.client().await, "people").await;
        // It reads nothing of its answer, so it delays the shutdown to the limit.
        let mut wire = Wire::with_window(server.address(), 0).await;
        let mut begun = wire.begin(WATCH, None).await;
        let watch = WatchUserPoolEventsRequest::default();
        begun.request.send_data(framed(&watch), true).expect("sent");
        let _left_there = begun.answered().await;
        let mut health = HealthClient::new(server.channel().await);
        let watched = health.watch(HealthCheckRequest::default()).await.expect("watched");
        let mut watched = watched.into_inner();
        watched.message().await.expect("a status").expect("a status");

        server.signal(first).await;
        let last = watched.message().await.expect("a status").expect("a status");
        assert_eq!(last.status(), ServingStatus::NotServing);
        let start = Instant::now();
        let ended = server.terminate(second).await;

        assert_eq!(ended.status.code(), Some(1), "{first}, {second}: {}", ended.stderr);
        assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
        let server = Process::start(directory.path()).await;
        assert_eq!(pools(&mut server.client().await).await.len(), 1);
        server.kill().await;
    }
}
