//! The stored form of a record.
//!
//! | bytes | content |
//! |---|---|
//! | 0–31 | the hash of the previous record; zeros in the first record |
//! | 32 | the version of this layout: 1 |
//! | 33–40 | the position, big-endian |
//! | 41–44 | the index in its batch, from 0, big-endian |
//! | 45–48 | the number of records in its batch, big-endian |
//! | 49 to the last 32 | the body |
//! | the last 32 | the hash: SHA-256 of all bytes before it |
//!
//! The hash proves that a record is intact. The previous hash proves which record
//! it follows.

use bytes::{Bytes, BytesMut};
use sha2::{Digest as _, Sha256};

use super::{Hash, Head, Position, hash::HASH_BYTES};

const LAYOUT_VERSION: u8 = 1;
const HEADER_BYTES: usize = HASH_BYTES + 1 + 8 + 4 + 4;

/// The place of a record in its batch.
///
/// A batch is acknowledged when all of it is durable. So a log that ends inside an
/// acknowledged batch was truncated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchPlace {
    /// The index of the record in the batch, from 0.
    pub index: u32,
    /// How many records the batch has.
    pub length: u32,
}

/// A stored record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The position in the log.
    pub position: Position,
    /// The place in the batch.
    pub batch: BatchPlace,
    /// The hash of the previous record.
    pub previous_hash: Hash,
    /// The hash of this record.
    pub hash: Hash,
    /// The bytes that were appended.
    pub body: Bytes,
    /// The whole stored form.
    pub stored: Bytes,
}

/// What is wrong with a stored record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Defect {
    /// There is no record at this position, although there are later ones.
    #[error("the record is missing")]
    Missing,
    /// It is shorter than the shortest record.
    #[error("the record is truncated")]
    Short,
    /// Its bytes differ from those that were hashed.
    #[error("the hash of the record does not match its content")]
    WrongHash,
    /// It is intact, but this version does not support its layout.
    #[error("the record has layout {0}, which this version does not support")]
    UnknownLayout(u8),
    /// It is intact, but belongs to another position.
    #[error("the record has position {0}")]
    WrongPosition(Position),
    /// It is intact, but follows another record than the one before it.
    #[error(
        "the record does not continue the chain: its previous hash is not that of the record before it"
    )]
    BrokenChain,
    /// The engine reports damage and returns no bytes.
    #[error("the record is damaged; the log engine cannot read it")]
    Unreadable,
    /// The log ends inside a batch.
    #[error("the log ends inside a batch")]
    PartialBatch,
}

impl Record {
    /// Makes the records of one batch, which continue the log after `head`.
    #[must_use]
    pub fn chain(head: Head, bodies: Vec<Bytes>) -> Vec<Self> {
        let length = u32::try_from(bodies.len()).unwrap_or(u32::MAX);
        let mut head = head;
        let next = |(index, body): (u32, Bytes)| {
            let record = Self::new(head, BatchPlace { index, length }, &body);
            head = record.head();
            record
        };
        (0..length).zip(bodies).map(next).collect()
    }

    fn new(head: Head, batch: BatchPlace, body: &Bytes) -> Self {
        let position = head.position.next();
        let mut stored = BytesMut::with_capacity(HEADER_BYTES + body.len() + HASH_BYTES);
        stored.extend_from_slice(&head.hash.0);
        stored.extend_from_slice(&[LAYOUT_VERSION]);
        stored.extend_from_slice(&position.0.to_be_bytes());
        stored.extend_from_slice(&batch.index.to_be_bytes());
        stored.extend_from_slice(&batch.length.to_be_bytes());
        stored.extend_from_slice(body);
        let hash = Hash(Sha256::digest(&stored).into());
        stored.extend_from_slice(&hash.0);
        let stored = stored.freeze();
        let body = stored.slice(HEADER_BYTES..HEADER_BYTES + body.len());
        Self { position, batch, previous_hash: head.hash, hash, body, stored }
    }

    /// Parses the stored form of a record and checks its hash.
    ///
    /// # Errors
    /// The first [`Defect`] found.
    pub fn parse(stored: Bytes) -> Result<Self, Defect> {
        let end = stored.len().checked_sub(HASH_BYTES).ok_or(Defect::Short)?;
        let (hashed, hash) = stored.split_at_checked(end).ok_or(Defect::Short)?;
        let mut fields = FieldReader(hashed);
        let previous_hash = Hash(fields.take()?);
        let [layout] = fields.take()?;
        let position = Position(u64::from_be_bytes(fields.take()?));
        let index = u32::from_be_bytes(fields.take()?);
        let length = u32::from_be_bytes(fields.take()?);
        let hash = Hash(FieldReader(hash).take()?);

        if Sha256::digest(hashed).as_slice() != hash.0 {
            return Err(Defect::WrongHash);
        }
        if layout != LAYOUT_VERSION {
            return Err(Defect::UnknownLayout(layout));
        }
        let body = stored.slice(HEADER_BYTES..end);
        let batch = BatchPlace { index, length };
        Ok(Self { position, batch, previous_hash, hash, body, stored })
    }

    /// Parses the stored form of the record at `position`, and checks its hash, its
    /// position and, where it is given, the previous hash.
    ///
    /// # Errors
    /// The first [`Defect`] found.
    pub(super) fn parse_at(
        position: Position,
        stored: Bytes,
        previous: Option<Hash>,
    ) -> Result<Self, Defect> {
        let record = Self::parse(stored)?;
        if record.position != position {
            return Err(Defect::WrongPosition(record.position));
        }
        if previous.is_some_and(|hash| hash != record.previous_hash) {
            return Err(Defect::BrokenChain);
        }
        Ok(record)
    }

    /// Checks that the record continues a log that ends at `head`.
    ///
    /// # Errors
    /// [`Defect::WrongPosition`] or [`Defect::BrokenChain`].
    pub fn check_follows(&self, head: Head) -> Result<(), Defect> {
        if self.position != head.position.next() {
            return Err(Defect::WrongPosition(self.position));
        }
        if self.previous_hash != head.hash {
            return Err(Defect::BrokenChain);
        }
        Ok(())
    }

    /// Whether the record is the last one of its batch.
    #[must_use]
    pub const fn is_last_in_batch(&self) -> bool {
        self.batch.index.saturating_add(1) == self.batch.length
    }

    /// The head of a log that ends with this record.
    #[must_use]
    pub const fn head(&self) -> Head {
        Head { position: self.position, hash: self.hash }
    }
}

/// Reads fields of fixed size from the front of a slice.
struct FieldReader<'a>(&'a [u8]);

impl FieldReader<'_> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], Defect> {
        let (field, rest) = self.0.split_first_chunk::<N>().ok_or(Defect::Short)?;
        self.0 = rest;
        Ok(*field)
    }
}
