//! How long a start takes, how much memory a server has then, and what it does when
//! it is idle.

use std::{
    fs,
    path::Path,
    thread,
    time::{Duration, Instant},
};

use serde_json::json;
use userpool::proto::{ListUserPoolsRequest, user_pool_service_client::UserPoolServiceClient};

use crate::{
    Bench,
    client::turn,
    data,
    figures::{Spread, shown},
    messages::{CREATE, connect},
    process::Server,
    report::{Report, Row},
};

/// How long a read model is rebuilt repeatedly. It is built at least once.
const REBUILDS: Duration = Duration::from_secs(30);
/// The cache size of a server with less memory, in MiB.
const SMALL_CACHE: u64 = 32;
/// The creations in flight before a server is killed.
const CREATING: usize = 64;
/// How long a server may take to become idle.
const REST: Duration = Duration::from_secs(2);

pub(crate) fn compare(bench: &Bench, report: &mut Report) {
    let [.., events] = bench.settings.events;
    let directory = data::copy(bench, events);
    rebuild(bench, report, &directory, events);
    let starts: Vec<f64> = (0..bench.settings.rounds)
        .map(|_| {
            let server = Server::userpool(&directory);
            let seconds = server.started_in.as_secs_f64();
            server.stop();
            seconds
        })
        .collect();
    let seconds = Spread::of(starts);
    report.keep_value("start with a current read model, seconds", &json!(seconds));
    report.row(Row {
        what: format!("start with a current read model, {} events", shown(events as f64)),
        target: "≤ 2 s",
        measured: format!("{seconds} s"),
        ratio: None,
        reached: Some(seconds.median <= 2.0),
    });
    let server = Server::userpool(&directory);
    idle(bench, report, &server, events);
    let most = memory(bench, report, &server, "as it comes", events);
    report.row(Row {
        what: format!("resident memory, {} events, all user pools listed", shown(events as f64)),
        target: "≤ 400 MiB",
        measured: format!("{} MiB at most", shown(most)),
        ratio: None,
        reached: Some(most <= 400.0),
    });
    server.stop();
    let how = format!("--cache-mib={SMALL_CACHE}");
    let server = Server::userpool_with(&directory, &[&how]);
    let bounded = memory(bench, report, &server, &how, events);
    report.row(Row {
        what: format!("the same with {how}"),
        target: "bounded by a setting",
        measured: format!("{} MiB at most", shown(bounded)),
        ratio: Some(Spread::of([bounded / most])),
        reached: Some(bounded < most),
    });
    server.stop();
    killed(bench, report, &directory, events);
}

/// Starts after the server was killed right after creations, so that the read model lacks
/// some of them.
fn killed(bench: &Bench, report: &mut Report, directory: &Path, events: u64) {
    let starts: Vec<f64> = (0..bench.settings.rounds)
        .map(|_| {
            let server = Server::userpool(directory);
            turn(bench, &server, CREATE, CREATING, bench.messages.creates());
            drop(server);
            Server::userpool(directory).started_in.as_secs_f64()
        })
        .collect();
    let seconds = Spread::of(starts);
    report.keep_value("start after a kill, seconds", &json!(seconds));
    report.row(Row {
        what: format!("start after a kill, {} events", shown(events as f64)),
        target: "≤ 3 s",
        measured: format!("{seconds} s"),
        ratio: None,
        reached: Some(seconds.median <= 3.0),
    });
}

fn rebuild(bench: &Bench, report: &mut Report, directory: &Path, events: u64) {
    let (began, mut rates) = (Instant::now(), Vec::new());
    while rates.is_empty() || (rates.len() < bench.settings.rounds && began.elapsed() < REBUILDS) {
        // The first time there is none.
        let _ = fs::remove_dir_all(directory.join("read_model"));
        let server = Server::userpool(directory);
        rates.push(events as f64 / server.started_in.as_secs_f64());
        server.stop();
    }
    let rate = Spread::of(rates);
    report.keep_value("rebuild, events per second", &json!(rate));
    report.events(format!("rebuild of the read model, {} events", shown(events as f64)), rate);
}

fn idle(bench: &Bench, report: &mut Report, server: &Server, events: u64) {
    thread::sleep(REST.min(bench.settings.idle));
    let (ticks, wakeups) = (server.cpu().ticks(), server.wakeups());
    thread::sleep(bench.settings.idle);
    let seconds = bench.settings.idle.as_secs_f64();
    let ticks = server.cpu().ticks() - ticks;
    // A tick is 10 ms, so this is a percentage of one CPU.
    let percent = ticks as f64 / seconds;
    let wakeups = server.wakeups().saturating_sub(wakeups) as f64 / seconds;
    report.keep_value("idle", &json!({"cpu_percent": percent, "wakeups_per_second": wakeups}));
    report.row(Row {
        what: format!("idle, {} events", shown(events as f64)),
        target: "< 0.5 % CPU",
        measured: format!("{percent:.2} %"),
        ratio: None,
        reached: Some(percent < 0.5),
    });
    report.row(Row {
        what: format!("idle, {} events, wakeups", shown(events as f64)),
        target: "≤ 9/s",
        measured: format!("{}/s", shown(wakeups)),
        ratio: None,
        // sled's threads look for work once a second.
        reached: Some(wakeups <= 9.0),
    });
}

/// The peak resident memory, in MiB, once every user pool has been listed.
fn memory(bench: &Bench, report: &mut Report, server: &Server, how: &str, events: u64) -> f64 {
    let started = server.status("VmRSS");
    let pools = bench.runtime.block_on(list_all(server));
    let (listed, most) = (server.status("VmRSS"), server.status("VmHWM"));
    report.keep_value(
        &format!("resident memory in KiB, {how}, {events} events"),
        &json!({"started": started, "listed": listed, "most": most, "user_pools": pools}),
    );
    most as f64 / 1024.0
}

async fn list_all(server: &Server) -> usize {
    let mut client = UserPoolServiceClient::new(connect(&server.address).await);
    let (mut pools, mut next_token) = (0, None);
    loop {
        let request = ListUserPoolsRequest {
            max_results: Some(60),
            next_token,
            ..ListUserPoolsRequest::default()
        };
        let page = client.list_user_pools(request).await.expect("a page").into_inner();
        pools += page.user_pools.len();
        next_token = page.next_token;
        if next_token.is_none() {
            return pools;
        }
    }
}
