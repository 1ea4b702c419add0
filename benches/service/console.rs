//! The pages of the console over a large log: how long each takes, and how large it is.

use std::time::Instant;

use serde_json::json;

use crate::{
    Bench, data,
    data_directory::{POOL, id_at},
    figures::{P50, Run, shown},
    process::{Server, exchange, free_address},
    report::{Report, Row},
    rounds::{Side, alternate},
};

/// The pages, with the time in milliseconds that each may take.
const PAGES: [(&str, &str, f64); 8] = [
    ("pools", "/pools", 20.0),
    ("pools that changed", "/pools?since=1h", 20.0),
    ("log", "/log", 20.0),
    ("domains", "/domains", 20.0),
    ("domain", "/domains/login-1", 100.0),
    ("pool", "/pools/POOL", 100.0),
    ("history", "/pools/POOL/history", 100.0),
    ("diff", "/pools/POOL/diff", 100.0),
];
/// How many user pools get a domain: the log has none.
const DOMAINS: u64 = 100;
/// How many bytes a page may have.
const MAX_BYTES: usize = 50 * 1024;

const CREATE_DOMAIN: [&str; 2] = [
    "Content-Type: application/x-amz-json-1.1",
    "X-Amz-Target: AWSCognitoIdentityProviderService.CreateUserPoolDomain",
];

pub(crate) fn compare(bench: &Bench, report: &mut Report) {
    let [.., events] = bench.settings.events;
    let (address, aws) = (free_address(), free_address());
    let directory = data::copy(bench, events);
    let listen = ["--console-listen", &address, "--aws-listen", &aws];
    let _server = Server::userpool_with(&directory, &listen);
    for number in 1..=DOMAINS {
        let body = json!({ "Domain": format!("login-{number}"), "UserPoolId": id_at(number) });
        let answer = exchange(&aws, "POST", "/", &CREATE_DOMAIN, &body.to_string());
        assert!(!answer.contains("__type"), "{answer}");
    }
    let pages = PAGES.map(|(name, path, limit)| (name, path.replace("POOL", POOL), limit));
    let what = format!("pages of the console, {} events, 1 in flight", shown(events as f64));
    let sides = pages.iter().map(|(name, path, _)| {
        let address = &address;
        Side::new(name, move || turn(bench, address, path))
    });
    let rounds = alternate(&bench.settings, &what, sides.collect());
    report.keep(&what, &rounds);
    for (name, path, limit) in &pages {
        let (p50, bytes) = (rounds.of(name, P50), exchange(&address, "GET", path, &[], "").len());
        report.row(Row {
            what: format!("page {name} of the console, {} events, p50", shown(events as f64)),
            target: if *limit > 20.0 { "≤ 100 ms, ≤ 50 KB" } else { "≤ 20 ms, ≤ 50 KB" },
            measured: format!("{} ms, {} KB", shown(p50.median), shown(bytes as f64 / 1024.0)),
            ratio: None,
            reached: Some(p50.median <= *limit && bytes <= MAX_BYTES),
        });
    }
}

/// Loads a page again and again, with a connection for each.
fn turn(bench: &Bench, address: &str, path: &str) -> Run {
    let (began, mut times) = (Instant::now(), Vec::new());
    while began.elapsed() < bench.settings.time {
        let call = Instant::now();
        let page = exchange(address, "GET", path, &[], "");
        assert!(page.ends_with("</html>"), "{path}: {page}");
        times.push(call.elapsed().as_micros() as u64);
    }
    Run::of(times.len() as f64 / began.elapsed().as_secs_f64(), times)
}
