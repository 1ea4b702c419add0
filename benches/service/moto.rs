//! The same operations on moto's server, which many use instead of Cognito.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    thread,
    time::Instant,
};

use bytes::Bytes;
use prost::Message as _;
use serde_json::Value;
use userpool::proto::{DescribeUserPoolRequest, to_json};

use crate::{
    Bench, client,
    describe::created,
    figures::{PER_SECOND, Run},
    messages::{CREATE as CREATE_PATH, DESCRIBE as DESCRIBE_PATH, nth},
    process::{Server, exchange},
    report::{Report, Row},
    rounds::{Side, alternate},
    settings::Settings,
};

const IN_FLIGHT: usize = 8;
const TYPE: &str = "Content-Type: application/x-amz-json-1.1";
/// moto takes the region from it and does not check it.
const SIGNED: &str = "Authorization: AWS4-HMAC-SHA256 Credential=bench/20171211/us-east-1/\
                      cognito-idp/aws4_request, SignedHeaders=host, Signature=0";
const CREATE: [&str; 3] =
    ["X-Amz-Target: AWSCognitoIdentityProviderService.CreateUserPool", TYPE, SIGNED];
const DESCRIBE: [&str; 3] =
    ["X-Amz-Target: AWSCognitoIdentityProviderService.DescribeUserPool", TYPE, SIGNED];

pub(crate) fn compare(bench: &Bench, report: &mut Report) {
    let Some(moto) = Server::moto(&bench.tools) else { return };
    let server = Server::userpool(&bench.scratch.path().join("moto"));
    // The JSON that AWS's own clients send.
    let request = to_json(&bench.messages.typical).expect("JSON").to_string();
    let answer: Value =
        serde_json::from_str(&exchange(&moto.address, "POST", "/", &CREATE, &request))
            .expect("the answer of moto");
    let id = answer.get("UserPool").and_then(|pool| pool.get("Id")).expect("its ID");
    let describe = serde_json::json!({ "UserPoolId": id }).to_string();

    let id = Some(created(bench, &server));
    let ours = Bytes::from(
        DescribeUserPoolRequest { user_pool_id: id, ..DescribeUserPoolRequest::default() }
            .encode_to_vec(),
    );
    let ours = (DESCRIBE_PATH, move |_| ours.clone());
    by_turns(bench, report, "DescribeUserPool", &server, ours, &moto, (&DESCRIBE, &[describe]));
    let requests: Vec<String> = bench
        .messages
        .requests
        .iter()
        .map(|request| to_json(request).expect("JSON").to_string())
        .collect();
    let ours = (CREATE_PATH, bench.messages.creates());
    let what = "CreateUserPool, durable here and in memory there";
    by_turns(bench, report, what, &server, ours, &moto, (&CREATE, &requests));
}

fn by_turns(
    bench: &Bench,
    report: &mut Report,
    operation: &str,
    server: &Server,
    (path, ours): (&'static str, impl Fn(u64) -> Bytes + Clone + Send + Sync + 'static),
    moto: &Server,
    (headers, theirs): (&[&str], &[String]),
) {
    let what = format!("{operation}, {IN_FLIGHT} in flight, against moto");
    let settings = bench.settings.briefly();
    let sides = vec![
        Side::new("userpool", || client::turn(bench, server, path, IN_FLIGHT, ours.clone())),
        Side::new("moto", || turn(&settings, moto, headers, theirs)),
    ];
    let rounds = alternate(&settings, &what, sides);
    report.keep(&what, &rounds);
    report.row(Row {
        what,
        target: "to compare",
        measured: rounds.speeds("userpool", "moto"),
        ratio: Some(rounds.ratio("userpool", "moto", PER_SECOND)),
        reached: None,
    });
}

/// As many threads as there are calls in flight. h2load's HTTP/1.1 stalls if a server
/// closes the connection after each answer, as this one does.
fn turn(settings: &Settings, server: &Server, headers: &[&str], bodies: &[String]) -> Run {
    let end = Instant::now() + settings.time;
    let (next, ticks) = (AtomicU64::new(0), server.cpu().ticks());
    let call = || {
        let mut took = Vec::new();
        loop {
            let began = Instant::now();
            let body = nth(bodies, next.fetch_add(1, Ordering::Relaxed));
            let answer = exchange(&server.address, "POST", "/", headers, body);
            assert!(answer.contains("\"UserPool\""), "moto: {answer}");
            took.push(u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX));
            if Instant::now() >= end {
                return took;
            }
        }
    };
    let began = Instant::now();
    let took: Vec<u64> = thread::scope(|scope| {
        let threads: Vec<_> = (0..IN_FLIGHT).map(|_| scope.spawn(call)).collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("calls that succeed")).collect()
    });
    let (ticks, calls) = (server.cpu().ticks() - ticks, took.len());
    Run::of(calls as f64 / began.elapsed().as_secs_f64(), took).with_cpu(ticks, calls)
}
