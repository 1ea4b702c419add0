//! The writer waits for its turn, and acknowledges only what is durable.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use tokio::sync::watch;
use userpool::{
    app::{Context, ExecuteError, Failure},
    event_log::{
        AppendError, EventLog, Fork, Head, MemoryLog, Position, ReadError, ReadLimit, Record, Turn,
    },
};
use uuid::Uuid;

use super::{Node, create, follow};

/// A log on another machine.
#[derive(Debug, Default)]
struct RemoteLog {
    log: MemoryLog,
    /// How many turns and appends fail without writing anything.
    failures: AtomicU32,
    /// The next append is written, and its outcome is not known.
    is_unknown: Mutex<bool>,
    /// How many reads fail that must be durable.
    without_standby: AtomicU32,
    /// What was called, in this order.
    calls: Mutex<VecDeque<&'static str>>,
    now: Mutex<Option<SystemTime>>,
    fork: Mutex<Option<Fork>>,
}

impl RemoteLog {
    fn called(&self, call: &'static str) {
        self.calls.lock().expect("no panic").push_back(call);
    }

    fn wait_for_standby(&self) -> Result<(), ReadError> {
        let is_missing = takes_one(&self.without_standby);
        if is_missing { Err(ReadError::Unavailable("no standby".into())) } else { Ok(()) }
    }

    fn calls(&self) -> Vec<&'static str> {
        self.calls.lock().expect("no panic").drain(..).collect()
    }
}

fn takes_one(count: &AtomicU32) -> bool {
    count.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |count| count.checked_sub(1)).is_ok()
}

#[async_trait::async_trait]
impl EventLog for RemoteLog {
    fn head(&self) -> watch::Receiver<Head> {
        self.log.head()
    }

    async fn turn(&self) -> Result<Turn, AppendError> {
        self.called("turn");
        if let Some(fork) = *self.fork.lock().expect("no panic") {
            return Err(AppendError::Forked(fork));
        }
        if takes_one(&self.failures) {
            return Err(AppendError::NotAppended("unreachable".into()));
        }
        let now = *self.now.lock().expect("no panic");
        Ok(Turn { head: self.log.latest().await.expect("in memory"), now })
    }

    async fn end_turn(&self) {
        self.called("end of turn");
    }

    async fn durable_head(&self) -> Result<Head, ReadError> {
        self.called("durable head");
        self.wait_for_standby()?;
        self.log.latest().await
    }

    async fn durable_record(&self, after: Position) -> Result<Option<Record>, ReadError> {
        self.called("durable record");
        self.wait_for_standby()?;
        self.log.durable_record(after).await
    }

    async fn append(&self, expected: Head, bodies: Vec<Bytes>) -> Result<Vec<Record>, AppendError> {
        self.called("append");
        if takes_one(&self.failures) {
            return Err(AppendError::NotAppended("unreachable".into()));
        }
        let appended = self.log.append(expected, bodies).await?;
        if std::mem::take(&mut *self.is_unknown.lock().expect("no panic")) {
            return Err(AppendError::Unknown("no answer".into()));
        }
        Ok(appended)
    }

    fn can_append_again(&self) -> bool {
        true
    }

    async fn read(&self, after: Position, limit: ReadLimit) -> Result<Vec<Record>, ReadError> {
        self.log.read(after, limit).await
    }
}

async fn start(log: RemoteLog) -> (Arc<RemoteLog>, Node) {
    let log = Arc::new(log);
    let node = Node::start_in_memory(Arc::<RemoteLog>::clone(&log), 0).await;
    (log, node)
}

async fn execute(node: &Node, request_id: Option<Uuid>) -> Result<i64, ExecuteError> {
    let command = create(request_id.map(|id| id.to_string()));
    let outcome = node.app.execute(command, Context::default()).await?;
    Ok(outcome.position)
}

#[tokio::test(start_paused = true)]
async fn a_command_is_recorded_once_the_log_can_be_reached_again() {
    // Three turns fail, and then one append.
    for failures in [3, 1] {
        let (log, node) = start(RemoteLog::default()).await;
        log.failures.store(failures, Ordering::SeqCst);
        assert_eq!(execute(&node, None).await.expect("recorded"), 1);
        assert_eq!(log.head().borrow().position, Position(1));
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_cannot_reach_its_log_stops() {
    let (log, node) = start(RemoteLog::default()).await;
    log.failures.store(u32::MAX, Ordering::SeqCst);
    let app = Arc::clone(&node.app);
    let waiting = tokio::spawn(async move { app.execute(create(None), Context::default()).await });
    tokio::time::sleep(Duration::from_secs(1)).await;

    assert!(node.app.close().await);

    let answer = waiting.await.expect("no panic");
    assert!(matches!(answer, Err(ExecuteError::ShuttingDown)), "{answer:?}");
    assert_eq!(log.head().borrow().position, Position::START);
}

#[tokio::test(start_paused = true)]
async fn an_unknown_append_is_acknowledged_once_it_is_durable() {
    let unknown = RemoteLog { is_unknown: Mutex::new(true), ..RemoteLog::default() };
    unknown.without_standby.store(2, Ordering::SeqCst);
    let (log, node) = start(unknown).await;

    assert_eq!(execute(&node, None).await.expect("recorded"), 1);

    let record = "durable record";
    assert_eq!(log.calls(), ["turn", "append", record, record, record]);
}

#[tokio::test(start_paused = true)]
async fn a_repeated_answer_is_given_once_it_is_durable() {
    let (log, node) = start(RemoteLog::default()).await;
    let id = Uuid::from_u128(7);
    assert_eq!(execute(&node, Some(id)).await.expect("recorded"), 1);
    assert_eq!(log.calls(), ["turn", "append"]);
    log.without_standby.store(1, Ordering::SeqCst);

    assert_eq!(execute(&node, Some(id)).await.expect("repeated"), 1);

    let again = ["turn", "durable head", "end of turn"];
    assert_eq!(log.calls(), [again, again].concat());
}

#[tokio::test(start_paused = true)]
async fn a_record_is_at_most_a_second_after_the_shared_clock() {
    let (log, node) = start(RemoteLog::default()).await;
    *log.now.lock().expect("no panic") = Some(UNIX_EPOCH + Duration::from_secs(1000));

    execute(&node, None).await.expect("recorded");

    let event = follow(&node.app, 0).await.next().await;
    assert_eq!(event.record_time.expect("a time").seconds, 1001);
}

#[tokio::test(start_paused = true)]
async fn a_fork_ends_the_server() {
    let (log, node) = start(RemoteLog::default()).await;
    execute(&node, None).await.expect("recorded");
    let known = *log.head().borrow();
    *log.fork.lock().expect("no panic") = Some(Fork { known, found: Head::default() });

    let answer = execute(&node, None).await;

    let expected = Fork { known, found: Head::default() };
    assert!(matches!(answer, Err(ExecuteError::Forked(fork)) if fork == expected), "{answer:?}");
    assert_eq!(node.app.failed().await, Failure::Forked(expected));
    assert_eq!(log.head().borrow().position, Position(1));
}
