//! The servers of a log, as each describes itself in the database from time to time, and the form
//! of records that all of them must be able to read.

use std::time::Duration;

use tokio_postgres::{Row, types::ToSql};

use crate::event_log::{Head, Position};

use super::{
    connection::Raw,
    error::{PostgresError, said_undefined},
    session::{Session, head_of},
    settings::PostgresSettings,
    sql,
};

/// How often a server describes itself.
pub(super) const REPORT_INTERVAL: Duration = Duration::from_secs(5);
/// A server that has not described itself for so long does not run.
const MAX_AGE: Duration = Duration::from_mins(1);

/// A server of a log, as it last described itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replica {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The newest form of records that it can read.
    pub reader: i32,
    /// How far it has applied the log.
    pub position: Position,
    /// How long ago that was.
    pub age: Duration,
}

impl Replica {
    /// Whether it runs, as far as can be seen.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.age <= MAX_AGE
    }

    fn of(row: &Row) -> Result<Self, tokio_postgres::Error> {
        let seconds: f64 = row.try_get(4)?;
        Ok(Self {
            name: row.try_get(0)?,
            version: row.try_get(1)?,
            reader: row.try_get(2)?,
            position: Position::from_int(row.try_get(3)?),
            age: Duration::try_from_secs_f64(seconds).unwrap_or_default(),
        })
    }
}

impl Session {
    /// Describes this server to the others. Nothing depends on it, so it waits for no standby.
    pub(super) async fn report(&self, name: &str, position: Position) -> Result<(), PostgresError> {
        let position = position.to_int();
        let params: [&(dyn ToSql + Sync); 5] =
            [self.log(), &name, &env!("CARGO_PKG_VERSION"), &sql::READER, &position];
        self.answer(self.client.execute(sql::REPORT, &params)).await.map(drop)
    }
}

/// The servers of a log by their names, and the end of the log.
///
/// # Errors
/// See [`PostgresError`].
pub async fn replicas(settings: &PostgresSettings) -> Result<(Head, Vec<Replica>), PostgresError> {
    let log = OpenLog::open(settings).await?;
    let head = log.raw.client.query_opt(sql::HEAD, &[&log.name]).await;
    let head = head.and_then(head_of).map_err(|error| log.failed(error))?;
    Ok((head, log.replicas().await?))
}

/// Has the servers of a log write the newest form of records that this version knows. Returns that
/// form, and the one before.
///
/// # Errors
/// See [`PostgresError`]. If a server that runs cannot read that form, nothing is changed.
pub async fn upgrade_log(settings: &PostgresSettings) -> Result<(i32, i32), PostgresError> {
    let log = OpenLog::open(settings).await?;
    let running = log.replicas().await?.into_iter().filter(Replica::is_running);
    let behind = running.filter(|replica| replica.reader < sql::READER);
    let behind: Vec<_> =
        behind.map(|replica| format!("{} ({})", replica.name, replica.version)).collect();
    if !behind.is_empty() {
        let place = settings.place();
        return Err(PostgresError::OldReplicas { place, names: behind.join(", ") });
    }
    let raised = log.raw.client.execute(sql::UPGRADE, &[&log.name, &sql::READER]).await;
    raised.map_err(|error| log.failed(error))?;
    Ok((sql::READER, log.min_reader))
}

/// A log that somebody looks at who is none of its servers.
struct OpenLog<'a> {
    settings: &'a PostgresSettings,
    name: String,
    raw: Raw,
    min_reader: i32,
}

impl<'a> OpenLog<'a> {
    async fn open(settings: &'a PostgresSettings) -> Result<Self, PostgresError> {
        let raw = Raw::connect(settings).await?;
        let name = settings.name.to_string();
        let failed = |source| PostgresError::Database { place: settings.place(), source };
        let row = match raw.client.query_opt(sql::LOG, &[&name]).await {
            Ok(Some(row)) => row,
            Ok(None) => return Err(PostgresError::Missing(settings.place())),
            Err(error) if said_undefined(&error) => {
                return Err(PostgresError::Missing(settings.place()));
            }
            Err(error) => return Err(failed(error)),
        };
        let min_reader = row.try_get(2).map_err(failed)?;
        if min_reader > sql::READER {
            return Err(PostgresError::Newer(settings.place()));
        }
        Ok(Self { settings, name, raw, min_reader })
    }

    async fn replicas(&self) -> Result<Vec<Replica>, PostgresError> {
        let rows = self.raw.client.query(sql::REPLICAS, &[&self.name]).await;
        let replicas = rows.and_then(|rows| rows.iter().map(Replica::of).collect());
        replicas.map_err(|error| self.failed(error))
    }

    fn failed(&self, source: tokio_postgres::Error) -> PostgresError {
        PostgresError::Database { place: self.settings.place(), source }
    }
}
