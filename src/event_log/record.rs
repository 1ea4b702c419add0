//! The stored form of a record, and the chain.
//!
//! | bytes | what |
//! |---|---|
//! | 0–31 | the hash of the record before; zeros in the first record |
//! | 32 | the version of this layout: 1 |
//! | 33–40 | the position, big-endian |
//! | 41–44 | the place in its batch, from 0, big-endian |
//! | 45–48 | the length of its batch, big-endian |
//! | 49 to the last 32 | the body |
//! | the last 32 | the hash: SHA-256 of all bytes before it |
//!
//! So a record proves itself, and with the record before it, its place.

use std::{fmt, str::FromStr};

use bytes::{Bytes, BytesMut};
use data_encoding::HEXLOWER_PERMISSIVE;
use sha2::{Digest as _, Sha256};

use super::{Head, Position, ReadError};

const LAYOUT: u8 = 1;
const HASH: usize = 32;
const HEADER: usize = HASH + 1 + 8 + 4 + 4;

/// A SHA-256 hash.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Hash(pub [u8; HASH]);

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Reads the 64 hexadecimal digits that [`Display`](fmt::Display) writes.
impl FromStr for Hash {
    type Err = NotAHash;

    fn from_str(text: &str) -> Result<Self, NotAHash> {
        let bytes = HEXLOWER_PERMISSIVE.decode(text.as_bytes()).map_err(|_| NotAHash)?;
        bytes.try_into().map(Self).map_err(|_| NotAHash)
    }
}

/// A text that is no hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected 64 hexadecimal digits")]
pub struct NotAHash;

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The place of a record in the batch that it was appended with.
///
/// A log that ends inside a batch was cut: no part of a batch is acknowledged
/// before all of it is durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Batch {
    /// The place, from 0.
    pub index: u32,
    /// How many records the batch has.
    pub length: u32,
}

/// One record, as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Its place in the log.
    pub position: Position,
    /// Its place in its batch.
    pub batch: Batch,
    /// The hash of the record before.
    pub previous_hash: Hash,
    /// Its hash.
    pub hash: Hash,
    /// What was appended.
    pub body: Bytes,
    /// The stored form, all of it.
    pub stored: Bytes,
}

/// What is wrong with a stored record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Defect {
    /// There is none, though there are later ones.
    #[error("the record is missing")]
    Missing,
    /// It is shorter than the shortest record.
    #[error("the record is cut short")]
    Short,
    /// Its bytes are not the ones that were hashed.
    #[error("the record does not have the hash that it states")]
    WrongHash,
    /// It is whole, but in a form that this version does not know.
    #[error("the record has layout {0}, which this version does not know")]
    UnknownLayout(u8),
    /// It is whole, but belongs elsewhere.
    #[error("the record states position {0}")]
    WrongPosition(Position),
    /// It is whole, but does not follow the record before it.
    #[error("the record does not continue the chain: it names another record before it")]
    BrokenChain,
    /// The engine says that it is damaged, and gives nothing of it.
    #[error("the record cannot be read: the engine says that it is damaged")]
    Unreadable,
    /// The log ends in the middle of a batch.
    #[error("the log ends inside a batch")]
    PartialBatch,
}

impl Record {
    /// The records that continue the log after `head` with `bodies` as one batch.
    pub(crate) fn chain(head: Head, bodies: Vec<Bytes>) -> Vec<Self> {
        let length = u32::try_from(bodies.len()).unwrap_or(u32::MAX);
        let mut head = head;
        let next = |(index, body): (u32, Bytes)| {
            let record = Self::after(head, Batch { index, length }, &body);
            head = Head { position: record.position, hash: record.hash };
            record
        };
        (0..length).zip(bodies).map(next).collect()
    }

    fn after(head: Head, batch: Batch, body: &Bytes) -> Self {
        let position = head.position.next();
        let mut stored = BytesMut::with_capacity(HEADER + body.len() + HASH);
        stored.extend_from_slice(&head.hash.0);
        stored.extend_from_slice(&[LAYOUT]);
        stored.extend_from_slice(&position.0.to_be_bytes());
        stored.extend_from_slice(&batch.index.to_be_bytes());
        stored.extend_from_slice(&batch.length.to_be_bytes());
        stored.extend_from_slice(body);
        let hash = Hash(Sha256::digest(&stored).into());
        stored.extend_from_slice(&hash.0);
        let stored = stored.freeze();
        let body = stored.slice(HEADER..HEADER + body.len());
        Self { position, batch, previous_hash: head.hash, hash, body, stored }
    }

    /// Reads the stored form of one record and checks it against itself.
    ///
    /// # Errors
    /// The first [`Defect`] found.
    pub fn parse(stored: Bytes) -> Result<Self, Defect> {
        let hashed = stored.len().checked_sub(HASH).ok_or(Defect::Short)?;
        let mut fields = Fields(stored.get(..hashed).ok_or(Defect::Short)?);
        let previous_hash = Hash(fields.take()?);
        let [layout] = fields.take()?;
        let position = Position(u64::from_be_bytes(fields.take()?));
        let index = u32::from_be_bytes(fields.take()?);
        let length = u32::from_be_bytes(fields.take()?);
        let hash = Hash(Fields(stored.get(hashed..).ok_or(Defect::Short)?).take()?);

        let computed = Sha256::digest(stored.get(..hashed).ok_or(Defect::Short)?);
        if computed.as_slice() != hash.0 {
            return Err(Defect::WrongHash);
        }
        if layout != LAYOUT {
            return Err(Defect::UnknownLayout(layout));
        }
        let body = stored.slice(HEADER..hashed);
        let batch = Batch { index, length };
        Ok(Self { position, batch, previous_hash, hash, body, stored })
    }

    /// Reads the stored form that was found at `position`, and checks it against
    /// itself and, where `previous` is given, against the record before it.
    pub(super) fn parse_at(
        position: Position,
        stored: Bytes,
        previous: Option<Hash>,
    ) -> Result<Self, ReadError> {
        let damaged = |defect| ReadError::Damaged { position, defect };
        let record = Self::parse(stored).map_err(damaged)?;
        if record.position != position {
            return Err(damaged(Defect::WrongPosition(record.position)));
        }
        if previous.is_some_and(|hash| hash != record.previous_hash) {
            return Err(damaged(Defect::BrokenChain));
        }
        Ok(record)
    }

    /// Whether it continues a log that ends with `head`.
    ///
    /// # Errors
    /// [`Defect::WrongPosition`] or [`Defect::BrokenChain`].
    pub fn follows(&self, head: Head) -> Result<(), Defect> {
        if self.position != head.position.next() {
            return Err(Defect::WrongPosition(self.position));
        }
        if self.previous_hash != head.hash {
            return Err(Defect::BrokenChain);
        }
        Ok(())
    }

    /// Whether it is the last one of its batch.
    #[must_use]
    pub const fn ends_batch(&self) -> bool {
        self.batch.index.saturating_add(1) == self.batch.length
    }

    /// The end of a log that ends with this record.
    #[must_use]
    pub const fn head(&self) -> Head {
        Head { position: self.position, hash: self.hash }
    }
}

/// Takes fixed-size fields off the front of a slice.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], Defect> {
        let (field, rest) = self.0.split_first_chunk::<N>().ok_or(Defect::Short)?;
        self.0 = rest;
        Ok(*field)
    }
}
