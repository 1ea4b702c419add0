//! The disk space of the log compared with its content.

use prost::Message as _;
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

/// What a stored record adds to the appended bytes: the chain, and its position.
const RECORD_OVERHEAD: u64 = 81;

pub(crate) fn compare(bench: &Bench, report: &mut Report) {
    for in_flight in [1, 64] {
        let scratch = tempfile::tempdir_in(bench.scratch.path()).expect("a directory");
        let server = Server::userpool(scratch.path());
        let body = bench.messages.request.encode_to_vec();
        turn(bench, &server.address, CREATE, in_flight, move |_| body.clone().into());
        let events = bench.runtime.block_on(head(&server));
        server.stop();
        let on_disk = data::size(&scratch.path().join("log"));
        let record = u64::try_from(bench.messages.record.len()).expect("a small number");
        let (records, payload) = (record * events, (record - RECORD_OVERHEAD) * events);
        let ratio = on_disk as f64 / payload as f64;
        let what = format!("bytes on disk per byte of payload, log written {in_flight} at a time");
        report.keep_value(
            &what,
            &json!({"events": events, "on_disk": on_disk, "records": records, "payload": payload}),
        );
        report.row(Row {
            what,
            target: "≤ 2.0",
            measured: format!(
                "{ratio:.2}; {:.2} per byte of the records; {} events",
                on_disk as f64 / records as f64,
                shown(events as f64)
            ),
            ratio: None,
            reached: Some(ratio <= 2.0),
        });
    }
}
