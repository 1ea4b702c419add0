//! Exports for spreadsheets.

use userpool::proto;

use crate::binary::Process;

use super::{directory, events, printed, whole};

#[tokio::test(flavor = "multi_thread")]
async fn an_export_as_csv_has_a_line_for_each_event() {
    let directory = directory().await;
    let path = directory.path();
    let csv = printed(path, &["log", "export", "-o", "csv"]).await;
    let lines: Vec<_> = csv.split_terminator("\r\n").collect();
    let columns = "time,position,pool,revision,type,actor,address,what,request_id,correlation_id,";
    assert!(lines[0].starts_with(columns), "{csv}");
    let events = events(&whole());
    assert_eq!(lines.len(), events.len() + 1);
    for (line, event) in lines[1..].iter().zip(&events) {
        let time = proto::format_time(event.record_time.expect("a time"));
        let begin = format!("{time},{},{},", event.position, event.user_pool_id);
        assert!(line.starts_with(&begin) && line.ends_with(&event.event_id), "{line}");
    }
    let server = Process::start(&path.join("data")).await;
    let from = ["log", "export", "--output", "csv", "--from", server.address()];
    assert_eq!(printed(path, &from).await, csv);
    server.kill().await;

    // A range has the same heading, and no anchor.
    let range = printed(path, &["log", "export", "-o", "csv", "--after", "14"]).await;
    assert_eq!(range, [&[lines[0]], &lines[15..], &[""]].concat().join("\r\n"));
    let jsonl = printed(path, &["log", "export", "-o", "jsonl"]).await;
    assert_eq!(jsonl, whole());
}
