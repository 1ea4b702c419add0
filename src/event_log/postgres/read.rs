//! Reads records, and checks them.

use std::sync::Arc;

use bytes::Bytes;
use tokio::time::Instant;
use tokio_postgres::types::ToSql;

use crate::event_log::{Defect, Position, ReadError, ReadLimit, Record};

use super::{engine::Engine, error::PostgresError, session::Session};

/// How many records are read at once by their positions.
const POSITIONS_PAGE: usize = 64;

impl Engine {
    pub(super) async fn read(
        &self,
        after: Position,
        limit: ReadLimit,
    ) -> Result<Vec<Record>, ReadError> {
        let end = self.end();
        let session = self.session(&self.reader).await?;
        let rows = session.answer(session.ask_records(after, limit)).await;
        let rows = self.kept(&self.reader, &session, rows).await?;
        if rows.is_empty() && after < end {
            // The session may be that of a former primary.
            return Err(self.missing(&session, after.next()).await);
        }
        parse(after, rows)
    }

    pub(super) async fn durable_record(
        &self,
        after: Position,
    ) -> Result<Option<Record>, ReadError> {
        let session = self.session(&self.durable).await?;
        let (limit, begun) = (ReadLimit { records: 1, bytes: 0 }, Instant::now());
        let rows = session.durable(session.ask_records(after, limit)).await;
        self.metrics.record_durable_read(begun.elapsed());
        let rows = self.kept(&self.durable, &session, rows).await?;
        Ok(parse(after, rows)?.into_iter().next())
    }

    pub(super) async fn read_at(
        &self,
        positions: &[Position],
        limit: ReadLimit,
    ) -> Result<Vec<Record>, ReadError> {
        let mut records: Vec<Record> = Vec::new();
        let mut left = limit;
        for page in positions.chunks(POSITIONS_PAGE) {
            for (position, stored) in self.read_page(page).await? {
                let missing = ReadError::Damaged { position, defect: Defect::Missing };
                let stored = stored.ok_or(missing)?;
                if !left.admits(records.len(), stored.len()) {
                    return Ok(records);
                }
                let record = Record::parse_at(position, stored, None);
                records.push(record.map_err(|defect| ReadError::Damaged { position, defect })?);
            }
        }
        Ok(records)
    }

    async fn read_page(
        &self,
        positions: &[Position],
    ) -> Result<Vec<(Position, Option<Bytes>)>, PostgresError> {
        let session = self.session(&self.reader).await?;
        let positions: Vec<i64> = positions.iter().map(|position| position.to_int()).collect();
        let params: [&(dyn ToSql + Sync); 2] = [session.log(), &positions];
        let rows = session.answer(async {
            let rows = session.client.query(&session.read_at, &params).await?;
            let row = |row: &tokio_postgres::Row| {
                let found: Option<&[u8]> = row.try_get(1)?;
                Ok((Position::from_int(row.try_get(0)?), found.map(stored)))
            };
            rows.iter().map(row).collect()
        });
        self.kept(&self.reader, &session, rows.await).await
    }

    /// A record is not there, although a later one was. Only a new session can tell whether it
    /// is lost.
    async fn missing(&self, session: &Arc<Session>, position: Position) -> ReadError {
        self.reader.leave(session).await;
        if let Err(error) = self.session(&self.reader).await {
            return error.into();
        }
        // A fork is ruled out, so the former session was late.
        tracing::debug!(%position, "a record is not there yet");
        ReadError::Unavailable(session.stale().into())
    }
}

impl Session {
    /// The positions and the stored bytes of the records after a position.
    async fn ask_records(
        &self,
        after: Position,
        limit: ReadLimit,
    ) -> Result<Vec<(i64, Bytes)>, tokio_postgres::Error> {
        let (position, records, bytes) =
            (after.to_int(), to_int(limit.records.max(1)), to_int(limit.bytes));
        let params: [&(dyn ToSql + Sync); 4] = [self.log(), &position, &records, &bytes];
        let rows = self.client.query(&self.read, &params).await?;
        rows.iter().map(|row| Ok((row.try_get(0)?, stored(row.try_get(1)?)))).collect()
    }
}

/// The records after a position, which must be there without a gap.
fn parse(after: Position, rows: Vec<(i64, Bytes)>) -> Result<Vec<Record>, ReadError> {
    let mut records: Vec<Record> = Vec::with_capacity(rows.len());
    let mut next = after.next();
    for (position, stored) in rows {
        if Position::from_int(position) != next {
            return Err(ReadError::Damaged { position: next, defect: Defect::Missing });
        }
        let previous = records.last().map(|record| record.hash);
        let record = Record::parse_at(next, stored, previous);
        records.push(record.map_err(|defect| ReadError::Damaged { position: next, defect })?);
        next = next.next();
    }
    Ok(records)
}

fn stored(bytes: &[u8]) -> Bytes {
    Bytes::copy_from_slice(bytes)
}

fn to_int(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}
