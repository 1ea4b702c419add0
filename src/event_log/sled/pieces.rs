//! How a record is laid out in the tree: in pieces, so that no page outgrows sled's
//! file.
//!
//! | key | value |
//! |---|---|
//! | its position, 8 bytes, big-endian | the first piece of the stored form |
//! | the same, and a number from 1, 2 bytes | each further piece |
//!
//! sled keeps a page of more than 128 KiB in a file of its own, and what points to
//! it may be on the disk before that file is: a power cut in between takes the page,
//! with records that were acknowledged long ago. A page is split when it has more
//! than 16 entries, and may have a few more until then.

use std::iter;

use bytes::{Bytes, BytesMut};
use sled::{Batch, IVec};

use crate::event_log::{Position, Record};

/// How many bytes of a record one entry has at most.
const PIECE: usize = 4000;
/// How many bytes of a key are the position.
const POSITION: usize = 8;

pub(super) fn key(position: Position) -> [u8; POSITION] {
    position.0.to_be_bytes()
}

/// Puts a record in, piece by piece.
pub(super) fn insert(batch: &mut Batch, record: &Record) {
    let position = key(record.position);
    for (number, piece) in (0_u16..=u16::MAX).zip(record.stored.chunks(PIECE)) {
        let number = number.to_be_bytes();
        let number = if number == [0, 0] { [].as_slice() } else { number.as_slice() };
        batch.insert([position.as_slice(), number].concat(), piece);
    }
}

/// Whether an entry with this key is the first piece of a record.
pub(super) fn begins_record(key: &IVec) -> bool {
    key.len() == POSITION
}

/// The keys and the stored forms of the records that the entries are pieces of. One
/// whose first piece is missing has a longer key than records have.
pub(super) fn join(
    entries: impl Iterator<Item = sled::Result<(IVec, IVec)>>,
) -> impl Iterator<Item = sled::Result<(IVec, Bytes)>> {
    let mut entries = entries.peekable();
    iter::from_fn(move || {
        let (key, first) = match entries.next()? {
            Ok(entry) => entry,
            Err(error) => return Some(Err(error)),
        };
        let mut stored = BytesMut::from(first.as_ref());
        let continues = |entry: &sled::Result<(IVec, IVec)>| {
            entry.as_ref().is_ok_and(|(next, _)| next.len() > POSITION && next.starts_with(&key))
        };
        while let Some(Ok((_, piece))) = entries.next_if(continues) {
            stored.extend_from_slice(&piece);
        }
        Some(Ok((key, stored.freeze())))
    })
}
