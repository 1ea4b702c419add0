//! The hash chain, computed from the records that a server sends. Believes nothing
//! that it says beside them.

use crate::{
    audit::archive::{self, ArchiveError},
    event_log::{Hash, Head, Position},
    proto::UserPoolEvent,
};

use super::noted::Checkpoint;

/// The chain so far, and what it is still to be compared with.
#[derive(Debug, Default)]
pub(super) struct Chain {
    /// Its last record.
    pub(super) head: Head,
    /// What was noted, by position; what the chain has passed is gone.
    noted: Vec<Checkpoint>,
}

/// The first thing that is not as it must be.
#[derive(Debug)]
pub(super) struct Problem {
    pub(super) position: Position,
    pub(super) reason: Reason,
}

/// What is wrong there.
#[derive(Debug, thiserror::Error)]
pub(super) enum Reason {
    #[error(transparent)]
    Event(#[from] ArchiveError),
    #[error(
        "the server has events up to position {0}, by its own word, but does not show this one"
    )]
    Withheld(Position),
    #[error("the server cannot read it: {0}")]
    Damaged(String),
    #[error("the event has hash {found}, but {noted} was noted: history was rewritten")]
    Rewritten { found: Hash, noted: Hash },
    #[error("the log ends at position {0}, before the one that was noted: history was cut off")]
    CutOff(Position),
    #[error("the checkpoint that the server signs has hash {signed}, but its event has {found}")]
    OtherCheckpoint { found: Hash, signed: Hash },
    #[error("the server signs that its log ends here, but shows events up to position {0}")]
    EarlyCheckpoint(Position),
    #[error("the checkpoint of the server: {0}")]
    BadCheckpoint(String),
}

impl Chain {
    /// A chain that is to have all these checkpoints.
    ///
    /// # Errors
    /// One is of an empty log, with a hash that no empty log has.
    pub(super) fn with(noted: &[Checkpoint]) -> Result<Self, Problem> {
        let mut chain = Self { head: Head::default(), noted: noted.to_vec() };
        chain.noted.sort_by_key(|noted| noted.head.position);
        chain.compare_noted()?;
        Ok(chain)
    }

    /// Continues the chain with the record of an event.
    ///
    /// # Errors
    /// The record is not the next one, or the event not the one in it.
    pub(super) fn push(&mut self, event: &UserPoolEvent) -> Result<(), Problem> {
        let position = self.head.position.next();
        let checked = archive::check(event, self.head);
        let record = checked.map_err(|error| Problem { position, reason: error.into() })?;
        self.head = record.head();
        self.compare_noted()
    }

    /// That everything that was noted was met.
    ///
    /// # Errors
    /// The log ends before.
    pub(super) fn end(&self) -> Result<(), Problem> {
        self.noted.first().map_or(Ok(()), |noted| {
            let (position, end) = (noted.head.position, self.head.position);
            Err(Problem { position, reason: Reason::CutOff(end) })
        })
    }

    fn compare_noted(&mut self) -> Result<(), Problem> {
        let Head { position, hash: found } = self.head;
        let here = self.noted.iter().take_while(|noted| noted.head.position <= position).count();
        for noted in self.noted.drain(..here) {
            let noted = noted.head.hash;
            if noted != found {
                return Err(Problem { position, reason: Reason::Rewritten { found, noted } });
            }
        }
        Ok(())
    }
}
