//! A range begins with its anchor, continues the range before it, and is the same from a data
//! directory and from a running server.

use userpool::{
    audit::{ExportEnd, Exporter, JsonLines, RangeAnchor},
    event_log::{EventLog as _, Head, LogId, MemoryLog},
};

use crate::{binary::Process, support::event_body};

use super::{directory, events, printed, run, whole, write};

const ANCHOR: &str = "{\"userpoolExport\":2,\"after\":{\"position\":\"9\",\"hash\":";

#[tokio::test(flavor = "multi_thread")]
async fn a_range_is_its_anchor_and_the_lines_of_the_whole() {
    let directory = directory().await;
    let whole = whole();
    let lines: Vec<_> = whole.split_inclusive('\n').collect();
    let range = ["log", "export", "--after", "9", "--to", "12"];
    let exported = printed(directory.path(), &range).await;
    let (anchor, rest) = exported.split_once('\n').expect("an anchor");
    assert!(anchor.starts_with(ANCHOR), "{anchor}");
    assert_eq!(rest, lines[9..12].concat());

    let from_start = ["log", "export", "--after", "0", "--to", "3"];
    assert_eq!(printed(directory.path(), &from_start).await, lines[..3].concat(), "no anchor");
    let note = run(directory.path(), &range).await.stderr;
    assert!(note.contains("exported 3 events, 10 to 12, head hash "), "{note}");

    let server = Process::start(&directory.path().join("data")).await;
    let address = server.address().to_owned();
    let from = [&range[..], &["--from", &address]].concat();
    assert_eq!(printed(directory.path(), &from).await, exported);
    let at_head = ["log", "export", "--after", "16", "--from", &address];
    let head = printed(directory.path(), &at_head).await;
    assert!(head.starts_with("{\"userpoolExport\":2,\"after\":{\"position\":\"16\""), "{head}");
    assert_eq!(head.lines().count(), 1, "no event follows");
    server.kill().await;
    assert_eq!(printed(directory.path(), &["log", "export", "--after", "16"]).await, head);
}

#[tokio::test(flavor = "multi_thread")]
async fn ranges_until_and_since_a_time_are_consecutive() {
    let directory = directory().await;
    let whole = whole();
    let server = Process::start(&directory.path().join("data")).await;
    let address = server.address().to_owned();
    let all = events(&whole);
    let times = all
        .iter()
        .skip(1)
        .map(|event| userpool::proto::format_time(event.record_time.expect("a time")));
    let later = ["2017-12-11T00:00:04.5Z".to_owned(), "2026-11-28T11:03:13.643Z".to_owned()];
    for time in times.chain(later) {
        let export = async |bound: &str| {
            printed(directory.path(), &["log", "export", "--from", &address, bound, &time]).await
        };
        let (first, second) = (export("--until").await, export("--since").await);
        let (anchor, rest) = second.split_once('\n').expect("an anchor");
        assert!(first.clone() + rest == whole, "at {time}");
        let count = first.lines().count();
        assert!(anchor.contains(&format!("\"position\":\"{count}\"")), "{anchor}");
    }
    server.kill().await;
    for time in ["2017-12-11T00:00:07Z", "2020-01-01", "2026-11-28T11:03:27.262Z"] {
        let export = async |bound| {
            printed(directory.path(), &["log", "export", bound, time, "--data-dir", "data"]).await
        };
        let (first, second) = (export("--until").await, export("--since").await);
        assert_eq!(first + second.split_once('\n').expect("an anchor").1, whole, "at {time}");
    }
    let since = ["log", "export", "--since", "2017-12-11"];
    assert_eq!(printed(directory.path(), &since).await, whole, "no anchor");
    let since = printed(directory.path(), &["log", "export", "--since", "2030-01-01"]).await;
    assert_eq!(since.lines().count(), 1, "{since}");
}

#[tokio::test(flavor = "multi_thread")]
async fn events_that_were_written_together_stay_together() {
    let log = MemoryLog::default();
    let mut records = Vec::new();
    let mut head = Head::default();
    for batch in [1..=2, 3..=6, 7..=7] {
        let bodies = batch.map(|revision| event_body("us-east-1_AbCdEfGhI", revision)).collect();
        let batch = log.append(head, bodies).await.expect("appended");
        head = batch.last().expect("a record").head();
        records.extend(batch);
    }
    let mut export = Vec::new();
    let mut exporter = Exporter::new(&mut export);
    for record in &records {
        exporter.push(record).expect("the next record");
    }
    let directory = tempfile::TempDir::new().expect("a directory");
    write(directory.path(), "whole.jsonl", export);
    printed(directory.path(), &["log", "import", "whole.jsonl", "--data-dir", "data"]).await;

    let inside = run(directory.path(), &["log", "export", "--to", "4"]).await;
    assert_eq!(events(&inside.stdout).len(), 2);
    let note = "exported 2 events, 1 to 2, head hash ";
    assert!(inside.stderr.contains(note), "{}", inside.stderr);
    let note = "; events 3 to 4 were written together with later ones and are left out";
    assert!(inside.stderr.contains(note), "{}", inside.stderr);
    let ends = printed(directory.path(), &["log", "export", "--to", "6"]).await;
    assert_eq!(events(&ends).len(), 6);
    let whole = printed(directory.path(), &["log", "export"]).await;
    let verified = printed(directory.path(), &["verify", "whole.jsonl"]).await;
    let server = Process::start(&directory.path().join("data")).await;
    let from = ["--from", server.address()];
    let mut from_server = Vec::new();
    for position in 1..=7 {
        let position = position.to_string();
        let after = ["log", "export", "--after", &position];
        from_server.push(run(directory.path(), &[&after[..], &from].concat()).await);
    }
    server.kill().await;
    let note = "; events 3 to 4 were written together with later ones and are included";
    for (position, from_server) in (1..=7).zip(from_server) {
        let position = position.to_string();
        let first = printed(directory.path(), &["log", "export", "--to", &position]).await;
        let rest = run(directory.path(), &["log", "export", "--after", &position]).await;
        assert_eq!(rest.stdout, from_server.stdout, "after {position}");
        for run in [&rest, &from_server] {
            assert_eq!(run.stderr.contains(note), position == "4", "{run:?}");
        }
        let both = first.lines().chain(rest.stdout.lines());
        let events = both.filter(|line| !line.contains("userpoolExport"));
        let events: String = events.flat_map(|line| [line, "\n"]).collect();
        assert_eq!(events, whole, "nothing is lost or repeated at {position}");
        write(directory.path(), "first.jsonl", first);
        write(directory.path(), "rest.jsonl", rest.stdout);
        let both = ["verify", "first.jsonl", "rest.jsonl"];
        assert_eq!(printed(directory.path(), &both).await, verified);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_range_that_begins_inside_a_batch_is_verified() {
    // Earlier versions wrote such ranges.
    let log = MemoryLog::default();
    let bodies = (1..=3).map(|revision| event_body("us-east-1_AbCdEfGhI", revision)).collect();
    let records = log.append(Head::default(), bodies).await.expect("appended");
    let anchor = RangeAnchor { head: records[0].head(), log_id: LogId::of(records[0].hash) };
    let mut export = Vec::new();
    let (format, end) = (&JsonLines, ExportEnd::default());
    let exporter = Exporter::for_range(&mut export, format, Some(anchor), end);
    let mut exporter = exporter.expect("an exporter");
    records[1..].iter().for_each(|record| exporter.push(record).expect("the next record"));
    exporter.finish().expect("an export");
    let directory = tempfile::TempDir::new().expect("a directory");
    write(directory.path(), "rest.jsonl", export);
    let verified = printed(directory.path(), &["verify", "rest.jsonl"]).await;
    assert!(verified.starts_with("Every record from position 2 to 3 is valid"), "{verified}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_range_that_cannot_be_is_refused() {
    let directory = directory().await;
    let server = Process::start(&directory.path().join("data")).await;
    let beyond = ["log", "export", "--after", "17", "--from", server.address(), "range.jsonl"];
    let refused = run(directory.path(), &beyond).await;
    assert_eq!(refused.code, Some(64 + 11), "{refused:?}");
    server.kill().await;
    for (range, expected) in [
        (&["--after", "17"][..], "position 17 does not exist yet; the log ends at position 16"),
        (&["--after", "9", "--to", "9"], "--to must be greater than 9"),
        (&["--to", "0"], "--to must be greater than 0"),
        (&["--since", "2020-01-01", "--until", "2019-01-01"], "--until must be later than --since"),
        (&["--since", "1d", "--after", "3"], "cannot be used with"),
    ] {
        let command = [&["log", "export", "range.jsonl"][..], range].concat();
        let refused = run(directory.path(), &command).await;
        assert_ne!(refused.code, Some(0));
        assert!(refused.stderr.contains(expected), "{}", refused.stderr);
    }
    let left = std::fs::read_dir(directory.path()).expect("a directory").count();
    assert_eq!(left, 2, "only the log and its export");
}

#[tokio::test(flavor = "multi_thread")]
async fn ranges_are_imported_only_from_the_first_event_on() {
    let directory = directory().await;
    for (file, range) in [
        ("a.jsonl", &["--to", "4"][..]),
        ("b.jsonl.gz", &["--after", "4", "--to", "9"]),
        ("c.jsonl.zst", &["--after", "9"]),
    ] {
        printed(directory.path(), &[&["log", "export", file][..], range].concat()).await;
    }
    let import = ["log", "import", "--data-dir", "new"];
    let refused = run(directory.path(), &[&import[..], &["c.jsonl.zst"]].concat()).await;
    assert_eq!(refused.code, Some(1));
    let expected = "c.jsonl.zst: the export follows position 9, and an import needs every event \
                    from the first one on: import it together with the exports before it, in order";
    assert!(refused.stderr.contains(expected), "{}", refused.stderr);
    let gap = run(directory.path(), &[&import[..], &["a.jsonl", "c.jsonl.zst"]].concat()).await;
    assert_eq!(gap.code, Some(1));
    let expected = "c.jsonl.zst: line 1: position 5: the range follows position 9 with hash ";
    assert!(gap.stderr.contains(expected), "{}", gap.stderr);
    assert!(!directory.path().join("new").exists());
    assert!(!directory.path().join("new.importing").exists());

    let all = ["a.jsonl", "b.jsonl.gz", "c.jsonl.zst"];
    let imported = printed(directory.path(), &[&import[..], &all].concat()).await;
    assert!(imported.starts_with("imported 16 events, head hash "), "{imported}");
    let exported = printed(directory.path(), &["log", "export", "--data-dir", "new"]).await;
    assert_eq!(exported, whole());
}

/// Whether it lies before the first event or after the last one.
#[tokio::test(flavor = "multi_thread")]
async fn an_empty_range_is_verified_as_one() {
    let directory = directory().await;
    let path = directory.path();
    let server = Process::start(&path.join("data")).await;
    let from = ["--from", server.address()];
    let ranges = [["--until", "2000-01-01"], ["--since", "2999-01-01"], ["--after", "16"]];
    for range in ranges {
        printed(path, &[&["log", "export", "empty.jsonl"][..], &range, &from].concat()).await;
        let verified = printed(path, &["verify", "empty.jsonl"]).await;
        assert!(verified.starts_with("The range has no record.\nNot proven: "), "{verified}");
    }
    server.kill().await;
    for range in ranges {
        printed(path, &[&["log", "export", "empty.jsonl"][..], &range].concat()).await;
        let verified = printed(path, &["verify", "empty.jsonl"]).await;
        assert!(verified.starts_with("The range has no record.\nNot proven: "), "{verified}");
    }
    // What follows it is of its log, and goes on from there.
    printed(path, &["log", "export", "--until", "2000-01-01", "empty.jsonl"]).await;
    let verified = printed(path, &["verify", "empty.jsonl", "whole.jsonl"]).await;
    assert!(verified.starts_with("Every record up to position 16 is valid"), "{verified}");
    let anchor = std::fs::read_to_string(path.join("empty.jsonl")).expect("an anchor");
    let (before, id) = anchor.split_once("\"logId\":\"").expect("a log ID");
    write(path, "other.jsonl", format!("{before}\"logId\":\"{}{}", "0".repeat(32), &id[32..]));
    let other = run(path, &["verify", "other.jsonl", "whole.jsonl"]).await;
    let expected = "INVALID at position 1 (whole.jsonl, line 1): the range is of log ";
    assert!(other.stdout.starts_with(expected), "{other:?}");
    // Neither another log nor a gap is passed over, because there is no event before it.
    let other = run(path, &["verify", "other.jsonl", "empty.jsonl"]).await;
    assert!(other.stdout.starts_with("INVALID at position 1 (empty.jsonl, line 1): "), "{other:?}");
    printed(path, &["log", "export", "--after", "9", "rest.jsonl"]).await;
    let gap = run(path, &["verify", "empty.jsonl", "rest.jsonl"]).await;
    assert_eq!((gap.code, gap.stdout.contains("INVALID")), (Some(1), true), "{gap:?}");
    // Nobody read the records before a range.
    let rest = std::fs::read_to_string(path.join("rest.jsonl")).expect("a range");
    for (lines, valid) in [(1, None), (3, Some("Every record from position 10 to 11 is valid.\n"))]
    {
        let mut damaged: Vec<_> = rest.lines().take(lines).collect();
        damaged.push("{}");
        write(path, "damaged.jsonl", damaged.join("\n"));
        let found = run(path, &["verify", "damaged.jsonl"]).await.stdout;
        assert!(found.starts_with(valid.unwrap_or("INVALID at position 10")), "{found}");
    }
    let import = run(path, &["log", "import", "empty.jsonl", "--data-dir", "new"]).await;
    assert_eq!(import.code, Some(1), "{import:?}");
    assert!(import.stderr.contains("the export has no event"), "{import:?}");
    let import = ["log", "import", "empty.jsonl", "whole.jsonl", "--data-dir", "new"];
    assert!(printed(path, &import).await.starts_with("imported 16 events"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_without_events_says_what_the_log_has() {
    let directory = directory().await;
    let all = events(&whole());
    let [first, last] = [&all[0], &all[15]]
        .map(|event| userpool::proto::format_time(event.record_time.expect("a time")));
    let extent = format!("; the log has events 1 to 16, recorded from {first} to {last}\n");
    let server = Process::start(&directory.path().join("data")).await;
    let from = ["--from", server.address()];
    let ranges = [
        (["--until", "2000-01-01"], "userpool: exported no events"),
        (["--since", "2999-01-01"], "userpool: exported no events after position 16"),
        (["--after", "16"], "userpool: exported no events after position 16"),
    ];
    let mut exported = Vec::new();
    for (range, expected) in ranges {
        let note = run(directory.path(), &[&["log", "export"][..], &range, &from].concat()).await;
        assert_eq!((note.code, note.stderr), (Some(0), format!("{expected}{extent}")));
        exported.push(note.stdout);
    }
    server.kill().await;
    for ((range, expected), exported) in ranges.into_iter().zip(exported) {
        let note = run(directory.path(), &[&["log", "export"][..], &range].concat()).await;
        assert_eq!((note.stderr, note.stdout), (format!("{expected}{extent}"), exported));
    }
    let empty = Process::start(&directory.path().join("empty")).await;
    let export = ["log", "export", "--from", empty.address()];
    let note = run(directory.path(), &export).await.stderr;
    assert_eq!(note, "userpool: exported no events; the log is empty\n");
    empty.kill().await;
    let note = run(directory.path(), &["log", "export", "--data-dir", "empty"]).await.stderr;
    assert_eq!(note, "userpool: exported no events; the log is empty\n");
}
