//! The keys of the read model. The documentation of `read_model` lists them.

use uuid::Uuid;

pub(super) const CHECKPOINT: &[u8] = b"m";
/// The first bytes of the keys of entries.
pub(super) const ENTRIES: [u8; 2] = [b'e', b'g'];
/// The first bytes of the keys of all other rows, which the digest includes.
pub(super) const ROWS: [u8; 8] = [b'c', b'd', TILES, b'i', b'n', b'r', b's', b'u'];
/// The first byte of the keys of tiles.
pub(super) const TILES: u8 = b'h';
/// The longest part of a name that is in a key, in bytes. Longer than any name that a request
/// can have.
const MAX_NAME_BYTES: usize = 1024;
/// A bound before every count.
pub(super) const BEFORE_COUNTS: &[u8] = b"c";
/// A bound after every domain.
pub(super) const AFTER_DOMAINS: &[u8] = b"d\x7f";

/// Whether this is the key of a state.
pub(super) fn is_state(key: &[u8]) -> bool {
    matches!(key.first(), Some(b'p' | b'x'))
}

pub(super) fn pool(created: u64) -> Vec<u8> {
    [b"p".as_slice(), &created.to_be_bytes()].concat()
}

pub(super) fn deleted_pool(created: u64) -> Vec<u8> {
    [b"x".as_slice(), &created.to_be_bytes()].concat()
}

/// The keys of the entry and of the state of a user pool.
pub(super) fn entry_and_state(is_deleted: bool, created: u64) -> (Vec<u8>, Vec<u8>) {
    if is_deleted {
        (deleted_entry(created), deleted_pool(created))
    } else {
        (entry(created), pool(created))
    }
}

pub(super) fn entry(created: u64) -> Vec<u8> {
    [b"e".as_slice(), &created.to_be_bytes()].concat()
}

pub(super) fn deleted_entry(created: u64) -> Vec<u8> {
    [b"g".as_slice(), &created.to_be_bytes()].concat()
}

/// The position at the end of a key or a value.
pub(super) fn position(key: &[u8]) -> u64 {
    key.last_chunk().copied().map_or(0, u64::from_be_bytes)
}

pub(super) fn domain(name: &str) -> Vec<u8> {
    [b"d", name.as_bytes()].concat()
}

pub(super) fn revision(created: u64, revision: u64) -> Vec<u8> {
    [b"r".as_slice(), &created.to_be_bytes(), &revision.to_be_bytes()].concat()
}

pub(super) fn tile(level: u32, index: u64) -> Vec<u8> {
    [[TILES].as_slice(), &level.to_be_bytes(), &index.to_be_bytes()].concat()
}

pub(super) fn request(id: Uuid) -> Vec<u8> {
    [b"i".as_slice(), id.as_bytes()].concat()
}

/// Sorts by name, and then by creation. No name has a zero byte.
pub(super) fn name(is_deleted: bool, name: &str, created: u64) -> Vec<u8> {
    let letter = if is_deleted { b"s" } else { b"n" };
    let end = name.floor_char_boundary(MAX_NAME_BYTES);
    let name = name.get(..end).unwrap_or_default().as_bytes();
    [letter.as_slice(), name, &[0], &created.to_be_bytes()].concat()
}

pub(super) fn without_domain(created: u64) -> Vec<u8> {
    [b"u".as_slice(), &created.to_be_bytes()].concat()
}

/// The key of the number of events of a type in an hour.
pub(super) fn count(hour: u64, event_type: u32) -> Vec<u8> {
    [b"c".as_slice(), &hour.to_be_bytes(), &event_type.to_be_bytes()].concat()
}

/// The hour and the type in such a key.
pub(super) fn hour_and_type(count: &[u8]) -> (u64, u32) {
    let event_type = count.last_chunk().copied().map_or(0, u32::from_be_bytes);
    let hour = count.get(1..9).and_then(|hour| hour.try_into().ok()).map_or(0, u64::from_be_bytes);
    (hour, event_type)
}
