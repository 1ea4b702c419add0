//! While the log is slow: commands wait, excess ones are refused, and cancelled ones
//! are dropped.

use std::{
    future::poll_fn,
    sync::{Arc, Mutex},
    task::Poll,
};

use bytes::Bytes;
use prost::Message as _;
use tempfile::TempDir;
use tokio::{
    sync::{Semaphore, watch},
    task::JoinSet,
};
use tonic::Code;
use tonic_types::StatusExt as _;
use userpool::{
    app::{self, App, Context, ExecuteError, Outcome, Settings},
    event_log::{AppendError, EventLog, Head, MemoryLog, Position, ReadError, ReadLimit, Record},
    proto::{ListUserPoolsRequest, UserPool},
    telemetry::{metrics::AppMetrics, spans::Tracer},
    user_pool::{CheckedCommand, Limits},
};

use crate::support::{FixedSource, TestServer, named, reason};

/// How many commands may wait, and how many of them one batch takes.
const QUEUE: usize = 1024;
const BATCH: usize = 512;

/// A log that holds every append until it is released.
#[derive(Debug)]
pub(crate) struct HeldLog {
    inner: MemoryLog,
    held: Semaphore,
    taken_up: Semaphore,
    batches: Mutex<Vec<usize>>,
}

impl Default for HeldLog {
    fn default() -> Self {
        let (held, taken_up) = (Semaphore::new(0), Semaphore::new(0));
        Self { inner: MemoryLog::default(), held, taken_up, batches: Mutex::default() }
    }
}

impl HeldLog {
    /// Waits until an append has begun.
    pub(crate) async fn taken_up(&self) {
        self.taken_up.acquire().await.expect("open").forget();
    }

    /// Releases all appends.
    pub(crate) fn release(&self) {
        self.held.close();
    }
}

#[tonic::async_trait]
impl EventLog for HeldLog {
    fn head(&self) -> watch::Receiver<Head> {
        self.inner.head()
    }

    /// The server has it for itself, as a log on its disk.
    fn is_shared(&self) -> bool {
        false
    }

    async fn append(&self, expected: Head, bodies: Vec<Bytes>) -> Result<Vec<Record>, AppendError> {
        self.batches.lock().expect("no panic").push(bodies.len());
        self.taken_up.add_permits(1);
        self.held.acquire().await.expect_err("closed to let go");
        self.inner.append(expected, bodies).await
    }

    async fn read(&self, after: Position, limit: ReadLimit) -> Result<Vec<Record>, ReadError> {
        self.inner.read(after, limit).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn waiting_commands_are_batched_and_excess_ones_refused() {
    let log = Arc::new(HeldLog::default());
    let server = TestServer::on(Arc::<HeldLog>::clone(&log)).await;
    let mut calls = JoinSet::new();
    let mut client = server.client().await;
    calls.spawn(async move { client.create_user_pool(named("first")).await });
    log.taken_up().await;

    // One more than the queue holds, on enough connections to have them all open.
    let mut sent = 0;
    while sent < QUEUE + 1 {
        let client = server.client().await;
        for _ in 0..100.min(QUEUE + 1 - sent) {
            let mut client = client.clone();
            calls.spawn(async move { client.create_user_pool(named("waiting")).await });
            sent += 1;
        }
    }

    let answered = calls.join_next().await.expect("a call").expect("no panic");
    let refused = answered.expect_err("too many");
    assert_eq!(refused.code(), Code::ResourceExhausted, "{refused}");
    assert_eq!(reason(&refused), "OVERLOADED");
    let retry = refused.get_details_retry_info().expect("a RetryInfo").retry_delay;
    assert!(retry.is_some_and(|delay| !delay.is_zero()), "{retry:?}");

    log.release();
    while let Some(call) = calls.join_next().await {
        call.expect("no panic").expect("created");
    }
    assert_eq!(*log.batches.lock().expect("no panic"), [1, BATCH, QUEUE - BATCH]);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_started_command_completes_without_its_caller() {
    let log = Arc::new(HeldLog::default());
    let server = TestServer::on(Arc::<HeldLog>::clone(&log)).await;
    let mut client = server.client().await;
    let mut caller = client.clone();
    let call = tokio::spawn(async move { caller.create_user_pool(named("orphan")).await });
    log.taken_up().await;

    call.abort();
    call.await.expect_err("given up");
    let mut head = log.head();
    log.release();
    head.wait_for(|head| head.position == Position(1)).await.expect("recorded");

    // A change after it in the log is visible after it.
    client.create_user_pool(named("next")).await.expect("created");
    let list = ListUserPoolsRequest { max_results: Some(60), ..Default::default() };
    let pools = client.list_user_pools(list).await.expect("listed").into_inner().user_pools;
    let names: Vec<_> = pools.iter().map(|pool| pool.name.as_deref().unwrap_or("")).collect();
    assert_eq!(names, ["orphan", "next"]);
    server.stop().await;
}

/// On the application itself: a client cannot see when a command has been queued.
#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_command_in_the_queue_is_not_carried_out() {
    let log = Arc::new(HeldLog::default());
    let directory = TempDir::new().expect("a directory");
    let settings = Settings {
        region: "us-east-1".to_owned(),
        limits: Limits::default(),
        cache: app::CACHE,
        clock: app::ClockSettings::default(),
        reads: app::ReadSettings::default(),
        metrics: AppMetrics::default(),
        tracer: Tracer::default(),
    };
    let source = Arc::new(FixedSource::default());
    let held = Arc::<HeldLog>::clone(&log);
    let app = App::start(held, &directory.path().join("read_model"), source, settings)
        .await
        .expect("started");

    let mut first = Box::pin(execute(&app, "first"));
    assert!(is_waiting(first.as_mut()).await);
    log.taken_up().await;
    let mut given_up = Box::pin(execute(&app, "given up"));
    assert!(is_waiting(given_up.as_mut()).await);
    let mut patient = Box::pin(execute(&app, "patient"));
    assert!(is_waiting(patient.as_mut()).await);

    drop(given_up);
    log.release();

    let names = [first.await, patient.await].map(|outcome| {
        UserPool::decode(outcome.expect("created").user_pool).expect("a user pool").name
    });
    assert_eq!(names, [Some("first".to_owned()), Some("patient".to_owned())]);
    assert_eq!(log.head().borrow().position, Position(2));
    assert!(app.close().await, "closed gracefully");
}

async fn execute(app: &App, name: &str) -> Result<Outcome, ExecuteError> {
    let checked =
        CheckedCommand::create_user_pool(named(name), app.limits()).expect("a legal request");
    app.execute(checked, Context::default()).await
}

async fn is_waiting<T>(mut future: std::pin::Pin<&mut impl Future<Output = T>>) -> bool {
    poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx).is_pending())).await
}
