//! Pseudorandom numbers, and the length of the harnesses that use them.
//!
//! `USERPOOL_SEED` repeats a failed run as far as timing allows; `USERPOOL_ROUNDS`
//! makes the harnesses longer.

use std::env;

use bytes::Bytes;
use uuid::Uuid;

#[path = "../linearizability/random.rs"]
mod stream;

pub(crate) use self::stream::Random;

impl Random {
    /// From `USERPOOL_SEED`, or a new seed; a failed test prints it.
    pub(crate) fn seeded() -> Self {
        let seed = env::var("USERPOOL_SEED").ok().map(|seed| seed.parse().expect("a number"));
        let seed = seed.unwrap_or_else(|| getrandom::u64().expect("randomness"));
        eprintln!("to repeat this run, set USERPOOL_SEED={seed}");
        Self::from_seed(seed)
    }

    /// True so many times in a hundred.
    pub(crate) fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    /// Bytes that cannot be compressed.
    pub(crate) fn bytes(&mut self, count: usize) -> Bytes {
        (0..count).map(|_| self.next().to_be_bytes()[0]).collect()
    }

    pub(crate) fn uuid(&mut self) -> Uuid {
        Uuid::from_u64_pair(self.next(), self.next())
    }
}

/// The number of rounds of a harness: `USERPOOL_ROUNDS`, or `few`.
pub(crate) fn rounds(few: usize) -> usize {
    env::var("USERPOOL_ROUNDS").map_or(few, |rounds| rounds.parse().expect("a number"))
}
