//! The Merkle tree over the records of a log, as in RFC 9162, section 2.1: hashes, proofs, and
//! their verification. A leaf is a stored record, and its index is its position less one. Knows
//! nothing of the place where the hashes are kept.
//!
//! Hashes are kept in tiles of 256, as in C2SP's tlog-tiles: those of level 0 are the hashes of
//! records, and those of a higher level the roots of the full tiles below.

mod edge;
mod proof;

use std::ops::Range;

use data_encoding::BASE64;
use sha2::{Digest as _, Sha256};

use crate::event_log::Hash;

pub use self::{
    edge::{Edge, Tile},
    proof::{Nodes, ProofError, TreeHead, prove_consistency, prove_inclusion, root},
};

/// How many hashes a full tile has.
pub const TILE_WIDTH: u64 = 256;

/// The height of the subtree whose leaves are the hashes of a full tile.
const TILE_HEIGHT: u32 = TILE_WIDTH.trailing_zeros();

/// As many hashes as the proof of a tree of 2^63 leaves has.
const MAX_HASHES: usize = 63;

/// What comes before the bytes that are hashed, so that no leaf is a node.
const LEAF: [u8; 1] = [0];
const NODE: [u8; 1] = [1];

/// The hash of a leaf: of the stored bytes of a record.
#[must_use]
pub fn leaf_hash(record: &[u8]) -> Hash {
    Hash(Sha256::new_with_prefix(LEAF).chain_update(record).finalize().into())
}

fn node_hash(left: Hash, right: Hash) -> Hash {
    Hash(Sha256::new_with_prefix(NODE).chain_update(left.0).chain_update(right.0).finalize().into())
}

/// The root of a tree without leaves.
fn empty_root() -> Hash {
    Hash(Sha256::digest([]).into())
}

/// The root of the tree over these hashes: of leaves, or of full subtrees of one size, after
/// which one that is not full may follow.
fn fold(hashes: &[Hash]) -> Hash {
    match hashes {
        [] => empty_root(),
        [one] => *one,
        many => {
            // The largest power of two that is less than the number of hashes.
            let (left, right) = many.split_at(many.len().next_power_of_two() / 2);
            node_hash(fold(left), fold(right))
        }
    }
}

/// The leaves below the node with this number, in a tree of `size` leaves. Nodes are numbered
/// from left to right, leaves and parents alike, so that leaf `n` has number `2 * n`.
fn leaves_below(node: u64, size: u64) -> Range<u64> {
    let height = node.trailing_ones();
    let start = node.checked_shr(height.saturating_add(1)).unwrap_or_default() << height;
    start..start.saturating_add(1 << height).min(size)
}

/// A hash as notes and proofs have it.
pub(super) fn to_base64(hash: Hash) -> String {
    BASE64.encode(&hash.0)
}

/// Reads the lines of a proof, each of which has a hash; the error says what is wrong with them.
pub(super) fn parse_hashes<'a>(
    lines: impl Iterator<Item = &'a str>,
) -> Result<Vec<Hash>, &'static str> {
    let hashes: Option<Vec<_>> =
        lines.take(MAX_HASHES.saturating_add(1)).map(from_base64).collect();
    match hashes {
        None => Err("one of its lines is not a hash"),
        Some(hashes) if hashes.len() > MAX_HASHES => Err("it has more hashes than any proof"),
        Some(hashes) => Ok(hashes),
    }
}

/// Reads a hash in the only base64 that [`to_base64`] writes for it.
pub(super) fn from_base64(text: &str) -> Option<Hash> {
    BASE64.decode(text.as_bytes()).ok()?.try_into().ok().map(Hash)
}
