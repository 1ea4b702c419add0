//! The disk space of the log compared with its records.

use serde_json::json;

use crate::{
    Bench,
    client::turn,
    data,
    figures::shown,
    messages::{CREATE, head},
    process::Server,
    report::{Report, Row},
};

/// The calls in flight, and the most bytes on disk for each byte of the records. More
/// records in a commit compress better, and need fewer pages.
const TARGETS: [(usize, &str, f64); 2] = [(1, "≤ 1.2", 1.2), (64, "≤ 0.8", 0.8)];

pub(crate) fn compare(bench: &Bench, report: &mut Report) {
    for (in_flight, target, most) in TARGETS {
        let scratch = tempfile::tempdir_in(bench.scratch.path()).expect("a directory");
        let server = Server::userpool(scratch.path());
        let run = turn(bench, &server, CREATE, in_flight, bench.messages.creates());
        let events = bench.runtime.block_on(head(&server));
        server.stop();
        let on_disk = data::size(&scratch.path().join("log"));
        let record = bench.messages.records();
        let records: usize = (0..events).map(|number| record(number).len()).sum();
        let ratio = on_disk as f64 / records as f64;
        let what = format!("bytes on disk of the log per byte of records, {in_flight} in flight");
        report.keep_value(
            &what,
            &json!({"events": events, "on_disk": on_disk, "records": records, "run": run}),
        );
        report.row(Row {
            what,
            target,
            measured: format!("{ratio:.2}; {} events", shown(events as f64)),
            ratio: None,
            reached: Some(ratio <= most),
        });
    }
}
