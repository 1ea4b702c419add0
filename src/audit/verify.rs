//! Whether the history is what was recorded: every hash, from the first record on.

use crate::event_log::{Defect, EventLog, Head, Position, ReadError, ReadLimit, Record};

use super::codec;

/// How much of the log is read at a time.
const PAGE: ReadLimit = ReadLimit { records: 1024, bytes: 4 * 1024 * 1024 };

/// What the check found.
#[derive(Debug, PartialEq, Eq)]
pub struct Verified {
    /// How many events are right.
    pub events: u64,
    /// The last of them.
    pub head: Head,
    /// What is wrong, and where, if anything is.
    pub problem: Option<Problem>,
}

/// The first thing that is wrong.
#[derive(Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where.
    pub position: Position,
    /// What.
    pub description: String,
}

/// Recomputes the chain of `log` up to `end`, and compares it with what was noted
/// before. `progress` is told of each position that was reached.
///
/// # Errors
/// The log cannot be read. That it is damaged is an answer, not an error.
pub async fn verify(
    log: &dyn EventLog,
    end: Position,
    noted: &[Head],
    progress: &(dyn Fn(Position) + Sync),
) -> Result<Verified, ReadError> {
    let mut verified = Verified { events: 0, head: Head::default(), problem: None };
    let contradicts =
        |noted: &&Head| noted.position == Position::START && noted.hash != Head::default().hash;
    if noted.iter().any(|noted| contradicts(&noted)) {
        let description = "an empty log has a hash of zeros, and another was noted".to_owned();
        verified.problem = Some(Problem { position: Position::START, description });
        return Ok(verified);
    }
    let mut partial = false;
    while verified.head.position < end {
        let records = match log.read(verified.head.position, PAGE).await {
            Ok(records) => records,
            Err(ReadError::Damaged { position, defect }) => {
                verified.problem = Some(Problem { position, description: defect.to_string() });
                return Ok(verified);
            }
            Err(error @ ReadError::Unavailable(_)) => return Err(error),
        };
        for record in records {
            if let Some(description) = wrong(&record, verified.head, noted) {
                verified.problem = Some(Problem { position: record.position, description });
                return Ok(verified);
            }
            partial = !record.ends_batch();
            verified.head = record.head();
            verified.events += 1;
        }
        progress(verified.head.position);
    }
    if partial {
        let (position, defect) = (verified.head.position.next(), Defect::PartialBatch);
        verified.problem = Some(Problem { position, description: defect.to_string() });
    } else if noted.iter().any(|noted| noted.position > verified.head.position) {
        let position = verified.head.position.next();
        let description = format!("the log ends at position {end}, before what was noted");
        verified.problem = Some(Problem { position, description });
    }
    Ok(verified)
}

/// What is wrong with a record that is right in itself.
fn wrong(record: &Record, head: Head, noted: &[Head]) -> Option<String> {
    if let Err(defect) = record.follows(head) {
        return Some(defect.to_string());
    }
    if let Err(error) = codec::decode(record) {
        return Some(error.source.to_string());
    }
    let here = |noted: &&Head| noted.position == record.position && noted.hash != record.hash;
    let noted = noted.iter().find(here)?.hash;
    Some(format!("the event has hash {}, but {noted} was noted", record.hash))
}
