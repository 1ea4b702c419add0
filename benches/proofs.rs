//! The cost of the Merkle tree: of a record that is appended, and of proving one event among a
//! million.
//!
//! `cargo bench --bench proofs`; `USERPOOL_EVENTS=100000` for a smaller tree.

#![expect(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a bench stops at its first error, prints its figures and measures real time"
)]

use std::{
    collections::HashMap,
    convert::Infallible,
    env,
    hint::black_box,
    time::{Duration, Instant},
};

use userpool::{
    audit::merkle::{
        Edge, Nodes, TILE_WIDTH, TreeHead, leaf_hash, prove_consistency, prove_inclusion,
    },
    event_log::Hash,
};

/// The sizes of the records: those of a small change, and of a whole user pool.
const RECORD_BYTES: [usize; 2] = [600, 2000];
const ROUNDS: u32 = 10_000;

#[derive(Default)]
struct Tree {
    edge: Edge,
    tiles: HashMap<(u32, u64), Vec<Hash>>,
}

impl Tree {
    fn push(&mut self, leaf: Hash) {
        for tile in self.edge.push(leaf) {
            self.tiles.insert((tile.level, tile.index), tile.hashes);
        }
    }
}

impl Nodes for Tree {
    type Error = Infallible;

    fn hashes(&self, level: u32, first: u64, count: u64) -> Result<Vec<Hash>, Infallible> {
        let (index, place) = (first / TILE_WIDTH, first % TILE_WIDTH);
        let (last, hashes) = self.edge.last_tile(level);
        let tile = self.tiles.get(&(level, index)).filter(|_| index != last);
        let range = usize::try_from(place).expect("small")..;
        let hashes = tile.map_or(hashes, Vec::as_slice).get(range).expect("a place");
        Ok(hashes.iter().copied().take(usize::try_from(count).expect("small")).collect())
    }
}

fn main() {
    let events = env::var("USERPOOL_EVENTS").ok().and_then(|text| text.parse().ok());
    let events: u64 = events.unwrap_or(1_000_000);
    let mut record = vec![0; 600];
    let mut tree = Tree::default();
    for bytes in RECORD_BYTES {
        record = vec![7; bytes];
        tree = Tree::default();
        let started = Instant::now();
        for index in 0..events {
            record.splice(0..8, index.to_be_bytes());
            tree.push(leaf_hash(&record));
        }
        let each = started.elapsed() / u32::try_from(events).expect("few");
        println!("append a record of {bytes} bytes: {each:?}");
    }
    println!("root at the end: {:?}", time(|| tree.edge.root()));
    println!("copy of the edge: {:?}", time(|| tree.edge.clone()));
    let (index, head) = (events / 3, TreeHead { size: events, root: tree.edge.root() });
    println!("prove one event: {:?}", time(|| prove_inclusion(&tree, index, events)));
    let Ok(proof) = prove_inclusion(&tree, index, events);
    record.splice(0..8, index.to_be_bytes());
    let verify = || head.verify_inclusion(&record, index, &proof).expect("included");
    println!("verify it: {:?}; {} hashes, {} bytes", time(verify), proof.len(), proof.len() * 32);
    let older = events * 2 / 3;
    println!("prove consistency: {:?}", time(|| prove_consistency(&tree, older, events)));
}

/// The mean of many rounds.
fn time<T>(run: impl Fn() -> T) -> Duration {
    let started = Instant::now();
    for _ in 0..ROUNDS {
        black_box(run());
    }
    started.elapsed() / ROUNDS
}
