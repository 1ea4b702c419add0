//! A log as JSON Lines and back: one event a line, for people to read, with its
//! stored record, which is what counts.

use bytes::Bytes;

use crate::{
    event_log::{Defect, Head, Record},
    proto::{self, UserPoolEvent},
};

use super::{DecodeError, codec};

/// Why a line is not the next event of an export.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// It is not an event in JSON.
    #[error("not an event in JSON")]
    NotAnEvent(#[from] serde_json::Error),
    /// It has no stored record.
    #[error("the event has no record: export it with its records")]
    NoRecord,
    /// The record is damaged, or does not follow the one before.
    #[error(transparent)]
    Defect(#[from] Defect),
    /// The record holds no event that this version understands.
    #[error(transparent)]
    NotUnderstood(#[from] DecodeError),
    /// What people read is not what the record says.
    #[error("the event is not the one in its record: one of them was changed")]
    Contradiction,
}

/// The event of a record, with the record.
///
/// # Errors
/// The record holds no event that this version understands.
pub fn event(record: &Record) -> Result<UserPoolEvent, DecodeError> {
    let stored = Some(record.stored.clone());
    Ok(UserPoolEvent { record: stored, ..codec::decode(record)? })
}

/// The line of a record, without the line feed.
///
/// # Errors
/// The record holds no event that this version understands.
pub fn line(record: &Record) -> Result<String, DecodeError> {
    Ok(proto::to_json(&event(record)?).to_string())
}

/// The record of a line, which must be the one after `head`.
///
/// # Errors
/// See [`ArchiveError`].
pub fn parse_line(line: &str, head: Head) -> Result<Record, ArchiveError> {
    check(&proto::from_json(line)?, head)
}

/// The record of an event that came with it, which must be the one after `head`:
/// whole, in its place, and saying what the event says.
///
/// # Errors
/// See [`ArchiveError`].
pub fn check(told: &UserPoolEvent, head: Head) -> Result<Record, ArchiveError> {
    let stored: Bytes = told.record.clone().ok_or(ArchiveError::NoRecord)?;
    let record = Record::parse(stored)?;
    record.follows(head)?;
    if event(&record)? != *told {
        return Err(ArchiveError::Contradiction);
    }
    Ok(record)
}
