//! The checkpoints of a log, which its servers share. Here, each is a text.

use std::{fmt, sync::Arc};

use tokio_postgres::{Row, types::ToSql};

use crate::event_log::Position;

use super::{engine::Engine, error::PostgresError, sql};

/// The most checkpoints that are read at once.
const PAGE: i64 = 100;

/// The checkpoints of a log in a database, in the order in which they were added.
#[derive(Clone)]
pub struct PostgresCheckpoints {
    engine: Arc<Engine>,
}

/// A checkpoint in the database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredCheckpoint {
    /// A checkpoint that was added later has a larger one.
    pub id: i64,
    /// The checkpoint.
    pub text: String,
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

    /// Adds a checkpoint of the log up to `position`.
    ///
    /// # Errors
    /// See [`PostgresError`]; if the database does not answer, it may have been added.
    pub async fn add(&self, position: Position, text: &str) -> Result<(), PostgresError> {
        let (log, position) = (self.engine.settings.name.as_str(), position.to_int());
        let params: [&(dyn ToSql + Sync); 3] = [&log, &position, &text];
        let session = self.engine.session(&self.engine.reader).await?;
        let added = session.answer(session.client.execute(sql::ADD_CHECKPOINT, &params)).await;
        self.engine.kept(&self.engine.reader, &session, added).await.map(drop)
    }

    /// The newest checkpoints, at most 100, the newest first. Those that follow them are found
    /// with the ID of the last one.
    ///
    /// # Errors
    /// See [`PostgresError`].
    pub async fn newest(
        &self,
        before: Option<i64>,
    ) -> Result<Vec<StoredCheckpoint>, PostgresError> {
        let (log, before) = (self.engine.settings.name.as_str(), before.unwrap_or(i64::MAX));
        let params: [&(dyn ToSql + Sync); 3] = [&log, &before, &PAGE];
        let session = self.engine.session(&self.engine.reader).await?;
        let read = async {
            let rows = session.client.query(sql::CHECKPOINTS, &params).await?;
            rows.iter().map(StoredCheckpoint::of).collect::<Result<_, _>>()
        };
        let read = session.answer(read).await;
        self.engine.kept(&self.engine.reader, &session, read).await
    }
}

impl StoredCheckpoint {
    fn of(row: &Row) -> Result<Self, tokio_postgres::Error> {
        Ok(Self { id: row.try_get(0)?, text: row.try_get(1)? })
    }
}
