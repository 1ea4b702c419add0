//! Randomness that can be had again: everything in a run follows from its seed.

use std::env;

use uuid::Uuid;

/// A stream of random numbers (`SplitMix64`).
#[derive(Debug)]
pub(super) struct Random(u64);

impl Random {
    /// From `USERPOOL_SEED`, or a seed of its own; a failed test shows which.
    pub(super) fn seeded() -> Self {
        let seed = env::var("USERPOOL_SEED").ok().map(|seed| seed.parse().expect("a number"));
        let seed = seed.unwrap_or_else(|| getrandom::u64().expect("randomness"));
        eprintln!("to repeat this run, set USERPOOL_SEED={seed}");
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A stream of its own.
    pub(super) fn fork(&mut self) -> Self {
        Self(self.next())
    }

    pub(super) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    /// True so many times in a hundred.
    pub(super) fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    pub(super) fn pick<'a, T>(&mut self, from: &'a [T]) -> Option<&'a T> {
        let count = u64::try_from(from.len()).expect("a small number");
        from.get(usize::try_from(self.below(count.max(1))).expect("a small number"))
    }

    pub(super) fn uuid(&mut self) -> Uuid {
        Uuid::from_u64_pair(self.next(), self.next())
    }
}

/// How many rounds a harness goes: `USERPOOL_ROUNDS`, or few.
pub(super) fn rounds(few: u64) -> u64 {
    env::var("USERPOOL_ROUNDS").map_or(few, |rounds| rounds.parse().expect("a number"))
}
