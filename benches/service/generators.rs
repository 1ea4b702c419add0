//! The same load from three generators: h2load, ghz, and a tonic client. They use
//! different amounts of CPU, but the ratios between servers should be equal.

use std::{path::Path, process::Command, time::Duration};

use prost::Message as _;
use serde_json::Value;
use userpool::proto::DescribeUserPoolRequest;

use crate::{
    Bench, client,
    describe::created,
    figures::{PER_SECOND, Run},
    load::{CONNECTIONS, h2load},
    messages::DESCRIBE,
    process::Server,
    report::{Report, Row},
    rounds::{Side, alternate},
};

const IN_FLIGHT: usize = 64;

pub(crate) fn compare(bench: &Bench, report: &mut Report) {
    let server = Server::userpool(&bench.scratch.path().join("generators"));
    let bare = bench.messages.bare();
    let id = created(bench, &server);
    let request = DescribeUserPoolRequest {
        user_pool_id: Some(id.clone()),
        ..DescribeUserPoolRequest::default()
    }
    .encode_to_vec();
    let file = bench.messages.file("describe", &request);
    let by_h2load =
        |server: &Server| h2load(&bench.settings, &bench.messages.describe(server, &id), IN_FLIGHT);
    let by_tonic = |server: &Server| {
        let request = request.clone();
        client::turn(bench, server, DESCRIBE, IN_FLIGHT, move |_| request.clone().into())
    };
    judge(bench, report, "h2load", &server, &bare, by_h2load);
    judge(bench, report, "a client of tonic", &server, &bare, by_tonic);
    if let Some(program) = bench.tools.ghz() {
        let time = bench.settings.time.max(Duration::from_secs(1));
        let by_ghz = |server: &Server| ghz(&program, time, server, &file);
        judge(bench, report, "ghz", &server, &bare, by_ghz);
    }
}

fn judge(
    bench: &Bench,
    report: &mut Report,
    generator: &str,
    server: &Server,
    bare: &Server,
    turn: impl Fn(&Server) -> Run,
) {
    let what = format!("DescribeUserPool, {IN_FLIGHT} in flight, by {generator}");
    let sides =
        vec![Side::new("userpool", || turn(server)), Side::new("bare tonic", || turn(bare))];
    let rounds = alternate(&bench.settings.briefly(), &what, sides);
    report.keep(&what, &rounds);
    report.row(Row {
        what,
        target: "the generators agree",
        measured: rounds.speeds("userpool", "bare tonic"),
        ratio: Some(rounds.ratio("userpool", "bare tonic", PER_SECOND)),
        reached: None,
    });
}

/// One turn of ghz, which checks the status of every call.
fn ghz(program: &Path, time: Duration, server: &Server, request: &Path) -> Run {
    let proto = Path::new(env!("CARGO_MANIFEST_DIR")).join("proto");
    let ticks = server.cpu().ticks();
    let output = Command::new(program)
        .args(["--insecure", "--format=json", "--duration-stop=wait"])
        .arg("--call=userpool.v1.UserPoolService.DescribeUserPool")
        .arg("--proto=userpool/v1/user_pool_service.proto")
        .arg(format!("--import-paths={}", proto.display()))
        .arg(format!("--binary-file={}", request.display()))
        .arg(format!("--concurrency={IN_FLIGHT}"))
        .arg(format!("--connections={CONNECTIONS}"))
        .arg(format!("--duration={}ms", time.as_millis()))
        .arg(&server.address)
        .output()
        .expect("ghz");
    let ticks = server.cpu().ticks() - ticks;
    let errors = String::from_utf8_lossy(&output.stderr);
    let result: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
    let right = result.get("statusCodeDistribution").and_then(|codes| codes.get("OK"));
    assert!(right.is_some() && right == result.get("count"), "ghz: {errors}{result}");
    let percentile = |percentage: u64| {
        let all = result.get("latencyDistribution").and_then(Value::as_array);
        let found = all.and_then(|all| {
            all.iter().find(|one| one.get("percentage").and_then(Value::as_u64) == Some(percentage))
        });
        found.and_then(|one| one.get("latency")?.as_f64()).unwrap_or_default() / 1e6
    };
    let per_second = result.get("rps").and_then(Value::as_f64).unwrap_or_default();
    let calls = result.get("count").and_then(Value::as_u64).unwrap_or_default();
    let run = Run { per_second, p50_ms: percentile(50), p99_ms: percentile(99), cpu_us: None };
    run.with_cpu(ticks, calls as usize)
}
