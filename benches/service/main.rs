//! How fast the service is: against the limits of what it stands on, and against
//! others. Each comparison takes turns between its sides within one run.
//!
//! `benches/run` installs what this needs and runs it. In the environment:
//! `USERPOOL_BENCH_ONLY=describe,create` names comparisons, `USERPOOL_BENCH_SECONDS`
//! and `USERPOOL_BENCH_ROUNDS` their length, `USERPOOL_BENCH_EVENTS` the size of the
//! large log, and `USERPOOL_BENCH_QUICK=1`, or `--quick`, only tries the bench.

#![expect(
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a bench stops at its first surprise, and prints figures for people"
)]
#![expect(dead_code, reason = "the comparisons that use the rest are still to come")]

mod append;
mod bare;
mod client;
mod create;
mod data;
mod describe;
mod disk;
mod figures;
mod growth;
mod load;
mod machine;
#[path = "../made.rs"]
mod made;
mod messages;
mod process;
mod raw;
mod report;
mod rounds;
mod settings;
mod start;
mod tools;
mod watch;

use std::{env, fs, path::PathBuf};

use tempfile::TempDir;
use tokio::runtime::Runtime;

use self::{
    machine::Machine, messages::Messages, report::Report, settings::Settings, tools::Tools,
};

/// What every comparison works with.
struct Bench {
    settings: Settings,
    tools: Tools,
    runtime: Runtime,
    messages: Messages,
    /// Where the servers keep their data: on the disk that `target` is on.
    scratch: TempDir,
}

type Comparison = fn(&Bench, &mut Report);

const COMPARISONS: [(&str, Comparison); 6] = [
    ("describe", describe::compare),
    ("create", create::compare),
    ("growth", growth::compare),
    ("start", start::compare),
    ("watch", watch::compare),
    ("disk", disk::compare),
];

fn main() {
    match env::args().nth(1).as_deref() {
        Some(bare::ARGUMENT) => bare::serve(),
        Some(append::ARGUMENT) => append::append(),
        Some(_) | None => run(),
    }
}

fn run() {
    let load_before = machine::load();
    let target = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target/bench");
    fs::create_dir_all(&target).expect("target/bench");
    let scratch = tempfile::tempdir_in(&target).expect("a directory");
    let runtime = Runtime::new().expect("a runtime");
    let messages = runtime.block_on(Messages::make(scratch.path()));
    let settings = Settings::read(env::args().any(|argument| argument == "--quick"));
    let bench = Bench { settings, tools: Tools::find(), runtime, messages, scratch };

    let sync = append::turn(
        &bench.settings,
        &append::here(bench.scratch.path()),
        &bench.messages.record_file,
        1,
    );
    let machine = Machine::look(bench.scratch.path(), sync.p50_ms, load_before);
    println!("{machine}\n");
    let mut report = Report::default();
    for (name, compare) in COMPARISONS {
        if bench.settings.wants(name) {
            compare(&bench, &mut report);
        }
    }
    println!("{}", report.table());
    report.write(&target.join("results.json"), &bench.settings, &machine);
}
