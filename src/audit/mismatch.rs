//! Mismatches that a verification finds, with the texts that all verifications share.

use crate::{
    event_log::{Defect, Hash, Head, LogId, Position},
    proto::JsonError,
    user_pool::Contradiction,
};

use super::{
    anchor::AnchorError, checkpoint::CheckpointError, codec::DecodeCause, merkle::ProofError,
    note::NoteError, public_key::PublicKey,
};

/// The first mismatch in a log.
#[derive(Debug, thiserror::Error)]
#[error("position {position}")]
pub struct Mismatch {
    /// The first position that is wrong.
    pub position: Position,
    /// What is wrong there.
    #[source]
    pub cause: MismatchCause,
}

/// What is wrong at a position of a log.
#[derive(Debug, thiserror::Error)]
pub enum MismatchCause {
    /// The line of an export is not an event.
    #[error("the line is not an event in JSON")]
    InvalidJson(#[from] JsonError),
    /// The line of an export is not an anchor that this version knows.
    #[error(transparent)]
    InvalidAnchor(#[from] AnchorError),
    /// A range does not follow the records before it.
    #[error(
        "the range follows {anchor}, but the records before it end at {end}; name the exports in \
         the order of the log, without gaps"
    )]
    NotConsecutive {
        /// The last record before the range.
        end: Head,
        /// The anchor of the range.
        anchor: Head,
    },
    /// A range says that it belongs to another log than the records before it.
    #[error("the range is of log {found}, but the records before it are of log {expected}")]
    OtherLog {
        /// The log ID that the range states.
        found: LogId,
        /// The ID of the log of the records before it.
        expected: LogId,
    },
    /// The log is another one than that of a trusted checkpoint.
    #[error(
        "the log has the ID {found}, but the trusted checkpoint at position {position} is of log \
         {trusted}: it is another log, or was rewritten from its first event on"
    )]
    OtherLogTrusted {
        /// The ID of the log.
        found: LogId,
        /// The log ID in the checkpoint.
        trusted: LogId,
        /// The position of the checkpoint.
        position: Position,
    },
    /// An export does not begin where the records before it end.
    #[error(
        "the export begins with position {found}, but position {expected} comes next; name the \
         exports in the order of the log, without gaps"
    )]
    WrongBeginning {
        /// The position of its first record.
        found: Position,
        /// The position after the records before it.
        expected: Position,
    },
    /// The event came without its record.
    #[error("the event has no record; export it with \"userpool log export\"")]
    NoRecord,
    /// The record is damaged, or does not continue the chain.
    #[error(transparent)]
    Defect(#[from] Defect),
    /// This version cannot decode the event in the record.
    #[error(transparent)]
    Undecodable(#[from] DecodeCause),
    /// The fields of the event differ from those in its record; which, if they can be compared.
    #[error(
        "the event differs from its record{}: one of them was changed",
        if .0.is_empty() { String::new() } else { format!(" in {}", .0) }
    )]
    EventChanged(String),
    /// No command could have recorded the event after those before it.
    #[error(transparent)]
    Contradiction(#[from] Contradiction),
    /// A trusted checkpoint has another hash.
    #[error("the hash is {found}, but the trusted checkpoint has {trusted}: history was rewritten")]
    Rewritten {
        /// The hash in the log.
        found: Hash,
        /// The hash of the trusted checkpoint.
        trusted: Hash,
    },
    /// A trusted checkpoint lies beyond the end of the log.
    #[error("the log ends at position {0}, before a trusted checkpoint: history was truncated")]
    Truncated(Position),
    /// The server does not send an event that it claims to have.
    #[error("the server reports events up to position {0}, but does not send this one")]
    Withheld(Position),
    /// The server reports that its log is damaged.
    #[error("the server cannot read the record: {0}")]
    Damaged(String),
    /// The checkpoint that the server signed is malformed, or its signature is wrong.
    #[error("the checkpoint of the server is invalid")]
    InvalidCheckpoint(#[from] CheckpointError),
    /// The checkpoint of the server has no key, so nothing signs it.
    #[error("the checkpoint of the server is not signed")]
    Unsigned,
    /// The server signed with another key than the one that is trusted.
    #[error(
        "the checkpoint of the server is signed with key {found}, not with {expected}: the given key \
         or checkpoint, or the server, is the wrong one"
    )]
    OtherKey {
        /// The key in the checkpoint.
        found: PublicKey,
        /// The trusted key.
        expected: PublicKey,
    },
    /// The server signed another hash than that of its own record.
    #[error("the hash is {found}, but the server signed a checkpoint with {signed}")]
    OtherCheckpoint {
        /// The hash in the log.
        found: Hash,
        /// The hash that is signed.
        signed: Hash,
    },
    /// The server signed another log ID than that of its first record.
    #[error("the log has the ID {found}, but the server signed a checkpoint of log {signed}")]
    OtherLogSigned {
        /// The ID of the log.
        found: LogId,
        /// The ID that is signed.
        signed: LogId,
    },
    /// The server signs with another key than that of a trusted checkpoint.
    #[error(
        "the trusted checkpoint is not signed with the key of the server, so it or the server is the \
         wrong one"
    )]
    NotSignedByServer(#[source] NoteError),
    /// The newer of two checkpoints is not proven to continue the older one.
    #[error("the log is not proven to continue the checkpoint at position {position}")]
    NotContinued {
        /// The position of the older checkpoint.
        position: Position,
        /// Why it is not.
        source: ProofError,
    },
    /// A checkpoint has the hash of the record, but another root of the Merkle tree.
    #[error(
        "the root of the Merkle tree is {found}, but a checkpoint was signed with {signed}: proofs \
         against that checkpoint can be false"
    )]
    OtherRoot {
        /// The root that follows from the records.
        found: Hash,
        /// The root that is signed.
        signed: Hash,
    },
    /// The server signed an end of its log before the last event that it sent.
    #[error("the server signed that its log ends here, but sends events up to position {0}")]
    EarlyCheckpoint(Position),
}

impl MismatchCause {
    /// Whether no record is wrong, but the server does not have the key of what the auditor trusts.
    #[must_use]
    pub const fn is_of_key(&self) -> bool {
        matches!(self, Self::OtherKey { .. } | Self::NotSignedByServer(_))
    }
}

impl Mismatch {
    /// The same mismatch, if it is in the first line of an export.
    pub(super) fn at_beginning(self) -> Self {
        match self {
            Self {
                position: expected,
                cause: MismatchCause::Defect(Defect::WrongPosition(found)),
            } => Self {
                position: expected,
                cause: MismatchCause::WrongBeginning { found, expected },
            },
            other => other,
        }
    }
}
