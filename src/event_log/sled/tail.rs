//! The check of the last records when a log is opened.

use sled::Db;

use crate::event_log::{BatchPlace, Defect, Head, Position, ReadError, Record};

use super::{
    entries::{self, EntryError, key},
    errors::{parse, unavailable},
    packs::BadPack,
};

/// How many of the last records are checked.
const TAIL_RECORDS: u64 = 1024;

/// Checks the last records and returns the head.
///
/// Removes an incomplete batch at the end, which was never acknowledged. If it was
/// acknowledged, the log is damaged, and nothing is removed.
pub(super) fn check(db: &Db, acknowledged: Head) -> Result<Head, ReadError> {
    let last = match entries::containing(db, Position(u64::MAX - 1)) {
        Ok(Some(last)) => last.last(),
        Ok(None) => return Ok(Head::default()),
        // The last pieces of a commit that was never acknowledged.
        Err(EntryError::Pack { first, reason: BadPack::Incomplete })
            if first > acknowledged.position =>
        {
            truncate_after(db, Position(first.0.saturating_sub(1)))?;
            return check(db, acknowledged);
        }
        Err(error) => return Err(error.at(acknowledged.position)),
    };
    let first = Position(last.0.saturating_sub(TAIL_RECORDS).saturating_add(1).max(1));
    let mut previous: Option<Record> = None;
    for stored in entries::records(db, first, last) {
        let (position, stored) = stored?;
        let previous_hash = previous.as_ref().map(|record| record.hash);
        let record = parse(position, stored, previous_hash)?;
        if position == acknowledged.position && record.hash != acknowledged.hash {
            return Err(ReadError::Damaged { position, defect: Defect::BrokenChain });
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
    let (mut first, mut kept) = (end.next(), Vec::new());
    // A pack may have other batches before it.
    let entry = entries::containing(db, end).map_err(|error| error.at(end))?;
    if let Some(entry) = entry.filter(|entry| entry.last() > end) {
        first = entry.first;
        for stored in (first.0..=end.0).zip(entry.records) {
            kept.push(parse(Position(stored.0), stored.1, None)?);
        }
    }
    let mut batch = sled::Batch::default();
    for key in db.range(key(first)..).keys() {
        batch.remove(key.map_err(unavailable)?);
    }
    for (key, value) in entries::of(&kept) {
        batch.insert(key, value);
    }
    db.apply_batch(batch).map_err(unavailable)?;
    db.flush().map_err(unavailable)?;
    tracing::warn!(after = %end, "removed an incomplete batch, which was never acknowledged");
    Ok(())
}
