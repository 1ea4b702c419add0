//! Almost valid bytes: those of a corpus with a few changes.

use std::fs;

use crate::{random::Random, tools::repository};

/// Boundary values.
const EDGES: [u8; 8] = [0, 1, 0x7f, 0x80, 0xff, b'"', b'{', b'\\'];
/// The longest generated input, in bytes.
const LENGTH: usize = 16 * 1024;

/// The files of `fuzz/corpus` for a target.
pub(crate) fn corpus(target: &str) -> Vec<Vec<u8>> {
    let directory = repository().join("fuzz/corpus").join(target);
    let entries = fs::read_dir(&directory).expect("a corpus");
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
    // Sorted, so that a seed gives the same inputs on every machine.
    paths.sort();
    let seeds: Vec<_> = paths.iter().map(|path| fs::read(path).expect("a seed")).collect();
    assert!(!seeds.is_empty(), "{} is empty", directory.display());
    seeds
}

/// An input from the corpus or random bytes, with up to eight changes.
pub(crate) fn mutated(random: &mut Random, corpus: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = random.pick(corpus).cloned().unwrap_or_default();
    if random.once_in(16) {
        bytes = noise(random, 256);
    }
    for _ in 0..=random.below(8) {
        let place = random.below(bytes.len() + 1);
        let end = (place + random.below(16)).min(bytes.len());
        match random.below(7) {
            0 => {
                if let Some(byte) = bytes.get_mut(place) {
                    *byte ^= 1 << random.below(8);
                }
            }
            1 => {
                if let Some(byte) = bytes.get_mut(place) {
                    *byte = *random.pick(&EDGES).expect("an edge");
                }
            }
            2 => drop(bytes.drain(place..end)),
            3 => bytes.truncate(place),
            4 => insert(&mut bytes, place, &noise(random, 16)),
            // A varint of any length, including one that is too long.
            5 => insert(&mut bytes, place, &vec![0xff; random.below(12)]),
            _ => {
                let other = random.pick(corpus).cloned().unwrap_or_default();
                let from = random.below(other.len() + 1);
                let length = random.below(64).min(other.len() - from);
                insert(&mut bytes, place, &other[from..from + length]);
            }
        }
    }
    bytes.truncate(LENGTH);
    bytes
}

fn insert(bytes: &mut Vec<u8>, place: usize, inserted: &[u8]) {
    bytes.splice(place..place, inserted.iter().copied());
}

fn noise(random: &mut Random, most: usize) -> Vec<u8> {
    let length = random.below(most);
    (0..length).map(|_| random.next().to_le_bytes()[0]).collect()
}
