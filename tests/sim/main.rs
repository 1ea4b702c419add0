//! Several nodes of the whole service over one log, under faults, in virtual time:
//! one seed repeats a simulation.
//!
//! `tests/simulate` builds this with `--cfg tokio_unstable`, so that tokio draws from
//! the seed too, and with `--cfg sim_bugs`, so that bugs can be planted. Without them
//! it runs a few seeds, and a failure may not repeat.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a simulation stops at its first surprise"
)]

mod audit;
mod engine;
mod forks;
mod landings;
mod lies;
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
mod shrink;
mod simulation;
mod situations;
mod trace;
mod turns;
mod watchers;
mod world;

use std::{env, fmt, fs, path::Path, str::FromStr, time::Duration};

use self::{
    plan::Case,
    shrink::shrink,
    simulation::{Failure, Report, Tampering, simulate},
};

/// The number of seeds that every run tries.
pub(crate) const SEEDS: u64 = if cfg!(tokio_unstable) { 300 } else { 10 };

/// How often a long run prints its results so far.
const PRINTED_EVERY: Duration = Duration::from_mins(10);

#[test]
fn every_promise_holds_under_every_plan() {
    let mut total = Total::default();
    (0..SEEDS).for_each(|seed| total.add(&Case::draw(seed)));
    eprintln!("{total}");
    #[cfg(all(tokio_unstable, sim_bugs))]
    assert_eq!(total.report.met.missing(), [], "no seed met these situations");
}

/// The cases in `tests/sim/cases` once broke a promise, some of them with a planted bug.
#[test]
fn every_promise_holds_in_the_cases_that_are_kept() {
    let mut total = Total::default();
    kept_cases().for_each(|(_, case)| total.add(&case));
    assert!(total.cases > 0);
}

/// The cases that are kept, each with the name of its file.
pub(crate) fn kept_cases() -> impl Iterator<Item = (String, Case)> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sim/cases");
    fs::read_dir(directory).expect("a directory").map(|entry| {
        let entry = entry.expect("an entry");
        (entry.file_name().to_string_lossy().into_owned(), read_case(&entry.path()))
    })
}

/// Runs one seed, the case in a file, or new seeds for some time, as the environment says.
#[test]
#[ignore = "tests/simulate runs it"]
fn every_promise_holds_in_chosen_cases() {
    let mut total = Total::default();
    if let Some(seed) = variable("SIMULATE_SEED") {
        total.add(&Case::draw(seed));
    } else if let Some(path) = variable::<String>("SIMULATE_CASE") {
        total.add(&read_case(Path::new(&path)));
    } else if let Some(seconds) = variable("SIMULATE_SECONDS") {
        #[expect(clippy::disallowed_methods, reason = "this is how long a person waits")]
        let now = std::time::Instant::now;
        let (began, first) = (now(), getrandom::u64().expect("randomness"));
        let mut printed = Duration::ZERO;
        for seed in (0..).map(|number| first.wrapping_add(number)) {
            let elapsed = began.elapsed();
            if elapsed >= Duration::from_secs(seconds) {
                break;
            }
            if elapsed >= printed + PRINTED_EVERY {
                printed = elapsed;
                eprintln!("{} s: {total}", elapsed.as_secs());
            }
            total.add(&Case::draw(seed));
        }
    }
    eprintln!("{total}");
    assert!(total.cases > 0, "choose a seed, a case or a time");
}

#[cfg(tokio_unstable)]
#[test]
fn a_seed_repeats_itself() {
    for case in (0..10).map(Case::draw) {
        let reports = [(); 3].map(|()| simulate(&case, Tampering::default()));
        let [first, second, third] = reports.map(|report| report.expect("no broken promise"));
        assert_eq!(first, second, "{case:?}");
        assert_eq!(first, third, "{case:?}");
    }
}

#[cfg(tokio_unstable)]
#[test]
fn a_seed_repeats_itself_in_another_process() {
    for seed in 0..10_u64 {
        let mut here = Total::default();
        here.add(&Case::draw(seed));
        let there = std::process::Command::new(env::current_exe().expect("this program"))
            .args(["--exact", "every_promise_holds_in_chosen_cases", "--ignored", "--nocapture"])
            .env("SIMULATE_SEED", seed.to_string())
            .output()
            .expect("another process");
        let printed = String::from_utf8_lossy(&there.stderr);
        assert!(printed.contains(&here.to_string()), "{here}\n{printed}");
    }
}

/// The results of the cases so far.
#[derive(Default)]
struct Total {
    cases: usize,
    report: Report,
}

impl Total {
    /// Simulates a case. If it breaks a promise, a smaller one is searched and kept in a file.
    fn add(&mut self, case: &Case) {
        match simulate(case, Tampering::default()) {
            Ok(report) => self.report.add(&report),
            Err(failure) => fail(failure),
        }
        self.cases += 1;
    }
}

impl fmt::Display for Total {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Report { trace, calls, unanswered, events, faults, simulated, met } = &self.report;
        writeln!(
            f,
            "{} cases, trace {trace:016x}: {calls} calls, {unanswered} of them unanswered, \
             {events} events, {faults} faults, {:.1} hours",
            self.cases,
            simulated.as_secs_f64() / 3600.0
        )?;
        for (situation, count) in met.counts() {
            writeln!(f, "{count:>9} {situation:?}")?;
        }
        Ok(())
    }
}

fn fail(failure: Box<Failure>) -> ! {
    let (seed, violation) = (failure.case.seed, failure.violation.clone());
    let smallest = shrink(failure, Tampering::default());
    let json = serde_json::to_string_pretty(&smallest.case).expect("numbers");
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("seed-{seed}.json"));
    fs::write(&path, &json).expect("a file");
    panic!(
        "seed {seed}: {violation}\n\
         to see it again: tests/simulate --seed {seed}\n\
         the smallest case that fails: {}\n{json}\n\
         to see it again: tests/simulate --case {}\n\
         when it is fixed, keep the file in tests/sim/cases",
        smallest.violation,
        path.display()
    );
}

fn read_case(path: &Path) -> Case {
    let json = fs::read(path).expect("a file");
    serde_json::from_slice(&json).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn variable<T: FromStr>(name: &str) -> Option<T> {
    let value = env::var(name).ok()?;
    Some(value.parse().ok().unwrap_or_else(|| panic!("{name}={value} is not a number")))
}
