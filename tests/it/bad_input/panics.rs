//! A panic while a call is processed fails only that call, and the server logs it
//! with the ID of the call.

use std::{
    io,
    path::Path,
    sync::{
        Arc, LazyLock, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use bytes::Bytes;
use chrono::{DateTime, Utc};
use tokio::{sync::watch, task::JoinSet};
use tonic::{Code, Request, Status};
use tracing_subscriber::fmt::MakeWriter;
use userpool::{
    app::Source,
    audit,
    event_log::{AppendError, EventLog, Head, MemoryLog, Position, ReadError, ReadLimit, Record},
    proto::{
        CreateUserPoolRequest, ListUserPoolEventsRequest, WatchUserPoolEventsRequest,
        user_pool_history_service_client::UserPoolHistoryServiceClient,
        watch_user_pool_events_request::Start,
    },
    server::ServerError,
};
use uuid::Uuid;

use crate::support::{FixedSource, TestServer, create, named, reason};

/// A log that panics on demand.
#[derive(Debug, Default)]
struct PanickingLog {
    inner: MemoryLog,
    when_read: AtomicBool,
    after_append: AtomicBool,
}

#[tonic::async_trait]
impl EventLog for PanickingLog {
    fn head(&self) -> watch::Receiver<Head> {
        self.inner.head()
    }

    async fn append(&self, expected: Head, bodies: Vec<Bytes>) -> Result<Vec<Record>, AppendError> {
        let appended = self.inner.append(expected, bodies).await;
        assert!(!self.after_append.load(Ordering::Relaxed), "injected after an append");
        appended
    }

    async fn read(&self, after: Position, limit: ReadLimit) -> Result<Vec<Record>, ReadError> {
        assert!(!self.when_read.load(Ordering::Relaxed), "injected into a read");
        self.inner.read(after, limit).await
    }
}

/// A source that panics once when it must make the ID of a user pool.
#[derive(Debug, Default)]
struct PanickingSource {
    fixed: FixedSource,
    armed: AtomicBool,
}

impl Source for PanickingSource {
    fn now(&self) -> DateTime<Utc> {
        self.fixed.now()
    }

    fn uuid(&self) -> Uuid {
        self.fixed.uuid()
    }

    fn user_pool_suffix(&self) -> String {
        assert!(!self.armed.swap(false, Ordering::Relaxed), "injected into the rules");
        self.fixed.user_pool_suffix()
    }
}

/// The errors that servers of this process log.
static LOGGED: LazyLock<LogBuffer> = LazyLock::new(|| {
    let logged = LogBuffer::default();
    let logging = tracing_subscriber::fmt().with_max_level(tracing::Level::ERROR);
    let logging = logging.with_ansi(false).with_writer(logged.clone()).finish();
    tracing::subscriber::set_global_default(logging).expect("no other test logs");
    logged
});

#[derive(Debug, Clone, Default)]
struct LogBuffer(Arc<Mutex<Vec<u8>>>);

impl LogBuffer {
    /// The log line of a panic with this ID.
    fn line(&self, request_id: &str) -> Option<String> {
        let logged = String::from_utf8_lossy(&self.0.lock().expect("no panic")).into_owned();
        logged.lines().find(|line| line.contains(request_id)).map(str::to_owned)
    }
}

impl io::Write for LogBuffer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("no panic").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for LogBuffer {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// A request with an ID to find it in the log.
fn under<M>(request_id: &str, message: M) -> Request<M> {
    let mut request = Request::new(message);
    request.metadata_mut().insert("x-request-id", request_id.parse().expect("ASCII"));
    request
}

/// Checks the answer and the log line.
fn internal(status: &Status, request_id: &str, panic: &str) {
    assert_eq!((status.code(), reason(status).as_str()), (Code::Internal, "INTERNAL"), "{status}");
    assert!(!status.message().contains("injected"), "{status}");
    let line = LOGGED.line(request_id).expect("a line");
    assert!(line.contains(panic), "{line}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_in_the_rules_fails_only_its_own_command() {
    LazyLock::force(&LOGGED);
    let source = Arc::new(PanickingSource::default());
    let server = TestServer::with_source(Arc::<PanickingSource>::clone(&source)).await;
    let mut client = server.client().await;
    create(&mut client, "before").await;
    source.armed.store(true, Ordering::Relaxed);
    let mut calls = JoinSet::new();
    for number in 0..32 {
        let mut client = client.clone();
        calls.spawn(async move {
            let request = under(&format!("in-the-rules-{number}"), named("a"));
            client.create_user_pool(request).await.map_err(|status| (number, status))
        });
    }
    let answers = calls.join_all().await;
    let failed: Vec<_> = answers.into_iter().filter_map(Result::err).collect();
    assert_eq!(failed.len(), 1, "{failed:?}");
    let (number, status) = &failed[0];
    internal(status, &format!("in-the-rules-{number}"), "injected into the rules");
    let after = client.create_user_pool(named("after")).await.expect("created").into_inner();
    assert_eq!(after.position, 33, "nothing was recorded for the one that failed");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_while_reading_fails_only_its_own_call() {
    LazyLock::force(&LOGGED);
    let log = Arc::new(PanickingLog::default());
    let server = TestServer::on(Arc::<PanickingLog>::clone(&log)).await;
    let mut client = server.client().await;
    create(&mut client, "before").await;
    log.when_read.store(true, Ordering::Relaxed);
    let mut history = UserPoolHistoryServiceClient::new(server.channel().await);
    let list = under("while-listing", ListUserPoolEventsRequest::default());
    let status = history.list_user_pool_events(list).await.expect_err("a panic");
    internal(&status, "while-listing", "injected into a read");
    create(&mut client, "after").await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_while_watching_ends_only_its_own_watch() {
    LazyLock::force(&LOGGED);
    let log = Arc::new(PanickingLog::default());
    log.inner.append(Head::default(), vec![body()]).await.expect("appended");
    let server = TestServer::on(Arc::<PanickingLog>::clone(&log)).await;
    let mut client = server.client().await;
    let mut history = UserPoolHistoryServiceClient::new(server.channel().await);
    // This watch on the same connection is not affected.
    let from_now = history.watch_user_pool_events(WatchUserPoolEventsRequest::default());
    let mut other = from_now.await.expect("a watch").into_inner();
    other.message().await.expect("a checkpoint");
    log.when_read.store(true, Ordering::Relaxed);
    let start = Some(Start::AfterPosition(0));
    let request = WatchUserPoolEventsRequest { start, ..Default::default() };
    let watch = history.watch_user_pool_events(under("while-watching", request)).await;
    let status = match watch {
        Ok(watch) => watch.into_inner().message().await.expect_err("a panic"),
        Err(status) => status,
    };
    internal(&status, "while-watching", "injected into a read");
    create(&mut client, "after").await;
    other.message().await.expect("an event").expect("an event");
    server.stop().await;
}

/// The append may have been durable, so the outcome must be reported as unknown.
#[tokio::test(flavor = "multi_thread")]
async fn a_panic_in_the_log_is_never_reported_as_nothing_recorded() {
    for _ in 0..10 {
        let log = Arc::new(PanickingLog::default());
        let server = TestServer::on(Arc::<PanickingLog>::clone(&log)).await;
        let client = server.client().await;
        log.after_append.store(true, Ordering::Relaxed);
        let mut calls = JoinSet::new();
        for number in 0..8 {
            let mut client = client.clone();
            let request_id = Some(Uuid::from_u128(number).to_string());
            let request = CreateUserPoolRequest { request_id, ..named("a") };
            let id = request.request_id.clone();
            calls.spawn(async move { (id, client.create_user_pool(request).await) });
        }
        let answers = calls.join_all().await;
        assert!(matches!(server.ended().await, Err(ServerError::LogFailed)));
        let all = ReadLimit { records: usize::MAX, bytes: usize::MAX };
        let recorded = log.inner.read(Position::START, all).await.expect("readable");
        assert!(!recorded.is_empty(), "the append before the panic was recorded");
        let recorded = recorded
            .iter()
            .map(|record| audit::decode_with_record(record).expect("an event").request_id);
        let recorded: Vec<_> = recorded.collect();
        for (id, answer) in answers {
            let status = answer.expect_err("a panic");
            // Only a command that was not started may be reported as not recorded.
            let denied = status.message().contains("nothing was recorded");
            assert!(!denied || !recorded.contains(&id), "{status}");
        }
    }
}

/// The stored form of an event.
fn body() -> Bytes {
    let golden = crate::tools::repository().join("tests/golden/events/user_pool_created.hex");
    let text = std::fs::read_to_string(Path::new(&golden)).expect("a golden file");
    let digits: String = text.split_whitespace().collect();
    data_encoding::HEXLOWER.decode(digits.as_bytes()).expect("hexadecimal").into()
}
