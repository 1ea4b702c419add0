//! A failing log ends the service: nothing is acknowledged that is not durable.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use bytes::Bytes;
use tokio::sync::watch;
use tonic::Code;
use tonic_health::pb::health_check_response::ServingStatus;
use userpool::{
    event_log::{AppendError, EventLog, Head, MemoryLog, Position, ReadError, ReadLimit, Record},
    server::ServerError,
};

use super::shutdown::watch_health;
use crate::support::{TestServer, create, named, reason};

/// A log whose appends fail from some point on.
#[derive(Debug, Default)]
struct FailingLog {
    inner: MemoryLog,
    failing: AtomicBool,
}

#[tonic::async_trait]
impl EventLog for FailingLog {
    fn head(&self) -> watch::Receiver<Head> {
        self.inner.head()
    }

    async fn append(&self, expected: Head, bodies: Vec<Bytes>) -> Result<Vec<Record>, AppendError> {
        // Fails once, as a disk may: the application must not append again.
        if self.failing.swap(false, Ordering::Relaxed) {
            return Err(AppendError::Unknown("the disk is gone".into()));
        }
        self.inner.append(expected, bodies).await
    }

    async fn read(&self, after: Position, limit: ReadLimit) -> Result<Vec<Record>, ReadError> {
        self.inner.read(after, limit).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_append_acknowledges_nothing_and_ends_the_server() {
    let log = Arc::new(FailingLog::default());
    let server = TestServer::on(Arc::<FailingLog>::clone(&log)).await;
    let mut client = server.client().await;
    create(&mut client, "before").await;
    let mut health = watch_health(&server).await;
    assert_eq!(health.next().await, Some(ServingStatus::Serving));

    log.failing.store(true, Ordering::Relaxed);
    let refused = client.create_user_pool(named("lost")).await.expect_err("a failed log");

    assert_eq!(refused.code(), Code::Unavailable, "{refused}");
    assert_eq!(reason(&refused), "LOG_UNAVAILABLE");
    assert!(!refused.message().contains("the disk is gone"), "{refused}");
    // By the server, or because it has already closed the connection.
    client.create_user_pool(named("later")).await.expect_err("a failed log");
    assert_eq!(health.next().await, Some(ServingStatus::NotServing));
    let ended = server.ended().await.expect_err("a failed log");
    assert!(matches!(ended, ServerError::LogFailed), "{ended}");
    assert_eq!(log.head().borrow().position, Position(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn no_caller_is_acknowledged_when_the_log_fails() {
    let log = Arc::new(FailingLog::default());
    let server = TestServer::on(Arc::<FailingLog>::clone(&log)).await;
    let mut client = server.client().await;
    log.failing.store(true, Ordering::Relaxed);
    let calls = (0..16).map(|number| {
        let mut client = client.clone();
        tokio::spawn(async move { client.create_user_pool(named(&number.to_string())).await })
    });
    for call in calls.collect::<Vec<_>>() {
        call.await.expect("no panic").expect_err("a failed log");
    }
    client.create_user_pool(named("later")).await.expect_err("a failed log");
    assert_eq!(log.head().borrow().position, Position::START);
    assert!(matches!(server.ended().await, Err(ServerError::LogFailed)));
}
