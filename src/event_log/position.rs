//! Positions in the log.

use std::{fmt, str::FromStr};

use super::Hash;

/// A position in the log. The first record is at 1; 0 is before all records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Position(pub u64);

impl Position {
    /// Before all records: the end of an empty log.
    pub const START: Self = Self(0);

    /// The next position.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    /// The position that a message carries. Before all records if it is negative.
    #[must_use]
    pub fn from_int(position: i64) -> Self {
        Self(u64::try_from(position).unwrap_or_default())
    }

    /// The position as messages carry it.
    #[must_use]
    pub fn to_int(self) -> i64 {
        i64::try_from(self.0).unwrap_or(i64::MAX)
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The end of the log: the position and the hash of the last durable record.
///
/// An empty log has position 0 and a hash of 32 zero bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Head {
    /// The position of the last record.
    pub position: Position,
    /// The hash of the last record.
    pub hash: Hash,
}

impl fmt::Display for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "position {} with hash {}", self.position, self.hash)
    }
}

/// Parses `POSITION:HASH`, with the hash in hexadecimal or in base64.
impl FromStr for Head {
    type Err = ParseHeadError;

    fn from_str(text: &str) -> Result<Self, ParseHeadError> {
        let (position, hash) = text.split_once(':').ok_or(ParseHeadError)?;
        let position = position.parse().map_err(|_| ParseHeadError)?;
        let hash = Hash::from_any_form(hash).map_err(|_| ParseHeadError)?;
        Ok(Self { position: Position(position), hash })
    }
}

/// A text is not a position and a hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected a position and a hash in hexadecimal or base64, separated by a colon")]
pub struct ParseHeadError;
