//! The checkpoints of a log, which its servers share. Each is stored as a line of JSON, which is
//! not verified here.

use std::{fmt, sync::Arc};

use tokio_postgres::{Row, error::SqlState, types::ToSql};

use crate::event_log::Position;

use super::{
    engine::Engine,
    error::{PostgresError, said},
    sql,
};

/// The most checkpoints in a page.
const MAX_PAGE_SIZE: i64 = 100;
/// The most of the newest checkpoints that are read. More than one, because some may be invalid.
const MAX_NEWEST: i64 = 10;

/// The checkpoints of a log in a database.
#[derive(Clone)]
pub struct PostgresCheckpoints {
    engine: Arc<Engine>,
}

/// A checkpoint in the database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredCheckpoint {
    /// The line.
    pub text: String,
    position: i64,
    cosignatures: i32,
    digest: Vec<u8>,
}

impl fmt::Debug for PostgresCheckpoints {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresCheckpoints").finish_non_exhaustive()
    }
}

impl PostgresCheckpoints {
    pub(super) const fn new(engine: Arc<Engine>) -> Self {
        Self { engine }
    }

    /// Adds a checkpoint of the log up to `position` with `cosignatures` cosignatures. Does nothing if
    /// it is there.
    ///
    /// # Errors
    /// See [`PostgresError`]; if the database does not answer, it may have been added.
    pub async fn add(
        &self,
        position: Position,
        cosignatures: usize,
        text: &str,
    ) -> Result<(), PostgresError> {
        let (log, position) = (self.engine.settings.name.as_str(), position.to_int());
        let cosignatures = i32::try_from(cosignatures).unwrap_or(i32::MAX);
        let params: [&(dyn ToSql + Sync); 4] = [&log, &position, &cosignatures, &text];
        self.execute(sql::ADD_CHECKPOINT, &params).await.map(drop)
    }

    /// At most 10 checkpoints with at least `cosignatures` cosignatures, the newest first.
    ///
    /// # Errors
    /// See [`PostgresError`].
    pub async fn newest(&self, cosignatures: i32) -> Result<Vec<String>, PostgresError> {
        let log = self.engine.settings.name.as_str();
        let params: [&(dyn ToSql + Sync); 3] = [&log, &cosignatures, &MAX_NEWEST];
        let rows = self.execute(sql::NEWEST_CHECKPOINTS, &params).await?;
        let texts: Result<_, _> = rows.iter().map(|row| row.try_get(0)).collect();
        texts.map_err(|source| self.failed(source))
    }

    /// At most 100 checkpoints after `after`, or from the first one if it is `None`, the oldest first.
    ///
    /// # Errors
    /// See [`PostgresError`].
    pub async fn page(
        &self,
        after: Option<&StoredCheckpoint>,
    ) -> Result<Vec<StoredCheckpoint>, PostgresError> {
        let log = self.engine.settings.name.as_str();
        let (position, cosignatures, digest) = after.map_or((-1, 0, [].as_slice()), |last| {
            (last.position, last.cosignatures, &last.digest)
        });
        let params: [&(dyn ToSql + Sync); 5] =
            [&log, &position, &cosignatures, &digest, &MAX_PAGE_SIZE];
        let rows = self.execute(sql::CHECKPOINTS, &params).await?;
        let page: Result<_, _> = rows.iter().map(StoredCheckpoint::of).collect();
        page.map_err(|source| self.failed(source))
    }

    async fn execute(
        &self,
        statement: &str,
        params: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>, PostgresError> {
        let session = self.engine.session(&self.engine.reader).await?;
        let rows = session.answer(session.client.query(statement, params)).await;
        if let Err(PostgresError::Database { place, source }) = &rows
            && [Some(&SqlState::UNDEFINED_TABLE), Some(&SqlState::INSUFFICIENT_PRIVILEGE)]
                .contains(&said(source))
        {
            // The session can be used for everything else.
            return Err(PostgresError::CheckpointTable(place.clone()));
        }
        self.engine.kept(&self.engine.reader, &session, rows).await
    }

    fn failed(&self, source: tokio_postgres::Error) -> PostgresError {
        PostgresError::Database { place: self.engine.settings.place(), source }
    }
}

impl StoredCheckpoint {
    fn of(row: &Row) -> Result<Self, tokio_postgres::Error> {
        Ok(Self {
            position: row.try_get(0)?,
            cosignatures: row.try_get(1)?,
            digest: row.try_get(2)?,
            text: row.try_get(3)?,
        })
    }
}
