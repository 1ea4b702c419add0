//! The entries of the tree: packs of records in pieces, so that sled stores no page in a
//! file of its own.
//!
//! | key | value |
//! |---|---|
//! | the position of the first record of a pack, 8 bytes, big-endian, and `P` | the first piece of the [pack](super::packs) |
//! | the same, then a number from 1, 2 bytes, big-endian | each further piece |
//! | the position of a record, 8 bytes, big-endian | its stored form, or the first piece of it; earlier versions wrote this |
//! | the same, then a number from 1, 2 bytes, big-endian | each further piece |
//!
//! sled keeps a page of more than 128 KiB in a file of its own. The pointer to that
//! file can reach the disk before the file does, and a power cut in between loses the
//! page, with records that were acknowledged long ago. sled splits a page that has
//! more than 16 entries, but a page can have a few more before it is split; with pieces of
//! 4,000 bytes it stays below 128 KiB.

use std::iter;

use bytes::{Bytes, BytesMut};
use sled::{Db, IVec};

use crate::event_log::{Defect, Position, ReadError, Record};

use super::{
    errors::{catch, unavailable},
    packs::{self, BadPack},
};

const MAX_PIECE_BYTES: usize = 4000;
/// How many bytes of a key are the position.
const POSITION_BYTES: usize = 8;
/// How many bytes of a key number a piece.
const NUMBER_BYTES: usize = 2;
/// What follows the position in the key of a pack.
const PACK: u8 = b'P';

/// The lowest key of an entry that begins with the record at `position`.
pub(super) fn key(position: Position) -> [u8; POSITION_BYTES] {
    position.0.to_be_bytes()
}

/// The position in a key.
pub(super) fn position_of(key: &IVec) -> Result<Position, ReadError> {
    let position = key.first_chunk().ok_or_else(|| unavailable("a key is not a position"))?;
    Ok(Position(u64::from_be_bytes(*position)))
}

/// The keys and values that store records, in their order.
pub(super) fn of(records: &[Record]) -> impl Iterator<Item = (Vec<u8>, IVec)> {
    packs::pack(records).flat_map(|(first, pack)| {
        let key = [key(first.position).as_slice(), &[PACK]].concat();
        let pieces = (0_u16..=u16::MAX).zip(pack.chunks(MAX_PIECE_BYTES));
        let pieces = pieces.map(|(number, piece)| {
            let number = if number == 0 { Vec::new() } else { number.to_be_bytes().to_vec() };
            ([key.as_slice(), &number].concat(), IVec::from(piece))
        });
        pieces.collect::<Vec<_>>()
    })
}

/// The records of an entry.
#[derive(Debug)]
pub(super) struct Entry {
    /// The position of the first of them.
    pub(super) first: Position,
    /// Their stored forms. They are not checked.
    pub(super) records: Vec<Bytes>,
}

impl Entry {
    /// The position of its last record.
    pub(super) fn last(&self) -> Position {
        let count = u64::try_from(self.records.len()).unwrap_or(u64::MAX);
        Position(self.first.0.saturating_add(count).saturating_sub(1))
    }

    /// The stored form of the record at `position`, if it is in this entry.
    pub(super) fn get(&self, position: Position) -> Option<&Bytes> {
        let index = position.0.checked_sub(self.first.0)?;
        self.records.get(usize::try_from(index).ok()?)
    }
}

/// The stored forms of the records from `first` to `end`, all of which must be there. They
/// are not checked. After an error there are no more.
pub(super) fn records(
    db: &Db,
    first: Position,
    end: Position,
) -> impl Iterator<Item = Result<(Position, Bytes), ReadError>> {
    let (start, mut error) = match floor(db, first) {
        Ok(found) => (found.unwrap_or(first), None),
        Err(error) => (first, Some(error)),
    };
    let mut entries = range(db, start, end);
    let (mut position, mut entry) = (first, None::<Entry>);
    let mut next = move || {
        if let Some(error) = error.take() {
            return Err(error);
        }
        loop {
            if let Some(stored) = entry.as_ref().and_then(|entry| entry.get(position)) {
                let found = (position, stored.clone());
                position = position.next();
                return Ok(found);
            }
            match entries.next() {
                Some(Ok(next)) if next.first <= position => entry = Some(next),
                Some(Ok(_)) | None => {
                    return Err(ReadError::Damaged { position, defect: Defect::Missing });
                }
                Some(Err(error)) => return Err(error.at(position)),
            }
        }
    };
    let mut ended = first > end;
    iter::from_fn(move || {
        if ended {
            return None;
        }
        let found = next();
        ended = found.as_ref().map_or(true, |(position, _)| *position >= end);
        Some(found)
    })
}

/// The entries whose first records are in a range of positions, in order.
fn range(
    db: &Db,
    first: Position,
    end: Position,
) -> impl Iterator<Item = Result<Entry, EntryError>> + use<> {
    let mut pieces = join(db.range(key(first)..key(end.next())));
    iter::from_fn(move || {
        let joined = catch(first, || pieces.next().transpose());
        Some(joined.map_err(EntryError::from).transpose()?.and_then(|(key, bytes)| {
            let first = position_of(&key)?;
            match key.get(POSITION_BYTES..) {
                Some([]) => Ok(Entry { first, records: vec![bytes] }),
                Some([PACK]) => match packs::unpack(&bytes) {
                    Ok(records) => Ok(Entry { first, records }),
                    Err(reason) => Err(EntryError::Pack { first, reason }),
                },
                // A piece without those before it.
                Some(_) | None => Err(EntryError::Pack { first, reason: BadPack::Damaged }),
            }
        }))
    })
}

/// The entry that contains the record at `position`, or the last one before it.
pub(super) fn containing(db: &Db, position: Position) -> Result<Option<Entry>, EntryError> {
    match floor(db, position)? {
        Some(first) => range(db, first, first).next().transpose(),
        None => Ok(None),
    }
}

/// The position of the first record of the entry that [contains](containing) a position.
fn floor(db: &Db, position: Position) -> Result<Option<Position>, ReadError> {
    let found = catch(position, || db.get_lt(key(position.next())))?;
    found.map(|(key, _)| position_of(&key)).transpose()
}

/// Why an entry cannot be read.
#[derive(Debug)]
pub(super) enum EntryError {
    /// sled cannot read it.
    Read(ReadError),
    /// The pack that begins at this position is damaged.
    Pack { first: Position, reason: BadPack },
}

impl EntryError {
    /// The error for a caller that needs the record at `expected`.
    pub(super) fn at(self, expected: Position) -> ReadError {
        match self {
            Self::Read(ReadError::Damaged { position: _, defect }) => {
                ReadError::Damaged { position: expected, defect }
            }
            Self::Read(error @ (ReadError::Unavailable(_) | ReadError::Forked(_))) => error,
            Self::Pack { first, reason: _ } => {
                let position = first.max(expected);
                ReadError::Damaged { position, defect: Defect::Unreadable }
            }
        }
    }
}

impl From<ReadError> for EntryError {
    fn from(error: ReadError) -> Self {
        Self::Read(error)
    }
}

/// Joins pieces to the keys and the values of whole entries.
fn join(
    pieces: impl Iterator<Item = sled::Result<(IVec, IVec)>>,
) -> impl Iterator<Item = sled::Result<(IVec, Bytes)>> {
    let mut pieces = pieces.peekable();
    iter::from_fn(move || {
        let (key, first) = match pieces.next()? {
            Ok(piece) => piece,
            Err(error) => return Some(Err(error)),
        };
        let mut joined = BytesMut::from(first.as_ref());
        let continues = |piece: &sled::Result<(IVec, IVec)>| {
            piece.as_ref().is_ok_and(|(next, _)| {
                next.len() == key.len() + NUMBER_BYTES && next.starts_with(&key)
            })
        };
        while let Some(Ok((_, piece))) = pieces.next_if(continues) {
            joined.extend_from_slice(&piece);
        }
        Some(Ok((key, joined.freeze())))
    })
}
