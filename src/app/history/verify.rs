//! Whether the history is what was recorded: every hash, from the first record on.

use crate::event_log::{Defect, Head, Position, ReadError};

use super::{
    super::{LoadError, PAGE, codec},
    History, HistoryError,
};

/// A point of the chain that somebody noted.
pub type Anchor = Head;

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

impl History {
    /// Recomputes the chain up to what is visible, and compares it with what was
    /// noted before, where that is given.
    ///
    /// # Errors
    /// The log cannot be read. That it is damaged is an answer, not an error.
    pub async fn verify(&self, noted: Option<Anchor>) -> Result<Verified, HistoryError> {
        let end = self.head().position;
        let mut verified = Verified { events: 0, head: Head::default(), problem: None };
        let problem = |position, description: String| Some(Problem { position, description });
        while verified.head.position < end {
            let records = match self.log.read(verified.head.position, PAGE).await {
                Ok(records) => records,
                Err(ReadError::Damaged { position, defect }) => {
                    verified.problem = problem(position, defect.to_string());
                    return Ok(verified);
                }
                Err(error @ ReadError::Unavailable(_)) => return Err(error.into()),
            };
            for record in records {
                let wrong = if record.previous_hash != verified.head.hash {
                    Some(Defect::BrokenChain.to_string())
                } else if let Err(LoadError::Decode { source, .. }) = codec::decode(&record) {
                    Some(source.to_string())
                } else {
                    noted.and_then(|noted| contradiction(noted, record.head()))
                };
                if let Some(description) = wrong {
                    verified.problem = problem(record.position, description);
                    return Ok(verified);
                }
                verified.head = record.head();
                verified.events += 1;
            }
        }
        verified.problem = noted.and_then(|noted| {
            let missing = noted.position > verified.head.position;
            let description = format!("the log ends at position {end}, before the noted one");
            missing.then_some(Problem { position: verified.head.position.next(), description })
        });
        Ok(verified)
    }
}

fn contradiction(noted: Anchor, found: Head) -> Option<String> {
    let other = noted.position == found.position && noted.hash != found.hash;
    other.then(|| format!("the event has hash {}, but {} was noted", found.hash, noted.hash))
}
