//! The ID of a log, which tells it from logs that began otherwise.

use std::{fmt, str::FromStr};

use data_encoding::{HEXLOWER, HEXLOWER_PERMISSIVE};

use super::Hash;

/// How many bytes an ID has.
const ID_BYTES: usize = 16;

/// The ID of a log: the first 16 bytes of the hash of its first record. It follows from the
/// records, so an export and every copy of a log have the same one, also if the copy has gone
/// on differently since. An empty log has none.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct LogId([u8; ID_BYTES]);

impl LogId {
    /// The ID of the log whose first record has this hash.
    #[must_use]
    pub fn of(first: Hash) -> Self {
        Self(first.0.first_chunk().copied().unwrap_or_default())
    }

    /// The bytes of the ID.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// 32 lower-case hexadecimal digits.
impl fmt::Display for LogId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&HEXLOWER.encode(&self.0))
    }
}

impl fmt::Debug for LogId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Parses 32 hexadecimal digits of either case.
impl FromStr for LogId {
    type Err = ParseLogIdError;

    fn from_str(text: &str) -> Result<Self, ParseLogIdError> {
        let bytes = HEXLOWER_PERMISSIVE.decode(text.as_bytes()).map_err(|_| ParseLogIdError)?;
        bytes.as_slice().try_into()
    }
}

impl TryFrom<&[u8]> for LogId {
    type Error = ParseLogIdError;

    fn try_from(bytes: &[u8]) -> Result<Self, ParseLogIdError> {
        bytes.try_into().map(Self).map_err(|_| ParseLogIdError)
    }
}

/// A text is not the ID of a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected 32 hexadecimal digits")]
pub struct ParseLogIdError;
