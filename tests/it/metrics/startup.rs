//! While it builds the read model, the server is alive, not ready, and shows its
//! progress.

use std::{path::PathBuf, sync::Arc};

use bytes::Bytes;
use tempfile::TempDir;
use tokio::sync::{Semaphore, watch};
use userpool::{
    event_log::{AppendError, EventLog, Head, MemoryLog, Position, ReadError, ReadLimit, Record},
    server::Server,
    transport::Endpoint,
};

use super::{Reading, get};
use crate::support::{FixedSource, config, event_body, wait_for_listener};

/// A log that returns one record, and the others once it is released.
#[derive(Debug)]
pub(crate) struct SlowLog {
    inner: MemoryLog,
    others: Semaphore,
}

impl SlowLog {
    /// A log with this many events of one user pool.
    pub(crate) async fn of(events: usize) -> Arc<Self> {
        let log = Self { inner: MemoryLog::default(), others: Semaphore::new(0) };
        let bodies = (1..=events).map(|revision| event_body("us-east-1_AbCdEfGhI", revision));
        log.append(Head::default(), bodies.collect()).await.expect("appended");
        Arc::new(log)
    }

    /// Releases all records.
    pub(crate) fn release(&self) {
        self.others.close();
    }
}

#[tonic::async_trait]
impl EventLog for SlowLog {
    fn head(&self) -> watch::Receiver<Head> {
        self.inner.head()
    }

    async fn append(&self, expected: Head, bodies: Vec<Bytes>) -> Result<Vec<Record>, AppendError> {
        self.inner.append(expected, bodies).await
    }

    async fn read(&self, after: Position, limit: ReadLimit) -> Result<Vec<Record>, ReadError> {
        if after == Position::START {
            return self.inner.read(after, ReadLimit { records: 1, ..limit }).await;
        }
        self.others.acquire().await.expect_err("closed to let go");
        self.inner.read(after, limit).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_builds_its_read_model_shows_its_progress() {
    let directory = TempDir::new().expect("a directory");
    let socket = Endpoint::Unix(directory.path().join("metrics"));
    let log = SlowLog::of(4).await;
    let path = directory.path().to_owned();
    let starting = start(Arc::<SlowLog>::clone(&log), path, socket.clone());
    let starting = tokio::spawn(starting);
    wait_for_listener(&directory.path().join("metrics")).await;

    assert_eq!(get(&socket, "/healthz").await.status, 200);
    let not_ready = get(&socket, "/readyz").await;
    assert_eq!((not_ready.status, not_ready.body.as_str()), (503, "starting\n"));
    let progress = loop {
        let reading = Reading::of(&socket).await;
        if reading.value("userpool_read_model_checkpoint_position") > 0.0 {
            break reading;
        }
    };
    progress.expect(&[
        ("userpool_phase{phase=\"starting\"}", 1.0),
        ("userpool_log_head_position", 4.0),
        ("userpool_read_model_checkpoint_position", 1.0),
        ("userpool_read_model_lag_events", 3.0),
        ("userpool_read_model_built_ratio", 0.25),
    ]);

    log.release();
    let ready = starting.await.expect("no panic");

    assert_eq!(get(&socket, "/readyz").await.body, "serving\n");
    Reading::of(&socket).await.expect(&[
        ("userpool_read_model_lag_events", 0.0),
        ("userpool_read_model_built_ratio", 1.0),
        ("userpool_user_pools", 1.0),
    ]);
    ready.serve(async {}).await.expect("served to the end");
}

async fn start(log: Arc<dyn EventLog>, directory: PathBuf, metrics: Endpoint) -> Server {
    let mut config = config(&directory);
    config.metrics_listen = Some(metrics);
    let read_model = directory.join("read_model");
    let source = Arc::new(FixedSource::default());
    Server::on(log, &read_model, config, source).await.expect("a server")
}
