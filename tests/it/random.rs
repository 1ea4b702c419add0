//! Numbers that look random, and how long the harnesses that use them go on.
//!
//! `USERPOOL_SEED` repeats the run of a test that failed, as far as the machine's
//! own timing allows; `USERPOOL_ROUNDS` makes the harnesses longer.

use std::env;

#[path = "../linearizability/random.rs"]
mod stream;

pub(crate) use self::stream::Random;

impl Random {
    /// From `USERPOOL_SEED`, or a seed of its own; a failed test shows which.
    pub(crate) fn seeded() -> Self {
        let seed = env::var("USERPOOL_SEED").ok().map(|seed| seed.parse().expect("a number"));
        let seed = seed.unwrap_or_else(|| getrandom::u64().expect("randomness"));
        eprintln!("to have the same again, set USERPOOL_SEED={seed}");
        Self::from_seed(seed)
    }
}

/// How many rounds a harness goes: `USERPOOL_ROUNDS`, or few.
pub(crate) fn rounds(few: usize) -> usize {
    env::var("USERPOOL_ROUNDS").map_or(few, |rounds| rounds.parse().expect("a number"))
}
