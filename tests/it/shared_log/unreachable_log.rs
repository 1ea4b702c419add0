//! What a command is told when its server cannot reach the log, or the log does not answer.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use tokio::{
    sync::{Notify, watch},
    time::Instant,
};
use userpool::{
    app::{Context, ExecuteError},
    event_log::{AppendError, EventLog, Head, MemoryLog, Position, ReadError, ReadLimit, Record},
};

use super::{Node, create, engine::Engine};

#[tokio::test(start_paused = true)]
async fn a_command_is_refused_when_the_log_stays_unreachable() {
    let log = Arc::new(MemoryLog::default());
    let engine = Engine::on(&log);
    let node = Node::start_in_memory(Arc::<Engine>::clone(&engine), 0).await;
    engine.cut(true);
    let began = Instant::now();

    let refused = node.app.execute(create(None), Context::default()).await;

    assert!(matches!(refused, Err(ExecuteError::LogUnreachable)), "{refused:?}");
    let waited = began.elapsed();
    assert!((5..6).contains(&waited.as_secs()), "{waited:?}");
    engine.cut(false);
    let created = node.app.execute(create(None), Context::default()).await.expect("created");
    assert_eq!(created.position, 1, "nothing was recorded before");
}

#[tokio::test(start_paused = true)]
async fn a_command_waits_for_a_log_that_is_away_for_moments() {
    let engine = Engine::on(&Arc::default());
    let node = Node::start_in_memory(Arc::<Engine>::clone(&engine), 0).await;
    engine.cut(true);
    let app = Arc::clone(&node.app);
    let created = tokio::spawn(async move { app.execute(create(None), Context::default()).await });
    tokio::time::advance(Duration::from_secs(3)).await;
    engine.cut(false);
    assert_eq!(created.await.expect("no panic").expect("created").position, 1);
}

/// A log that appends, and says so only when the test lets it.
#[derive(Debug, Default)]
struct SlowLog {
    inner: MemoryLog,
    is_slow: AtomicBool,
    answer: Notify,
}

#[async_trait::async_trait]
impl EventLog for SlowLog {
    fn head(&self) -> watch::Receiver<Head> {
        self.inner.head()
    }

    async fn append(&self, expected: Head, bodies: Vec<Bytes>) -> Result<Vec<Record>, AppendError> {
        let appended = self.inner.append(expected, bodies).await;
        if self.is_slow.load(Ordering::Relaxed) {
            self.answer.notified().await;
        }
        appended
    }

    fn can_append_again(&self) -> bool {
        true
    }

    async fn read(&self, after: Position, limit: ReadLimit) -> Result<Vec<Record>, ReadError> {
        self.inner.read(after, limit).await
    }
}

#[tokio::test(start_paused = true)]
async fn a_command_whose_outcome_stays_unknown_is_told_so() {
    let log = Arc::new(SlowLog::default());
    let node = Node::start_in_memory(Arc::<SlowLog>::clone(&log), 0).await;
    log.is_slow.store(true, Ordering::Relaxed);
    let request_id = Some("0193b5f0-7c5e-7d7a-9c55-2d1d8f1b6a01".to_owned());

    let refused = node.app.execute(create(request_id.clone()), Context::default()).await;

    assert!(matches!(refused, Err(ExecuteError::LogUnavailable)), "{refused:?}");
    // The retry gets the answer of the first call, once its outcome is known.
    let app = Arc::clone(&node.app);
    let retry =
        tokio::spawn(async move { app.execute(create(request_id), Context::default()).await });
    log.is_slow.store(false, Ordering::Relaxed);
    log.answer.notify_one();
    assert_eq!(retry.await.expect("no panic").expect("created").position, 1);
    assert_eq!(log.head().borrow().position, Position(1));
}
