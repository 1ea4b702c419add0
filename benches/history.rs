//! The cost of the history of one user pool: the first page, and a replay at the
//! middle of 10,000 events, in a log of only those events and in one of a million.
//! Through the real server and a real client.
//!
//! `cargo bench --bench history`; `USERPOOL_EVENTS=100000` for a smaller log.

#![expect(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a bench stops at its first error, prints its figures and measures real time"
)]

mod data_directory;
mod varied_pools;

use std::{
    env,
    future::Future,
    sync::Arc,
    time::{Duration, Instant},
};

use tempfile::TempDir;
use tokio::sync::oneshot;
use tonic::transport::Channel;
use userpool::{
    app::SystemSource,
    proto::{
        EventView, ListUserPoolEventsRequest, ReadDirection, ReplayUserPoolRequest,
        UserPoolEventFilter, replay_user_pool_request::AsOf,
        user_pool_history_service_client::UserPoolHistoryServiceClient,
    },
    server::{Config, Server},
    transport::Endpoint,
};

use self::data_directory::{DataDirectory, POOL};

/// The number of events of the user pool.
const OWN: u64 = 10_000;
const ROUNDS: usize = 51;

#[tokio::main]
async fn main() {
    let events = env::var("USERPOOL_EVENTS").ok().and_then(|text| text.parse().ok());
    let events: u64 = events.unwrap_or(1_000_000);
    let alone = measure(OWN).await;
    let among = measure(events).await;
    println!("\n{:<34}{OWN:>12} events{events:>12} events   ratio", "");
    for ((what, alone), (_, among)) in alone.iter().zip(&among) {
        let ratio = among.as_secs_f64() / alone.as_secs_f64();
        println!("{what:<34}{alone:>16.2?}{among:>19.2?}   {ratio:>5.2}");
    }
}

/// The medians in a log with this many events.
async fn measure(events: u64) -> Vec<(&'static str, Duration)> {
    let directory = TempDir::new().expect("a directory");
    let started = Instant::now();
    DataDirectory { events, own: OWN }.write(directory.path()).await;
    println!("{events} events written in {:.1?}", started.elapsed());

    let listen = Endpoint::Tcp("127.0.0.1:0".to_owned());
    let config = Config::new(listen, directory.path().to_owned());
    let started = Instant::now();
    let ready = Server::start(config, Arc::new(SystemSource)).await.expect("a server");
    println!("read model built in {:.1?}", started.elapsed());
    let address = format!("http://{}", ready.endpoint());
    let (stop, stopped) = oneshot::channel::<()>();
    let serving = tokio::spawn(ready.serve(async {
        let _ = stopped.await;
    }));
    let channel = Channel::from_shared(address).expect("an address").connect().await;
    let client = UserPoolHistoryServiceClient::new(channel.expect("a connection"));

    let page = |direction: ReadDirection, view: EventView| {
        let filter = UserPoolEventFilter {
            user_pool_id: Some(POOL.to_owned()),
            ..UserPoolEventFilter::default()
        };
        ListUserPoolEventsRequest {
            filter: Some(filter),
            direction: direction.into(),
            view: view.into(),
            ..ListUserPoolEventsRequest::default()
        }
    };
    let list = |request: ListUserPoolEventsRequest| {
        let mut client = client.clone();
        async move {
            let page = client.list_user_pool_events(request).await.expect("a page");
            assert_eq!(page.into_inner().events.len(), 100);
        }
    };
    let replay = |revision: u64| {
        let mut client = client.clone();
        let revision = i64::try_from(revision).expect("a small number");
        let as_of = Some(AsOf::Revision(revision));
        async move {
            let request = ReplayUserPoolRequest {
                user_pool_id: Some(POOL.to_owned()),
                as_of,
                ..ReplayUserPoolRequest::default()
            };
            let replayed = client.replay_user_pool(request).await.expect("a user pool");
            assert_eq!(replayed.into_inner().revision, revision);
        }
    };
    let figures = vec![
        (
            "first page of 100, oldest first",
            median(|| list(page(ReadDirection::Forward, EventView::Full))).await,
        ),
        (
            "first page of 100, newest first",
            median(|| list(page(ReadDirection::Backward, EventView::Full))).await,
        ),
        (
            "summary of 100, newest first",
            median(|| list(page(ReadDirection::Backward, EventView::Summary))).await,
        ),
        ("replay at the middle, 5,000 events", median(|| replay(OWN / 2)).await),
    ];
    let _ = stop.send(());
    serving.await.expect("no panic").expect("served");
    figures
}

async fn median<F: Future<Output = ()>>(call: impl Fn() -> F) -> Duration {
    let mut times = Vec::with_capacity(ROUNDS);
    for _ in 0..ROUNDS {
        let started = Instant::now();
        call().await;
        times.push(started.elapsed());
    }
    times.sort();
    times.get(ROUNDS / 2).copied().unwrap_or_default()
}
