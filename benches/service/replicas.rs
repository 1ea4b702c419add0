//! Servers that share a log in PostgreSQL. Compares one and three of them, on three nodes, with a
//! server that has a log of its own. Measures how soon one server shows what another has recorded,
//! and for how long no server answers after the loss of the primary.

use std::{
    io::{BufRead as _, BufReader, Lines, Write as _},
    mem,
    path::PathBuf,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use prost::Message as _;
use serde_json::json;
use tonic::transport::Channel;
use userpool::proto::{
    CreateUserPoolRequest, DescribeUserPoolRequest, WatchUserPoolEventsRequest,
    user_pool_history_service_client::UserPoolHistoryServiceClient,
    user_pool_service_client::UserPoolServiceClient, watch_user_pool_events_request::Start,
    watch_user_pool_events_response::Content,
};

use crate::{
    Bench,
    client::turn_on,
    figures::{P50, P99, PER_SECOND, Run, Spread, shown},
    messages::{CREATE, DESCRIBE, connect, nth},
    process::Server,
    report::{Report, Row},
    rounds::{Rounds, Side, alternate},
};

const IN_FLIGHT: usize = 64;
const SLED: &str = "own log";
const ONE: &str = "one replica";
const THREE: &str = "three replicas";
const LATEST: &str = "latest";
const WITH_POSITION: &str = "min_position";
/// How many creations the delay of followers is measured with.
const FOLLOWED: usize = 500;
/// How many primaries are lost.
const FAILOVERS: usize = 5;
/// How many callers wait for each new primary, and how long one waits for an answer.
const CALLERS: u64 = 16;
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
/// How long the servers are used before and after each loss.
const PAUSE: Duration = Duration::from_secs(1);

pub(crate) fn compare(bench: &Bench, report: &mut Report) {
    if !has_postgresql() {
        println!("NOT MEASURED: servers with one log; PostgreSQL is not on this machine\n");
        return;
    }
    let own = Server::userpool(&bench.scratch.path().join("replicas"));
    let own = vec![own.address.clone()];
    let mut one = Replicas::start();
    for server in ["1", "2"] {
        one.command(&format!("kill {server}"), "is killed");
    }
    let alone: Vec<_> = one.addresses.iter().take(1).cloned().collect();
    let mut three = Replicas::start();
    let all = three.addresses.clone();

    let creates = |addresses: &[String]| {
        turn_on(bench, addresses, CREATE, IN_FLIGHT, bench.messages.creates())
    };
    let what = format!("CreateUserPool, {IN_FLIGHT} in flight, replicas");
    let sides = vec![
        Side::new(SLED, || creates(&own)),
        Side::new(ONE, || creates(&alone)),
        Side::new(THREE, || creates(&all)),
    ];
    let rounds = alternate(&bench.settings, &what, sides);
    report.keep(&what, &rounds);
    judge_creates(report, &what, &rounds);
    reads(bench, report, &own, &alone);
    follow(bench, report, &all);
    fail_over(bench, report, &mut three);
}

fn has_postgresql() -> bool {
    let packages = PathBuf::from("/usr/lib/postgresql").exists();
    packages || Command::new("postgres").arg("--version").output().is_ok()
}

fn judge_creates(report: &mut Report, what: &str, rounds: &Rounds) {
    let ratio = rounds.ratio(THREE, ONE, PER_SECOND);
    report.row(Row {
        what: format!("{what}, three replicas"),
        target: "≥ 0.35 of one replica",
        measured: rounds.speeds(THREE, ONE),
        ratio: Some(ratio),
        reached: Some(ratio.median >= 0.35),
    });
    let ratio = rounds.ratio(THREE, ONE, P99);
    let [three, one] = [THREE, ONE].map(|side| shown(rounds.of(side, P99).median));
    report.row(Row {
        what: format!("{what}, three replicas, p99"),
        target: "≤ 3 × one replica",
        measured: format!("{three} against {one} ms"),
        ratio: Some(ratio),
        reached: Some(ratio.median <= 3.0),
    });
    report.row(Row {
        what: format!("{what}, one replica"),
        target: "none; own log is sled",
        measured: rounds.speeds(ONE, SLED),
        ratio: Some(rounds.ratio(ONE, SLED, PER_SECOND)),
        reached: None,
    });
}

/// What a question to the database costs a read.
fn reads(bench: &Bench, report: &mut Report, own: &[String], alone: &[String]) {
    let body = |addresses: &[String], min_position: Option<i64>| {
        let created = bench.runtime.block_on(async {
            let mut client = UserPoolServiceClient::new(connect(nth::<String>(addresses, 0)).await);
            client.create_user_pool(bench.messages.typical.clone()).await.expect("created")
        });
        let user_pool_id = created.into_inner().user_pool.expect("a user pool").id;
        let request = DescribeUserPoolRequest { user_pool_id, min_position };
        let bytes: Bytes = request.encode_to_vec().into();
        move |_| bytes.clone()
    };
    let (owned, latest, at) = (body(own, None), body(alone, None), body(alone, Some(1)));
    let what = format!("DescribeUserPool, {IN_FLIGHT} in flight, replicas");
    let sides = vec![
        Side::new(SLED, || turn_on(bench, own, DESCRIBE, IN_FLIGHT, owned.clone())),
        Side::new(LATEST, || turn_on(bench, alone, DESCRIBE, IN_FLIGHT, latest.clone())),
        Side::new(WITH_POSITION, || turn_on(bench, alone, DESCRIBE, IN_FLIGHT, at.clone())),
    ];
    let rounds = alternate(&bench.settings, &what, sides);
    report.keep(&what, &rounds);
    for (side, target, least) in
        [(LATEST, "≥ 0.5 of own log", 0.5), (WITH_POSITION, "≥ 0.9 of own log", 0.9)]
    {
        let ratio = rounds.ratio(side, SLED, PER_SECOND);
        report.row(Row {
            what: format!("{what}, {side}"),
            target,
            measured: rounds.speeds(side, SLED),
            ratio: Some(ratio),
            reached: Some(ratio.median >= least),
        });
    }
}

/// How long after the answer of one server the event arrives from another, both seen here.
fn follow(bench: &Bench, report: &mut Report, addresses: &[String]) {
    let delays = bench.runtime.block_on(async {
        let mut client = UserPoolServiceClient::new(connect(nth::<String>(addresses, 0)).await);
        let first = client.create_user_pool(bench.messages.typical.clone()).await;
        let first = first.expect("created").into_inner().position;
        let mut history =
            UserPoolHistoryServiceClient::new(connect(nth::<String>(addresses, 1)).await);
        let start = Some(Start::AfterPosition(first));
        let request = WatchUserPoolEventsRequest { start, ..Default::default() };
        let mut events =
            history.watch_user_pool_events(request).await.expect("watched").into_inner();
        let mut delays = Vec::new();
        for _ in 0..FOLLOWED {
            let request = bench.messages.typical.clone();
            let created = client.create_user_pool(request).await.expect("created").into_inner();
            let answered = Instant::now();
            loop {
                let message = events.message().await.expect("readable").expect("an open watch");
                if let Some(Content::Event(event)) = message.content
                    && event.position >= created.position
                {
                    break;
                }
            }
            let delay = answered.elapsed().as_micros();
            delays.push(u64::try_from(delay).unwrap_or(u64::MAX));
        }
        delays
    });
    let run = Run::of(0.0, delays);
    report.keep_value("delay of followers", &json!(run));
    report.row(Row {
        what: "another replica shows an event after its answer, 1 creating, p99".to_owned(),
        target: "≤ 50 ms",
        measured: format!("{} ms, p50 {} ms", shown(P99(&run)), shown(P50(&run))),
        ratio: None,
        reached: Some(P99(&run) <= 50.0),
    });
}

/// Kills the primary, promotes a standby at once, and measures for how long no server answers.
fn fail_over(bench: &Bench, report: &mut Report, replicas: &mut Replicas) {
    let (stopped, answers) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(Vec::new())));
    let numbers = Arc::new(AtomicU64::new(0));
    let callers: Vec<_> = (0..CALLERS)
        .map(|caller| {
            let (stopped, answers, numbers) =
                (Arc::clone(&stopped), Arc::clone(&answers), Arc::clone(&numbers));
            let addresses = replicas.addresses.clone();
            let request = bench.messages.typical.clone();
            bench.runtime.spawn(async move {
                let mut channels = Vec::new();
                for address in &addresses {
                    channels.push(connect(address).await);
                }
                let mut current = caller;
                while !stopped.load(Ordering::SeqCst) {
                    let number = numbers.fetch_add(1, Ordering::SeqCst);
                    create(&channels, &mut current, number, &request).await;
                    answers.lock().expect("no panic").push(Instant::now());
                }
            })
        })
        .collect();
    let (mut silences, mut after, mut primary) = (Vec::new(), Vec::new(), "a".to_owned());
    for _ in 0..FAILOVERS {
        std::thread::sleep(PAUSE);
        let killed = Instant::now();
        replicas.command(&format!("kill {primary}"), "is killed");
        let line = replicas.command("promote", "is the primary");
        let promoted = Instant::now();
        let promoted_node = line.split_whitespace().nth(1).expect("a node").to_owned();
        let former = mem::replace(&mut primary, promoted_node);
        let first = loop {
            std::thread::sleep(Duration::from_millis(1));
            let answers = answers.lock().expect("no panic");
            // An answer on its way when the primary was killed comes before.
            if let Some(first) = answers.iter().find(|moment| **moment > promoted) {
                break *first;
            }
        };
        let last = answers
            .lock()
            .expect("no panic")
            .iter()
            .filter(|moment| **moment < first)
            .max()
            .copied();
        silences.push((first - last.unwrap_or(killed)).as_secs_f64() * 1000.0);
        after.push((first - promoted).as_secs_f64() * 1000.0);
        std::thread::sleep(PAUSE);
        replicas.command(&format!("start {former}"), "runs");
    }
    stopped.store(true, Ordering::SeqCst);
    bench.runtime.block_on(async {
        for caller in callers {
            caller.await.expect("no panic");
        }
    });
    let (silence, after) = (Spread::of(silences), Spread::of(after));
    report.keep_value("loss of the primary, ms without an answer", &json!(silence));
    report.row(Row {
        what: format!("loss of the primary, {CALLERS} creating: first answer after the promotion"),
        target: "≤ 3 s",
        measured: format!(
            "{} ms, at most {}; {} ms without an answer, at most {}",
            shown(after.median),
            shown(after.max),
            shown(silence.median),
            shown(silence.max)
        ),
        ratio: None,
        reached: Some(after.max <= 3000.0),
    });
}

/// Creates a user pool at any server.
async fn create(
    channels: &[Channel],
    current: &mut u64,
    number: u64,
    request: &CreateUserPoolRequest,
) {
    let request_id = Some(uuid::Uuid::from_u128(u128::from(number) + 1).to_string());
    loop {
        let request = CreateUserPoolRequest { request_id: request_id.clone(), ..request.clone() };
        let mut client = UserPoolServiceClient::new(nth(channels, *current).clone());
        let asked = tokio::time::timeout(ANSWER_TIMEOUT, client.create_user_pool(request)).await;
        if let Ok(Ok(_)) = asked {
            return;
        }
        *current += 1;
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Three nodes and three servers, by `deploy/local-replicas`. They end with it.
struct Replicas {
    child: Child,
    input: Option<ChildStdin>,
    output: Lines<BufReader<ChildStdout>>,
    addresses: Vec<String>,
}

impl Replicas {
    fn start() -> Self {
        let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("deploy/local-replicas");
        let mut child = Command::new(script)
            .env("USERPOOL", env!("CARGO_BIN_EXE_userpool"))
            .env("PORT", "0")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("it runs");
        let input = child.stdin.take();
        let output = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        let mut replicas = Self { child, input, output, addresses: Vec::new() };
        let line = replicas.line("  server 0 on");
        let words = line.split([' ', ',']);
        replicas.addresses = words.filter(|word| word.contains(':')).map(str::to_owned).collect();
        replicas
    }

    /// Enters a command, and returns the line of its answer with this text.
    fn command(&mut self, command: &str, answer: &str) -> String {
        let input = self.input.as_mut().expect("it runs");
        writeln!(input, "{command}").expect("written");
        self.line(answer)
    }

    fn line(&mut self, text: &str) -> String {
        loop {
            let line = self.output.next().expect("it runs").expect("readable");
            if line.contains(text) {
                return line;
            }
        }
    }
}

impl Drop for Replicas {
    fn drop(&mut self) {
        self.input = None;
        // It ends its processes and deletes its files.
        let _ = self.child.wait();
    }
}
