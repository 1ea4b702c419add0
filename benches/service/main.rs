//! The speed of the service, compared with the limits of its parts and with other
//! servers. Each comparison takes turns between its sides within one run.
//!
//! `benches/run` installs what this needs and runs it. The environment:
//! `USERPOOL_BENCH_ONLY=describe,create` selects comparisons,
//! `USERPOOL_BENCH_SECONDS` and `USERPOOL_BENCH_ROUNDS` set their length,
//! `USERPOOL_BENCH_EVENTS` the size of the large log, and `USERPOOL_BENCH_QUICK=1`,
//! or `--quick`, only tests the bench.

#![expect(
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a bench stops at its first error, and prints figures for people"
)]

mod append;
mod aws;
mod bare;
mod client;
mod coalesced;
mod console;
mod create;
mod data;
#[path = "../data_directory.rs"]
mod data_directory;
mod describe;
mod disk;
mod figures;
mod generators;
mod growth;
mod load;
mod machine;
mod messages;
mod moto;
mod plot;
mod process;
mod publish;
mod raw;
mod replicas;
mod report;
mod rounds;
mod settings;
#[path = "../../tests/it/aws/signer.rs"]
mod signer;
mod start;
mod tools;
mod updates;
#[path = "../varied_pools.rs"]
mod varied_pools;
mod watch;
#[path = "../../src/transport/write_coalescer.rs"]
mod write_coalescer;
mod zipf;

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use tempfile::TempDir;
use tokio::runtime::Runtime;

use self::{
    machine::Machine, messages::Messages, report::Report, settings::Settings, tools::Tools,
};

/// The bare server uses our allocator too, since it is meant as a limit.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The common input of every comparison.
struct Bench {
    settings: Settings,
    tools: Tools,
    runtime: Runtime,
    messages: Messages,
    /// The directory for data, on the disk of `target`.
    scratch: TempDir,
}

/// The prefix of directories for one run.
const SCRATCH: &str = "run-";

/// How many threads may want to run before the bench begins.
const QUIET: f64 = 0.5;

type Comparison = fn(&Bench, &mut Report);

const COMPARISONS: [(&str, Comparison); 12] = [
    ("describe", describe::compare),
    ("aws", aws::compare),
    ("create", create::compare),
    ("generators", generators::compare),
    ("moto", moto::compare),
    // Before others append to the large log.
    ("start", start::compare),
    ("growth", growth::compare),
    ("console", console::compare),
    ("watch", watch::compare),
    ("disk", disk::compare),
    ("updates", updates::compare),
    ("replicas", replicas::compare),
];

fn main() {
    match env::args().nth(1).as_deref() {
        Some(bare::ARGUMENT) => bare::serve(false),
        Some(bare::COALESCING) => bare::serve(true),
        Some(append::ARGUMENT) => append::append(),
        Some(_) | None => run(),
    }
}

fn run() {
    let settings = Settings::read(env::args().any(|argument| argument == "--quick"));
    let names = COMPARISONS.map(|(name, _)| name);
    let unknown = settings.unknown(&names);
    assert!(unknown.is_none(), "USERPOOL_BENCH_ONLY: there is no {unknown:?}, only {names:?}");
    let load_before = machine::load();
    let target = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target/bench");
    fs::create_dir_all(&target).expect("target/bench");
    let scratch = scratch(&target);
    let runtime = Runtime::new().expect("a runtime");
    let messages = runtime.block_on(Messages::make(scratch.path()));
    let bench = Bench { settings, tools: Tools::find(), runtime, messages, scratch };

    let sync = append::turn(
        &bench.settings,
        &append::here(bench.scratch.path()),
        &bench.messages.record_file,
        1,
    );
    let machine = Machine::look(bench.scratch.path(), sync.p50_ms, load_before);
    println!("{machine}\n");
    if load_before > QUIET {
        println!("THE MACHINE IS BUSY: the figures say little, above all those of syncs\n");
    }
    let mut report = Report::default();
    for (name, compare) in COMPARISONS {
        if bench.settings.wants(name) {
            compare(&bench, &mut report);
        }
    }
    report.write(&target.join("results.json"), &bench.settings, &machine);
    publish::publish(&report, &bench.settings, &machine, &target);
}

/// A directory for this run. A run that was killed leaves its directory behind.
fn scratch(target: &Path) -> TempDir {
    let entries = fs::read_dir(target).expect("target/bench").filter_map(Result::ok);
    for left in entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(SCRATCH)) {
        let _ = fs::remove_dir_all(left.path());
    }
    tempfile::Builder::new().prefix(SCRATCH).tempdir_in(target).expect("a directory")
}
