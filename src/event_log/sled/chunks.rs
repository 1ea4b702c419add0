//! The layout of a record in the tree: chunks, so that no page becomes a file of its
//! own.
//!
//! | key | value |
//! |---|---|
//! | the position, 8 bytes, big-endian | the first chunk of the stored form |
//! | the same, then a number from 1, 2 bytes, big-endian | each further chunk |
//!
//! sled keeps a page of more than 128 KiB in a file of its own. The pointer to that
//! file can reach the disk before the file does, and a power cut in between loses the
//! page, with records that were acknowledged long ago. sled splits a page that has
//! more than 16 entries, but a page can have a few more before it is split.

use std::iter;

use bytes::{Bytes, BytesMut};
use sled::{Batch, IVec};

use crate::event_log::{Position, Record};

const MAX_CHUNK_BYTES: usize = 4000;
/// How many bytes of a key are the position.
const POSITION_BYTES: usize = 8;

/// The key of the first chunk of the record at `position`.
pub(super) fn key(position: Position) -> [u8; POSITION_BYTES] {
    position.0.to_be_bytes()
}

/// Adds the chunks of a record to a batch.
pub(super) fn insert(batch: &mut Batch, record: &Record) {
    let position = key(record.position);
    for (number, chunk) in (0_u16..=u16::MAX).zip(record.stored.chunks(MAX_CHUNK_BYTES)) {
        let number = number.to_be_bytes();
        let number = if number == [0, 0] { [].as_slice() } else { number.as_slice() };
        batch.insert([position.as_slice(), number].concat(), chunk);
    }
}

/// Whether an entry with this key is the first chunk of a record.
pub(super) fn is_first_chunk(key: &IVec) -> bool {
    key.len() == POSITION_BYTES
}

/// Joins chunks to the keys and the stored forms of records.
///
/// A record without its first chunk has a key that is longer than a position.
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
            entry
                .as_ref()
                .is_ok_and(|(next, _)| next.len() > POSITION_BYTES && next.starts_with(&key))
        };
        while let Some(Ok((_, chunk))) = entries.next_if(continues) {
            stored.extend_from_slice(&chunk);
        }
        Some(Ok((key, stored.freeze())))
    })
}
