//! Watching: how fast a client catches up, and how soon it receives new events.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use serde_json::json;
use tonic::Streaming;
use userpool::proto::{
    WatchUserPoolEventsRequest, WatchUserPoolEventsResponse,
    user_pool_history_service_client::UserPoolHistoryServiceClient,
    user_pool_service_client::UserPoolServiceClient, watch_user_pool_events_request::Start,
    watch_user_pool_events_response::Content,
};

use crate::{
    Bench, data,
    figures::{Run, Spread, shown},
    messages::{connect, nth},
    process::Server,
    report::{Report, Row},
};

/// When each event was acknowledged, or arrived, by its position.
type Times = HashMap<i64, Instant>;

/// How far apart the first requests of two callers are, so that they differ.
const DISTANCE: usize = 131;
/// How long an acknowledged event may take to arrive.
const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) fn compare(bench: &Bench, report: &mut Report) {
    catch_up(bench, report);
    for in_flight in [1, 64] {
        live(bench, report, in_flight);
    }
}

fn catch_up(bench: &Bench, report: &mut Report) {
    let [.., events] = bench.settings.events;
    let server = Server::userpool(&data::copy(bench, events));
    let rates: Vec<f64> = (0..bench.settings.rounds.min(3))
        .map(|_| {
            let started = Instant::now();
            let last = i64::try_from(events).expect("a small number");
            bench.runtime.block_on(async {
                let mut stream = watch(&server, Some(Start::AfterPosition(0))).await;
                while next(&mut stream).await < last {}
            });
            events as f64 / started.elapsed().as_secs_f64()
        })
        .collect();
    let rate = Spread::of(rates);
    report.keep_value("watch catch-up, events per second", &json!(rate));
    report.events(format!("watch catch-up of {} events, one client", shown(events as f64)), rate);
}

/// From the acknowledgement to the event, both seen by this process.
fn live(bench: &Bench, report: &mut Report, in_flight: usize) {
    let scratch = tempfile::tempdir_in(bench.scratch.path()).expect("a directory");
    let server = Server::userpool(scratch.path());
    let acknowledged = Arc::new(Mutex::new(Times::new()));
    let arrived = bench.runtime.block_on(async {
        let mut stream = watch(&server, None).await;
        let end = Instant::now() + bench.settings.time;
        let creators: Vec<_> = (0..in_flight)
            .map(|caller| {
                tokio::spawn(create(bench, &server, caller, end, Arc::clone(&acknowledged)))
            })
            .collect();
        let created = tokio::spawn(async move {
            let mut created = 0;
            for creator in creators {
                created += creator.await.expect("creations that succeed");
            }
            created
        });
        let mut arrived = Times::new();
        let collect = async {
            loop {
                let position = next(&mut stream).await;
                arrived.insert(position, Instant::now());
            }
        };
        // Events arrive while there are creations, and for a moment after the last
        // one.
        let created: usize = tokio::select! {
            created = async {
                let created = created.await.expect("creations");
                tokio::time::sleep(PATIENCE.min(bench.settings.time)).await;
                created
            } => created,
            () = collect => 0,
        };
        assert_eq!(arrived.len(), created, "every event arrives, and once");
        arrived
    });
    let acknowledged = acknowledged.lock().expect("no panic");
    let took: Vec<u64> = acknowledged
        .iter()
        .filter_map(|(position, at)| {
            let late = arrived.get(position)?.saturating_duration_since(*at);
            u64::try_from(late.as_micros()).ok()
        })
        .collect();
    let run = Run::of(took.len() as f64 / bench.settings.time.as_secs_f64(), took);
    let what = format!("live delivery after the acknowledgement, {in_flight} creating");
    report.keep_value(&what, &json!(run));
    report.row(Row {
        what: format!("{what}, p99"),
        target: "≤ 5 ms",
        measured: format!("{} ms, p50 {} ms", shown(run.p99_ms), shown(run.p50_ms)),
        ratio: None,
        reached: Some(run.p99_ms <= 5.0),
    });
}

/// Creates user pools until the time is up; returns their number.
fn create(
    bench: &Bench,
    server: &Server,
    caller: usize,
    end: Instant,
    acknowledged: Arc<Mutex<Times>>,
) -> impl Future<Output = usize> + use<> {
    let (requests, address) = (Arc::clone(&bench.messages.requests), server.address.clone());
    async move {
        let mut client = UserPoolServiceClient::new(connect(&address).await);
        let mut created: usize = 0;
        while Instant::now() < end {
            let request = nth(&requests, (caller * DISTANCE + created) as u64).clone();
            let answer = client.create_user_pool(request).await.expect("created");
            let at = Instant::now();
            acknowledged.lock().expect("no panic").insert(answer.into_inner().position, at);
            created += 1;
        }
        created
    }
}

async fn watch(server: &Server, start: Option<Start>) -> Streaming<WatchUserPoolEventsResponse> {
    let mut client = UserPoolHistoryServiceClient::new(connect(&server.address).await);
    let request = WatchUserPoolEventsRequest { start, ..Default::default() };
    client.watch_user_pool_events(request).await.expect("a watch").into_inner()
}

/// The position of the next event.
async fn next(stream: &mut Streaming<WatchUserPoolEventsResponse>) -> i64 {
    loop {
        let message = stream.message().await.expect("a message").expect("a stream that goes on");
        match message.content {
            Some(Content::Event(event)) => return event.position,
            Some(Content::Checkpoint(_)) | None => (),
        }
    }
}
