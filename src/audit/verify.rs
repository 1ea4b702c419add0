//! Verifying a log of this process from its first record to its end.

use crate::event_log::{EventLog, Hash, Head, Position, ReadError};

use super::{
    merkle::Edge, mismatch::Mismatch, reader::LogReader, trusted::LogCheckpoint, verifier::Verifier,
};

/// The result of verifying a log.
#[derive(Debug)]
pub struct Verification {
    /// The last record that is valid.
    pub head: Head,
    /// The root of the Merkle tree of all records up to that one.
    pub root: Hash,
    /// The first mismatch, if there is any.
    pub mismatch: Option<Mismatch>,
}

/// Verifies `log` up to `end`, and compares it with the `trusted` checkpoints. Calls `progress`
/// with each position that is valid.
///
/// # Errors
/// The log cannot be read. Damage is a result, not an error.
pub async fn verify(
    log: &dyn EventLog,
    end: Position,
    trusted: &[LogCheckpoint],
    progress: &(dyn Fn(Position) + Sync),
) -> Result<Verification, ReadError> {
    let mut verifier = match Verifier::new(trusted.iter().copied()) {
        Ok(verifier) => verifier,
        Err(mismatch) => {
            let (head, root) = (Head::default(), Edge::default().root());
            return Ok(Verification { head, root, mismatch: Some(mismatch) });
        }
    };
    let mut reader = LogReader::new(log, end);
    let result = loop {
        let pushed = match reader.next().await {
            Ok(Some(record)) => verifier.push(&record).map(drop),
            Ok(None) => break verifier.finish(),
            Err(ReadError::Damaged { position, defect }) => {
                Err(Mismatch { position, cause: defect.into() })
            }
            Err(error @ (ReadError::Unavailable(_) | ReadError::Forked(_))) => return Err(error),
        };
        if pushed.is_err() {
            break pushed;
        }
        progress(verifier.head().position);
    };
    let (head, root) = (verifier.head(), verifier.root().unwrap_or_default());
    Ok(Verification { head, root, mismatch: result.err() })
}
