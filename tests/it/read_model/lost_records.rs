//! A log that does not return the records that it says it has is not served.

use std::sync::Arc;

use bytes::Bytes;
use tempfile::TempDir;
use tokio::sync::watch;
use userpool::{
    app::App,
    event_log::{AppendError, EventLog, Head, MemoryLog, Position, ReadError, ReadLimit, Record},
    server::Server,
    telemetry::error_chain,
};

use crate::{
    shared_log::settings,
    support::{FixedSource, config, event_body},
};

/// A log that returns no record after its first one.
#[derive(Debug)]
struct ForgetfulLog(MemoryLog);

#[async_trait::async_trait]
impl EventLog for ForgetfulLog {
    fn head(&self) -> watch::Receiver<Head> {
        self.0.head()
    }

    async fn append(&self, expected: Head, bodies: Vec<Bytes>) -> Result<Vec<Record>, AppendError> {
        self.0.append(expected, bodies).await
    }

    async fn read(&self, after: Position, limit: ReadLimit) -> Result<Vec<Record>, ReadError> {
        match after {
            Position::START => self.0.read(after, ReadLimit { records: 1, ..limit }).await,
            _ => Ok(Vec::new()),
        }
    }
}

async fn log() -> Arc<ForgetfulLog> {
    let log = ForgetfulLog(MemoryLog::default());
    let bodies = (1..=3).map(|revision| event_body("us-east-1_AbCdEfGhI", revision));
    log.append(Head::default(), bodies.collect()).await.expect("appended");
    Arc::new(log)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_without_records_before_its_end_is_not_served() {
    let directory = TempDir::new().expect("a directory");
    let (path, source) = (directory.path().join("read_model"), Arc::<FixedSource>::default());
    let config = config(directory.path());
    let error = Server::on(log().await, &path, config, source).await.expect_err("two records lack");
    let error = error_chain(&error);
    assert!(error.contains("damaged at position 2: the record is missing"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nor_is_it_in_memory() {
    let source = Arc::<FixedSource>::default();
    let error = App::start_in_memory(log().await, source, settings()).await.expect_err("as above");
    let error = error_chain(&error);
    assert!(error.contains("damaged at position 2: the record is missing"), "{error}");
}
