//! Trees of all sizes have the roots and proofs of RFC 9162.

use std::sync::LazyLock;

use serde_json::{Value, json};
use userpool::{
    audit::merkle::{
        Edge, ProofError, TreeHead, leaf_hash, prove_consistency, prove_inclusion, root,
    },
    event_log::Hash,
};

use super::{Tree, all_base64, base64, judge};
use crate::random::Random;

/// The largest tree.
const MAX_SIZE: u64 = 1_000_000;

/// The largest tree, which has all smaller ones in it.
static TREE: LazyLock<Tree> = LazyLock::new(|| Tree::of(MAX_SIZE));

/// Sizes around every power of two up to 2^12, and some at random up to the largest.
fn sizes() -> Vec<u64> {
    let around = (0..=12).flat_map(|power| [(1 << power) - 1, 1 << power, (1 << power) + 1]);
    let mut random = Random::from_seed(18);
    let random = (0..40).map(|_| below(&mut random, MAX_SIZE) + 1);
    let tiles = [65_535, 65_536, 65_537, MAX_SIZE - 1, MAX_SIZE];
    let mut sizes: Vec<u64> = around.chain(random).chain(tiles).collect();
    sizes.sort_unstable();
    sizes.dedup();
    sizes
}

/// Leaves of a tree of this size: both ends, and some at random.
fn leaves(size: u64) -> Vec<u64> {
    let mut random = Random::from_seed(size);
    let random = (0..4).map(|_| below(&mut random, size.max(1)));
    let mut leaves: Vec<_> = random.chain([0, size / 2, size.saturating_sub(1)]).collect();
    leaves.retain(|leaf| *leaf < size);
    leaves
}

fn below(random: &mut Random, limit: u64) -> u64 {
    let limit = usize::try_from(limit).expect("a limit");
    u64::try_from(random.below(limit)).expect("a number")
}

fn head(size: u64) -> TreeHead {
    TreeHead { size, root: root(&*TREE, size).expect("a root") }
}

fn inclusion(index: u64, size: u64) -> Vec<Hash> {
    prove_inclusion(&*TREE, index, size).expect("a proof")
}

fn consistency(old: u64, new: u64) -> Vec<Hash> {
    prove_consistency(&*TREE, old, new).expect("a proof")
}

fn tree_question(TreeHead { size, root }: TreeHead) -> Value {
    json!({"Tree": {"Size": size, "Root": base64(root)}})
}

fn inclusion_question(index: u64, TreeHead { size, root }: TreeHead, hashes: &[Hash]) -> Value {
    let record = data_encoding::BASE64.encode(&index.to_be_bytes());
    json!({"Inclusion": {
        "Record": record, "Index": index, "Size": size, "Root": base64(root),
        "Hashes": all_base64(hashes),
    }})
}

fn consistency_question(old: TreeHead, new: TreeHead, hashes: &[Hash]) -> Value {
    json!({"Consistency": {
        "OldSize": old.size, "OldRoot": base64(old.root),
        "NewSize": new.size, "NewRoot": base64(new.root),
        "Hashes": all_base64(hashes),
    }})
}

#[test]
fn go_computes_the_same_roots() {
    let questions: Vec<_> = sizes().into_iter().map(|size| tree_question(head(size))).collect();
    judge::assert_accepted(&questions, "that roots are those of other implementations");
}

#[test]
fn inclusion_proofs_are_accepted_by_go_and_here() {
    let mut questions = Vec::new();
    for size in sizes() {
        for index in leaves(size) {
            let (head, hashes) = (head(size), inclusion(index, size));
            head.verify_inclusion(&index.to_be_bytes(), index, &hashes).expect("included");
            questions.push(inclusion_question(index, head, &hashes));
        }
    }
    judge::assert_accepted(&questions, "that inclusion proofs are accepted elsewhere");
}

#[test]
fn consistency_proofs_are_accepted_by_go_and_here() {
    let mut questions = Vec::new();
    let sizes = sizes();
    for (place, new) in sizes.iter().enumerate() {
        for old in &sizes[..=place] {
            let (older, newer) = (head(*old), head(*new));
            let hashes = consistency(*old, *new);
            newer.verify_continues(&older, &hashes).expect("continued");
            // Go's packages do not prove what needs no proof.
            if *old > 0 {
                questions.push(consistency_question(older, newer, &hashes));
            }
        }
    }
    judge::assert_accepted(&questions, "that consistency proofs are accepted elsewhere");
}

/// Otherwise the tests above would say nothing.
#[test]
fn the_judge_refuses_false_proofs() {
    let (head, old) = (head(1000), head(600));
    let (included, continued) = (inclusion(7, 1000), consistency(600, 1000));
    let mut changed = included.clone();
    changed[3].0[5] ^= 1;
    let questions = [
        tree_question(TreeHead { size: 999, ..head }),
        inclusion_question(8, head, &included),
        inclusion_question(7, TreeHead { size: 2000, ..head }, &included),
        inclusion_question(7, head, &changed),
        inclusion_question(7, head, &included[1..]),
        consistency_question(TreeHead { size: 601, ..old }, head, &continued),
        consistency_question(old, TreeHead { root: old.root, ..head }, &continued),
        consistency_question(old, head, &continued[1..]),
    ];
    judge::assert_refused(&questions, "that the judge refuses false proofs");
}

/// Every byte of every proof matters, and so do the sizes, the index and the order.
#[test]
fn changed_proofs_are_refused() {
    let mut random = Random::from_seed(9162);
    for round in 0..400 {
        let size = below(&mut random, 5000) + 2;
        let index = below(&mut random, size);
        let tree = head(size);
        let record = index.to_be_bytes();
        let hashes = inclusion(index, size);
        let mut changed = hashes.clone();
        let place = random.below(hashes.len());
        match round % 4 {
            0 => changed[place].0[random.below(32)] ^= 1 << random.below(8),
            1 => drop(changed.remove(place)),
            2 => changed.insert(place, hashes[place]),
            _ => changed.push(tree.root),
        }
        let refused = tree.verify_inclusion(&record, index, &changed);
        assert_eq!(refused, Err(ProofError::NotIncluded), "{index} of {size}");
        for other in [index ^ 1, index + 1].into_iter().filter(|other| *other < size) {
            assert!(tree.verify_inclusion(&record, other, &hashes).is_err(), "{other} of {size}");
        }
        assert!(tree.verify_inclusion(&[0; 8], index, &hashes).is_err() || index == 0);

        let old = head(below(&mut random, size - 1) + 1);
        let hashes = consistency(old.size, size);
        let mut changed = hashes.clone();
        let place = random.below(hashes.len());
        match round % 3 {
            0 => changed[place].0[random.below(32)] ^= 1 << random.below(8),
            1 => drop(changed.remove(place)),
            _ => changed.push(tree.root),
        }
        let refused = tree.verify_continues(&old, &changed);
        assert_eq!(refused, Err(ProofError::NotContinued), "{} to {size}", old.size);
        let mut root = old.root;
        root.0[7] ^= 1;
        assert!(tree.verify_continues(&TreeHead { root, ..old }, &hashes).is_err());
    }
}

#[test]
fn impossible_sizes_are_refused_and_do_not_panic() {
    let tree = head(10);
    let largest = TreeHead { size: u64::MAX, ..tree };
    assert!(tree.verify_inclusion(b"", 10, &[]).is_err());
    assert!(tree.verify_inclusion(b"", u64::MAX, &[]).is_err());
    assert_eq!(largest.verify_inclusion(b"", 5, &[]), Err(ProofError::TooLarge(u64::MAX)));
    assert_eq!(largest.verify_continues(&tree, &[]), Err(ProofError::TooLarge(u64::MAX)));
    assert_eq!(
        tree.verify_continues(&largest, &[]),
        Err(ProofError::Shrunk { old: u64::MAX, new: 10 })
    );
    let empty = head(0);
    tree.verify_continues(&empty, &[]).expect("every tree continues the empty one");
    let other = TreeHead { root: tree.root, ..empty };
    assert!(tree.verify_continues(&other, &[]).is_err());
    assert!(inclusion(10, 10).is_empty());
    assert!(consistency(11, 10).is_empty());
}

/// What a restart does.
#[test]
fn the_edge_is_restored_from_full_tiles_and_the_last_leaves() {
    for size in [1, 255, 256, 257, 65_535, 65_536, 65_791, 65_792, 66_000] {
        let tree = Tree::of(size);
        let last = (size - size % 256..size).map(|index| leaf_hash(&index.to_be_bytes()));
        let Ok(restored) = Edge::open(&tree, size, last.collect());
        assert_eq!(restored.root(), tree.edge.root(), "{size}");
        assert_eq!(restored, tree.edge, "{size}");
    }
}
