//! The keys of the read model. The documentation of `read_model` lists them.

use uuid::Uuid;

pub(super) const CHECKPOINT: &[u8] = b"m";
/// The first bytes of the keys of entries.
pub(super) const ENTRIES: [u8; 2] = [b'e', b'g'];
/// The first bytes of the keys of domains, requests and revisions, which the digest includes.
pub(super) const ROWS: [u8; 3] = [b'd', b'i', b'r'];
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

pub(super) fn request(id: Uuid) -> Vec<u8> {
    [b"i".as_slice(), id.as_bytes()].concat()
}
