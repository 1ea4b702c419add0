//! Load from independent generators: h2load, whose log counts and times the calls.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use crate::{figures::Run, process::Cpu, settings::Settings};

/// The connections over which calls in flight are spread, if there are that many.
pub(crate) const CONNECTIONS: usize = 8;

/// A call that is repeated.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    /// Its target: an address and a port.
    pub(crate) address: String,
    pub(crate) path: &'static str,
    /// A file with the body of the request.
    pub(crate) body: PathBuf,
    /// The least number of bytes of a right answer. An answer with a status other
    /// than OK has no message, and h2load would count it too.
    pub(crate) answer_bytes: usize,
    /// The CPU time of the server.
    pub(crate) cpu: Cpu,
    /// The headers of the call in AWS's JSON; `None` for gRPC.
    pub(crate) aws_headers: Option<Vec<(&'static str, String)>>,
}

/// Runs h2load with this many calls in flight, for one turn.
pub(crate) fn h2load(settings: &Settings, call: &Call, in_flight: usize) -> Run {
    let log = in_memory(&format!("userpool-bench-{}.log", std::process::id()));
    // HTTP/1.1 has one call at a time on a connection.
    let connections =
        if call.aws_headers.is_some() { in_flight } else { in_flight.min(CONNECTIONS) };
    let mut command = Command::new("h2load");
    command
        .arg(format!("--duration={}", milliseconds(settings.time)))
        .arg(format!("--warm-up-time={}", milliseconds(settings.warm_up())))
        .arg(format!("--log-file={}", log.display()))
        .arg(format!("--data={}", call.body.display()))
        .arg(format!("--clients={connections}"))
        .arg(format!("--max-concurrent-streams={}", in_flight / connections));
    match &call.aws_headers {
        None => {
            command.args(["--header=content-type: application/grpc", "--header=te: trailers"]);
        }
        Some(headers) => {
            command.arg("--h1");
            command.args(headers.iter().map(|(name, value)| format!("--header={name}: {value}")));
        }
    }
    command.arg(format!("http://{}{}", call.address, call.path));
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let child = child.expect("h2load; benches/run installs it");
    let warm = Instant::now() + settings.warm_up();
    let ticks = call.cpu.between(warm, warm + settings.time);
    let output = child.wait_with_output().expect("its output");
    let ticks = ticks.join().expect("the CPU time of the server");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));

    // A line has the start time, the HTTP status, and the duration in microseconds.
    let lines = fs::read_to_string(&log).expect("the log of h2load");
    let _ = fs::remove_file(&log);
    let took: Vec<u64> = lines.lines().filter_map(took).collect();
    check(&text, call);
    let calls = took.len();
    Run::of(calls as f64 / settings.time.as_secs_f64(), took).with_cpu(ticks, calls)
}

/// The duration of a call, if it was answered.
fn took(line: &str) -> Option<u64> {
    let mut columns = line.split('\t').skip(1);
    if columns.next()? != "200" {
        return None;
    }
    columns.next()?.parse().ok()
}

/// Whether h2load counted right answers.
fn check(text: &str, call: &Call) {
    let done = number_before(text, " succeeded");
    let bytes = number_before(text, ") data");
    let right =
        bytes.zip(done).is_some_and(|(bytes, done)| done > 0 && bytes >= done * call.answer_bytes);
    assert!(right, "not every call to {} got its answer:\n{text}", call.path);
}

fn number_before(text: &str, what: &str) -> Option<usize> {
    let (before, _) = text.split_once(what)?;
    let digits = before.rsplit(|character: char| !character.is_ascii_digit()).next()?;
    digits.parse().ok()
}

fn milliseconds(time: Duration) -> String {
    format!("{}ms", time.as_millis())
}

/// A file in memory, which no sync writes to the disk, if the system has such a
/// place.
fn in_memory(name: &str) -> PathBuf {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { memory.join(name) } else { std::env::temp_dir().join(name) }
}
