//! Proofs: that a record is in a tree, and that one tree continues another. The nodes that a
//! proof consists of, and its verification, come from `ct_merkle`.

use std::ops::Range;

use ct_merkle::{
    ConsistencyProof, InclusionProof, RootHash, indices_for_consistency_proof,
    indices_for_inclusion_proof,
};
use sha2::Sha256;

use crate::event_log::Hash;

use super::{TILE_HEIGHT, empty_root, fold, leaves_below, node_hash};

/// More leaves than any log has, and as many as a position in a message can count.
const MAX_SIZE: u64 = i64::MAX.cast_unsigned();

/// The hashes of a tree, level by level.
pub trait Nodes {
    /// Why a hash cannot be read.
    type Error;

    /// `count` hashes of a level, from the one with index `first`. They are in one tile, and
    /// their subtrees are full.
    ///
    /// # Errors
    /// One of them is missing, or cannot be read.
    fn hashes(&self, level: u32, first: u64, count: u64) -> Result<Vec<Hash>, Self::Error>;
}

/// The size of a tree and its root, which together determine its leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TreeHead {
    /// How many leaves it has: the position of the last record.
    pub size: u64,
    /// Its root.
    pub root: Hash,
}

/// A proof is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// The tree does not have that many leaves.
    #[error("a tree of {size} records has no record with index {index}")]
    NoSuchLeaf {
        /// The index.
        index: u64,
        /// The size of the tree.
        size: u64,
    },
    /// The older tree is the larger one.
    #[error("a tree of {new} records cannot continue one of {old}")]
    Shrunk {
        /// The size of the older tree.
        old: u64,
        /// The size of the newer tree.
        new: u64,
    },
    /// No log is that long.
    #[error("no log has {0} records")]
    TooLarge(u64),
    /// The hashes do not lead from the record to the root.
    #[error("the hashes do not lead from the record to the root: one of them was changed")]
    NotIncluded,
    /// The hashes do not lead from one root to the other.
    #[error(
        "the hashes do not lead from the older root to the newer: the history was rewritten, or \
         the proof was changed"
    )]
    NotContinued,
}

/// The root of the tree of the first `size` leaves.
///
/// # Errors
/// A hash cannot be read.
pub fn root<N: Nodes>(nodes: &N, size: u64) -> Result<Hash, N::Error> {
    subtree(nodes, 0..size)
}

/// The hashes that prove that the leaf with this index is in the tree of the first `size`
/// leaves, from its sibling to the child of the root. None if it is not.
///
/// # Errors
/// A hash cannot be read.
pub fn prove_inclusion<N: Nodes>(nodes: &N, index: u64, size: u64) -> Result<Vec<Hash>, N::Error> {
    if index >= size || size > MAX_SIZE {
        return Ok(Vec::new());
    }
    collect(nodes, indices_for_inclusion_proof(size, index), size)
}

/// The hashes that prove that the tree of the first `new` leaves continues that of the first
/// `old`. None are needed if `old` is 0 or `new`, and there are none if it is more.
///
/// # Errors
/// A hash cannot be read.
pub fn prove_consistency<N: Nodes>(nodes: &N, old: u64, new: u64) -> Result<Vec<Hash>, N::Error> {
    match new.checked_sub(old) {
        Some(added) if old > 0 && new <= MAX_SIZE => {
            collect(nodes, indices_for_consistency_proof(old, added), new)
        }
        Some(_) | None => Ok(Vec::new()),
    }
}

fn collect<N: Nodes>(nodes: &N, proof: Vec<u64>, size: u64) -> Result<Vec<Hash>, N::Error> {
    proof.into_iter().map(|node| subtree(nodes, leaves_below(node, size))).collect()
}

/// The root over a range of leaves, which is a subtree of some tree.
fn subtree<N: Nodes>(nodes: &N, leaves: Range<u64>) -> Result<Hash, N::Error> {
    let Range { start, end } = leaves;
    let count = end.saturating_sub(start);
    if count == 0 {
        return Ok(empty_root());
    }
    if count.is_power_of_two() {
        let height = count.trailing_zeros();
        let (level, rest) = (height / TILE_HEIGHT, height % TILE_HEIGHT);
        let first = start >> level.saturating_mul(TILE_HEIGHT);
        return Ok(fold(&nodes.hashes(level, first, 1 << rest)?));
    }
    let middle = start.saturating_add(count.next_power_of_two() / 2);
    Ok(node_hash(subtree(nodes, start..middle)?, subtree(nodes, middle..end)?))
}

impl TreeHead {
    /// The tree without leaves.
    #[must_use]
    pub fn empty() -> Self {
        Self { size: 0, root: empty_root() }
    }

    /// Checks that a record is the leaf with this index.
    ///
    /// # Errors
    /// It is not, or the hashes do not prove it.
    pub fn verify_inclusion(
        &self,
        record: &[u8],
        index: u64,
        hashes: &[Hash],
    ) -> Result<(), ProofError> {
        let Self { size, .. } = *self;
        if index >= size {
            return Err(ProofError::NoSuchLeaf { index, size });
        }
        let root = self.to_ct_merkle()?;
        let proof = InclusionProof::try_from_bytes(concat(hashes));
        let proof = proof.map_err(|_| ProofError::NotIncluded)?;
        root.verify_inclusion(&record, index, &proof).map_err(|_| ProofError::NotIncluded)
    }

    /// Checks that this tree continues an older one.
    ///
    /// # Errors
    /// It does not, or the hashes do not prove it.
    pub fn verify_continues(&self, old: &Self, hashes: &[Hash]) -> Result<(), ProofError> {
        if old.size > self.size {
            return Err(ProofError::Shrunk { old: old.size, new: self.size });
        }
        let (older, newer) = (old.to_ct_merkle()?, self.to_ct_merkle()?);
        if old.size == 0 {
            // Every tree continues the empty one.
            let is_empty = |tree: &Self| tree.root == empty_root();
            let is_right = hashes.is_empty() && is_empty(old) && (self.size > 0 || is_empty(self));
            return if is_right { Ok(()) } else { Err(ProofError::NotContinued) };
        }
        let proof = ConsistencyProof::try_from_bytes(concat(hashes));
        let proof = proof.map_err(|_| ProofError::NotContinued)?;
        newer.verify_consistency(&older, &proof).map_err(|_| ProofError::NotContinued)
    }

    /// Converts the head for `ct_merkle`, which panics for more than 2^63 leaves.
    fn to_ct_merkle(self) -> Result<RootHash<Sha256>, ProofError> {
        let Self { size, root } = self;
        if size > MAX_SIZE {
            return Err(ProofError::TooLarge(size));
        }
        Ok(RootHash::new(root.0.into(), size))
    }
}

fn concat(hashes: &[Hash]) -> Vec<u8> {
    hashes.iter().flat_map(|hash| hash.0).collect()
}
