//! Errors of sled, and errors in what it returns.

use std::{
    io,
    panic::{self, AssertUnwindSafe},
};

use bytes::Bytes;

use crate::event_log::{BoxError, Defect, Hash, Position, ReadError, Record};

/// The error of the system that sled reports, or else the error of sled.
pub(super) fn system_error(error: sled::Error) -> Result<io::Error, sled::Error> {
    match error {
        sled::Error::Io(error) if error.raw_os_error().is_some() => Ok(error),
        sled::Error::Io(_)
        | sled::Error::CollectionNotFound(_)
        | sled::Error::Unsupported(_)
        | sled::Error::ReportableBug(_)
        | sled::Error::Corruption { .. } => Err(error),
    }
}

/// Parses the record at `position`, and checks its hash, its position and, where it is
/// given, the previous hash.
pub(super) fn parse(
    position: Position,
    stored: Bytes,
    previous: Option<Hash>,
) -> Result<Record, ReadError> {
    let damaged = |defect| ReadError::Damaged { position, defect };
    Record::parse_at(position, stored, previous).map_err(damaged)
}

/// Reads from sled at `position`. Turns a panic, which damage can cause, into an error.
pub(super) fn catch<T>(
    position: Position,
    read: impl FnOnce() -> Result<T, sled::Error>,
) -> Result<T, ReadError> {
    panic::catch_unwind(AssertUnwindSafe(read))
        .map_err(|_| ReadError::Damaged { position, defect: Defect::Unreadable })?
        .map_err(|error| read_error(position, error))
}

/// The error for a record that sled cannot read.
pub(super) fn read_error(position: Position, error: sled::Error) -> ReadError {
    match system_error(error) {
        Ok(error) => unavailable(error),
        Err(error) => {
            tracing::error!(%position, %error, "sled cannot read a record");
            ReadError::Damaged { position, defect: Defect::Unreadable }
        }
    }
}

/// The error of a call that may succeed later.
pub(super) fn unavailable(error: impl Into<BoxError>) -> ReadError {
    ReadError::Unavailable(error.into())
}
