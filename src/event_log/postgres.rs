//! The log in PostgreSQL: a row for each record, only ever inserted.
//!
//! Every server appends. The lock of the row of the log orders them, because it is a fair
//! queue; what keeps the log whole is the comparison of each append with the head that it
//! expects, and the primary key. Nothing that a [session] shows is used before
//! its first durable head.
//!
//! An append whose outcome is unknown is never canceled: the database would acknowledge it
//! although no standby has it. Its session is left, and so are all others, because they may be
//! those of a former primary.

mod checkpoints;
mod connection;
mod durability;
mod engine;
mod error;
mod follower;
mod read;
mod replicas;
mod seen;
mod session;
mod settings;
mod settings_error;
mod setup;
mod slot;
mod sql;
mod tls;

use std::{fmt, path::Path, sync::Arc};

use async_trait::async_trait;
use bytes::Bytes;
use tokio::{sync::watch, task::AbortHandle, time::Instant};

use crate::telemetry::metrics::LogMetrics;

use self::engine::Engine;
pub use self::{
    checkpoints::{PostgresCheckpoints, StoredCheckpoint},
    durability::DurabilityProblems,
    error::PostgresError,
    replicas::{Replica, replicas, upgrade_log},
    session::LogRow,
    settings::{Durability, LogName, LogNameError, LogUrl, PostgresSettings},
    settings_error::PostgresSettingsError,
    setup::{PostgresImport, create_log},
    tls::DatabaseTls,
};
use super::{AppendError, EventLog, Fork, Head, Position, ReadError, ReadLimit, Record, Turn};

/// A log in PostgreSQL.
pub struct PostgresLog {
    engine: Arc<Engine>,
    follower: AbortHandle,
    row: LogRow,
}

impl fmt::Debug for PostgresLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresLog")
            .field("settings", &self.engine.settings)
            .finish_non_exhaustive()
    }
}

impl PostgresLog {
    /// Connects to the log, and follows it. The newest timeline that was seen of the database is in
    /// `directory`, where it is also recorded, so that a former primary is noticed.
    ///
    /// # Errors
    /// See [`PostgresError`].
    pub async fn open(
        settings: PostgresSettings,
        directory: Option<&Path>,
        metrics: LogMetrics,
    ) -> Result<Self, PostgresError> {
        let engine = Arc::new(Engine::new(settings, directory, metrics)?);
        let session = engine.session(&engine.listener).await?;
        let row = session.row.clone();
        let follower = tokio::spawn(follower::follow(Arc::downgrade(&engine)));
        Ok(Self { engine, follower: follower.abort_handle(), row })
    }

    /// What the log is.
    #[must_use]
    pub const fn row(&self) -> &LogRow {
        &self.row
    }

    /// The checkpoints of the log.
    #[must_use]
    pub fn checkpoints(&self) -> PostgresCheckpoints {
        PostgresCheckpoints::new(Arc::clone(&self.engine))
    }
}

impl Drop for PostgresLog {
    fn drop(&mut self) {
        self.follower.abort();
    }
}

#[async_trait]
impl EventLog for PostgresLog {
    fn engine(&self) -> &'static str {
        "postgres"
    }

    fn head(&self) -> watch::Receiver<Head> {
        self.engine.seen.head()
    }

    async fn latest(&self) -> Result<Head, ReadError> {
        Ok(self.engine.latest().await?)
    }

    async fn turn(&self) -> Result<Turn, AppendError> {
        Ok(self.engine.turn().await?)
    }

    async fn end_turn(&self) {
        self.engine.end_turn().await;
    }

    async fn append(&self, expected: Head, bodies: Vec<Bytes>) -> Result<Vec<Record>, AppendError> {
        self.engine.append(expected, bodies).await
    }

    fn can_append_again(&self) -> bool {
        true
    }

    async fn durable_head(&self) -> Result<Head, ReadError> {
        Ok(self.engine.durable_head().await?)
    }

    async fn durable_record(&self, after: Position) -> Result<Option<Record>, ReadError> {
        self.engine.durable_record(after).await
    }

    async fn forked(&self) -> Fork {
        self.engine.seen.forked().await
    }

    fn set_applied(&self, position: Position) {
        self.engine.set_applied(position);
    }

    fn last_contact(&self) -> Option<Instant> {
        Some(self.engine.seen.last_contact())
    }

    async fn read(&self, after: Position, limit: ReadLimit) -> Result<Vec<Record>, ReadError> {
        self.engine.read(after, limit).await
    }

    async fn read_at(
        &self,
        positions: Vec<Position>,
        limit: ReadLimit,
    ) -> Result<Vec<Record>, ReadError> {
        self.engine.read_at(&positions, limit).await
    }
}
