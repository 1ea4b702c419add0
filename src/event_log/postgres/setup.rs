//! Creates a log, and imports the records of another one. Both run with the role that owns the
//! tables, which is not the role of the server.

use std::fmt;

use tokio_postgres::{Row, types::ToSql};

use crate::event_log::{Defect, Head, Record};

use super::{
    connection::Raw,
    error::PostgresError,
    session::{LogRow, head_of},
    settings::PostgresSettings,
    sql,
};

/// Creates a log with the region of its user pools and the public key of its checkpoints, and
/// the tables if they are missing. Returns the statements that let a role serve it, and whether
/// the log is new.
///
/// # Errors
/// See [`PostgresError`]; a log of another region or key is not changed.
pub async fn create_log(
    settings: &PostgresSettings,
    region: &str,
    checkpoint_key: &[u8],
    role: &str,
) -> Result<(String, bool), PostgresError> {
    let raw = connect(settings).await?;
    let is_new = insert_log(&raw, settings, region, checkpoint_key).await?;
    if !is_new {
        let found = find_log(&raw, settings).await?.unwrap_or_default();
        let problem = if found.region != region {
            format!("with region {}: set --region {}", found.region, found.region)
        } else if found.checkpoint_key != checkpoint_key {
            "with another key: name the file of its key with --signing-key".to_owned()
        } else {
            return Ok((sql::grants(role), is_new));
        };
        return Err(PostgresError::Different { place: settings.place(), problem });
    }
    Ok((sql::grants(role), is_new))
}

/// Connects, and creates the tables.
async fn connect(settings: &PostgresSettings) -> Result<Raw, PostgresError> {
    let raw = Raw::connect(settings).await?;
    let created = raw.client.batch_execute(sql::CREATE_TABLES).await;
    created.map_err(failed(settings))?;
    Ok(raw)
}

async fn insert_log(
    raw: &Raw,
    settings: &PostgresSettings,
    region: &str,
    checkpoint_key: &[u8],
) -> Result<bool, PostgresError> {
    let name = settings.name.as_str();
    let params: [&(dyn ToSql + Sync); 5] =
        [&name, &region, &sql::FORMAT, &sql::READER, &checkpoint_key];
    let inserted = raw.client.execute(sql::CREATE_LOG, &params).await;
    Ok(inserted.map_err(failed(settings))? == 1)
}

/// What a log is, if it exists.
async fn find_log(raw: &Raw, settings: &PostgresSettings) -> Result<Option<LogRow>, PostgresError> {
    let row = raw.client.query_opt(sql::LOG, &[&settings.name.as_str()]).await;
    let read = |row: Option<Row>| row.as_ref().map(LogRow::of).transpose();
    row.and_then(read).map_err(failed(settings))
}

fn failed(settings: &PostgresSettings) -> impl FnOnce(tokio_postgres::Error) -> PostgresError {
    let place = settings.place();
    move |source| PostgresError::Database { place, source }
}

/// An import of records into a log that does not exist yet. It exists, and a server can use it,
/// only when all of them are there. An import that was interrupted goes on where it ended.
pub struct PostgresImport {
    raw: Raw,
    settings: PostgresSettings,
    /// The last record that is already there.
    there: Head,
    head: Head,
}

impl fmt::Debug for PostgresImport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresImport").field("head", &self.head).finish_non_exhaustive()
    }
}

impl PostgresImport {
    /// Creates the tables.
    ///
    /// # Errors
    /// [`PostgresError::Exists`] if there is such a log.
    pub async fn begin(settings: PostgresSettings) -> Result<Self, PostgresError> {
        let raw = connect(&settings).await?;
        if find_log(&raw, &settings).await?.is_some() {
            return Err(PostgresError::Exists(settings.place()));
        }
        let head = raw.client.query_opt(sql::HEAD, &[&settings.name.as_str()]).await;
        let there = head.and_then(head_of).map_err(failed(&settings))?;
        Ok(Self { raw, settings, there, head: Head::default() })
    }

    /// How many records an earlier import has left.
    #[must_use]
    pub const fn resumed(&self) -> u64 {
        self.there.position.0
    }

    /// Imports the next records, which the caller has verified.
    ///
    /// # Errors
    /// See [`PostgresError`]; the records before them stay, and the import can go on.
    pub async fn push(&mut self, records: &[Record]) -> Result<(), PostgresError> {
        for record in records {
            let position = self.head.position.next();
            let defect = record.check_follows(self.head).err();
            // An earlier import has left another log.
            let is_other = record.position == self.there.position && record.hash != self.there.hash;
            let defect = defect.or(is_other.then_some(Defect::BrokenChain));
            if let Some(source) = defect {
                let place = self.settings.place();
                return Err(PostgresError::Import { place, position, source });
            }
            self.head = record.head();
        }
        let new = records.iter().filter(|record| record.position > self.there.position);
        let new: Vec<_> = new.collect();
        let Some(first) = new.first() else { return Ok(()) };
        let (name, before) = (self.settings.name.as_str(), first.position.to_int() - 1);
        let hash = first.previous_hash.0.as_slice();
        let stored: Vec<&[u8]> = new.iter().map(|record| record.stored.as_ref()).collect();
        let params: [&(dyn ToSql + Sync); 4] = [&name, &before, &hash, &stored];
        let inserted = self.raw.client.execute(sql::APPEND, &params).await;
        let inserted = inserted.map_err(failed(&self.settings))?;
        if inserted == 0 {
            let (place, position) = (self.settings.place(), first.position);
            let source = Defect::BrokenChain;
            return Err(PostgresError::Import { place, position, source });
        }
        Ok(())
    }

    /// Makes the records a log that servers can use.
    ///
    /// # Errors
    /// See [`PostgresError`].
    pub async fn finish(self, region: &str, checkpoint_key: &[u8]) -> Result<(), PostgresError> {
        let place = || self.settings.place();
        if self.there.position > self.head.position {
            let problem = format!(
                "an earlier import left {} records: import the same files, or choose another \
                 --log-name",
                self.there.position
            );
            return Err(PostgresError::Different { place: place(), problem });
        }
        if insert_log(&self.raw, &self.settings, region, checkpoint_key).await? {
            Ok(())
        } else {
            Err(PostgresError::Exists(place()))
        }
    }
}
