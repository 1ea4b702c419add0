//! Properties of every request and every sequence of commands, tested on samples.

mod any_request;
mod aws_json;
mod legal;
mod round_trip;
mod sequences;
mod world;

use std::env;

use proptest::test_runner::{Config, RngSeed, TestRunner};

/// Runs the same `count` cases each time. `PROPTEST_CASES` and `PROPTEST_RNG_SEED`
/// select more and other cases.
fn trying(count: u32) -> TestRunner {
    let mut config = Config { failure_persistence: None, ..Config::default() };
    if env::var_os("PROPTEST_CASES").is_none() {
        config.cases = count;
    }
    if env::var_os("PROPTEST_RNG_SEED").is_none() {
        config.rng_seed = RngSeed::Fixed(20_171_211);
    }
    TestRunner::new(config)
}
