//! The end of a log that is opened: whether it is what was acknowledged.

use sled::{Db, IVec};

use crate::event_log::{Batch, Defect, Head, Position, ReadError, Record};

use super::{caught, parse_entry, pieces, position_of, unavailable};

/// How many records at the end are checked.
const TAIL: usize = 1024;

/// Checks the last records and returns where the log ends.
///
/// A batch of which only the beginning is there was never acknowledged, so it
/// never happened: it is taken out. Where it *was* acknowledged, the log is
/// damaged, and left as it is.
pub(super) fn check(db: &Db, acknowledged: Head) -> Result<Head, ReadError> {
    let mut tail: Vec<(IVec, IVec)> = Vec::new();
    let (mut entries, mut begun) = (db.iter().rev(), 0);
    while begun < TAIL {
        let position = match tail.last() {
            Some((later, _)) => Position(position_of(later)?.0.saturating_sub(1)),
            None => acknowledged.position,
        };
        let Some(entry) = caught(position, || entries.next().transpose())? else { break };
        begun += usize::from(pieces::begins_record(&entry.0));
        tail.push(entry);
    }
    tail.reverse();
    let mut previous: Option<Record> = None;
    for entry in pieces::join(tail.into_iter().map(Ok)) {
        let (found, stored) = entry.map_err(unavailable)?;
        let expected = match &previous {
            Some(record) => record.position.next(),
            None => position_of(&found)?,
        };
        let chained = previous.as_ref().map(|record| record.hash);
        let record = parse_entry(expected, &found, stored, chained)?;
        if record.position == acknowledged.position && record.hash != acknowledged.hash {
            let (position, defect) = (record.position, Defect::BrokenChain);
            return Err(ReadError::Damaged { position, defect });
        }
        previous = Some(record);
    }
    let Some(last) = previous else { return Ok(Head::default()) };
    if last.ends_batch() {
        return Ok(last.head());
    }
    let Batch { index, .. } = last.batch;
    let whole = Position(last.position.0.saturating_sub(u64::from(index)).saturating_sub(1));
    if acknowledged.position > whole {
        let (position, defect) = (last.position.next(), Defect::PartialBatch);
        return Err(ReadError::Damaged { position, defect });
    }
    take_out(db, whole)?;
    check(db, acknowledged)
}

/// Removes the beginning of a batch that was never acknowledged: the records
/// after `whole`.
fn take_out(db: &Db, whole: Position) -> Result<(), ReadError> {
    let mut batch = sled::Batch::default();
    for key in db.range(pieces::key(whole.next())..).keys() {
        batch.remove(key.map_err(unavailable)?);
    }
    db.apply_batch(batch).map_err(unavailable)?;
    db.flush().map_err(unavailable)?;
    tracing::warn!(after = %whole, "an unfinished batch, never acknowledged, was taken out");
    Ok(())
}
