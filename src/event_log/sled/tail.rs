//! The check of the last records when a log is opened.

use sled::{Db, IVec};

use crate::event_log::{BatchPlace, Defect, Head, Position, ReadError, Record};

use super::{catch, chunks, parse_entry, position_of, unavailable};

/// How many of the last records are checked.
const TAIL_RECORDS: usize = 1024;

/// Checks the last records and returns the head.
///
/// Removes an incomplete batch at the end, which was never acknowledged. If it was
/// acknowledged, the log is damaged, and nothing is removed.
pub(super) fn check(db: &Db, acknowledged: Head) -> Result<Head, ReadError> {
    let mut tail: Vec<(IVec, IVec)> = Vec::new();
    let (mut entries, mut records) = (db.iter().rev(), 0);
    while records < TAIL_RECORDS {
        let position = match tail.last() {
            Some((later, _)) => Position(position_of(later)?.0.saturating_sub(1)),
            None => acknowledged.position,
        };
        let Some(entry) = catch(position, || entries.next().transpose())? else { break };
        records += usize::from(chunks::is_first_chunk(&entry.0));
        tail.push(entry);
    }
    tail.reverse();
    let mut previous: Option<Record> = None;
    for entry in chunks::join(tail.into_iter().map(Ok)) {
        let (key, stored) = entry.map_err(unavailable)?;
        let expected = match &previous {
            Some(record) => record.position.next(),
            None => position_of(&key)?,
        };
        let previous_hash = previous.as_ref().map(|record| record.hash);
        let record = parse_entry(expected, &key, stored, previous_hash)?;
        if record.position == acknowledged.position && record.hash != acknowledged.hash {
            let (position, defect) = (record.position, Defect::BrokenChain);
            return Err(ReadError::Damaged { position, defect });
        }
        previous = Some(record);
    }
    let Some(last) = previous else { return Ok(Head::default()) };
    if last.is_last_in_batch() {
        return Ok(last.head());
    }
    let BatchPlace { index, .. } = last.batch;
    let end = Position(last.position.0.saturating_sub(u64::from(index)).saturating_sub(1));
    if acknowledged.position > end {
        let (position, defect) = (last.position.next(), Defect::PartialBatch);
        return Err(ReadError::Damaged { position, defect });
    }
    truncate_after(db, end)?;
    check(db, acknowledged)
}

/// Removes the records after `end`, which were never acknowledged.
fn truncate_after(db: &Db, end: Position) -> Result<(), ReadError> {
    let mut batch = sled::Batch::default();
    for key in db.range(chunks::key(end.next())..).keys() {
        batch.remove(key.map_err(unavailable)?);
    }
    db.apply_batch(batch).map_err(unavailable)?;
    db.flush().map_err(unavailable)?;
    tracing::warn!(after = %end, "removed an incomplete batch, which was never acknowledged");
    Ok(())
}
