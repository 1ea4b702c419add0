//! Several nodes of the whole service over one log, under faults, in virtual time:
//! one seed repeats a simulation.
//!
//! `tests/simulate` builds this with `--cfg tokio_unstable`, so that tokio draws from
//! the seed too, and with `--cfg sim_bugs`, so that bugs can be planted. Without them
//! it runs a few seeds, and a failure may not repeat.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a simulation stops at its first surprise"
)]

#[path = "../linearizability/mod.rs"]
mod linearizability;
mod log;
mod network;
mod node;
mod plan;
#[cfg(sim_bugs)]
mod planted_bugs;
#[path = "../linearizability/random.rs"]
mod random;
mod simulation;
mod trace;
mod watchers;
mod world;

use std::{env, str::FromStr, time::Duration};

use self::simulation::{Report, Tampering, simulate};

/// The number of seeds, unless the environment sets another.
const SEEDS: u64 = if cfg!(tokio_unstable) { 300 } else { 10 };

/// `SIMULATE_SEED` runs one seed, and `SIMULATE_SECONDS` runs new seeds for that
/// long.
#[test]
fn every_promise_holds_under_every_plan() {
    let mut total = Report::default();
    let mut count = 0;
    let mut try_seed = |seed| {
        let report = simulate(seed, Tampering::default()).unwrap_or_else(|failure| {
            unreachable!("{failure}");
        });
        count += 1;
        total.trace = total.trace.rotate_left(1) ^ report.trace;
        total.calls += report.calls;
        total.unanswered += report.unanswered;
        total.events += report.events;
        total.faults += report.faults;
        total.simulated += report.simulated;
    };
    if let Some(seed) = variable("SIMULATE_SEED") {
        try_seed(seed);
    } else if let Some(seconds) = variable("SIMULATE_SECONDS") {
        #[expect(clippy::disallowed_methods, reason = "this is how long a person waits")]
        let now = std::time::Instant::now;
        let (began, first) = (now(), getrandom::u64().expect("randomness"));
        for seed in (0..).map(|number| first.wrapping_add(number)) {
            if began.elapsed() >= Duration::from_secs(seconds) {
                break;
            }
            try_seed(seed);
        }
    } else {
        (0..SEEDS).for_each(try_seed);
    }
    eprintln!("{count} seeds: {total:?}");
}

#[cfg(tokio_unstable)]
#[test]
fn a_seed_repeats_itself() {
    for seed in 0..10 {
        let reports = [(); 3].map(|()| simulate(seed, Tampering::default()));
        let [first, second, third] = reports.map(|report| report.expect("no broken promise"));
        assert_eq!(first, second, "seed {seed}");
        assert_eq!(first, third, "seed {seed}");
    }
}

fn variable<T: FromStr>(name: &str) -> Option<T> {
    let value = env::var(name).ok()?;
    Some(value.parse().ok().unwrap_or_else(|| unreachable!("{name}={value} is not a number")))
}
