//! `userpool verify FILE`: what it proves of an export, and what it says it does not prove.

use std::{fs, process::Command};

use serde_json::Value;

use crate::{binary::Process, tools::repository};

use super::{checkpoint, directory, events, printed, run, whole, write};

/// Exports the log to `first.jsonl`, `middle.jsonl` and `last.jsonl`.
async fn three_ranges(directory: &std::path::Path) {
    for (file, range) in [
        ("first.jsonl", &["--to", "4"][..]),
        ("middle.jsonl", &["--after", "4", "--to", "9"]),
        ("last.jsonl", &["--after", "9"]),
    ] {
        printed(directory, &[&["log", "export", file][..], range].concat()).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_is_verified_without_a_server() {
    let directory = directory().await;
    let path = directory.path();
    let server = Process::start(&path.join("data")).await;
    let connection = ["--endpoint", server.address()];
    let signed = printed(path, &[&["checkpoint"][..], &connection].concat()).await;
    let key = printed(path, &[&["checkpoint", "--key"][..], &connection].concat()).await;
    server.kill().await;
    write(path, "monday.json", signed);
    write(path, "key.pem", key);

    let verified = printed(path, &["verify", "whole.jsonl"]).await;
    let lines: Vec<_> = verified.lines().collect();
    assert_eq!(
        lines[0],
        "Every record up to position 16 is valid: its hash is correct, it continues the chain, its \
         event is unchanged, and a command could have recorded the event after those before it."
    );
    assert!(lines[1].starts_with("The ID of the log is "), "{verified}");
    assert_eq!(
        lines[2..],
        [
            "Not proven: that the history is the original one: it was compared with no trusted \
             checkpoint (--checkpoint), and whoever rewrites a log computes new hashes.",
            "Not proven: that the log ends at position 16: later events may be missing.",
        ]
    );

    let compare = ["verify", "whole.jsonl", "--checkpoint", "monday.json", "--key", "key.pem"];
    let verified = printed(path, &compare).await;
    let contains = "The exports contain the trusted checkpoint at position 16, signed with the \
                    given key: nothing up to there was changed, removed or added.\n";
    assert!(verified.contains(contains), "{verified}");
    assert!(!verified.contains("that the history is the original one"), "{verified}");
    let json = printed(path, &[&compare[..], &["-o", "json"]].concat()).await;
    let json: Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!((&json["valid"], &json["position"]), (&Value::Bool(true), &Value::from("16")));
    assert_eq!(json["not_proven"].as_array().map(Vec::len), Some(1), "{json}");

    three_ranges(path).await;
    let range = ["verify", "last.jsonl", "--checkpoint", "monday.json"];
    let range = printed(path, &range).await;
    let compared = "The exports contain the trusted checkpoint at position 16, signed: ";
    assert!(range.contains(compared), "{range}");
    let root = "Not proven: that the trusted checkpoint at position 16 has the root hash of the \
                records: it follows only from all of them, from the first one on.\n";
    assert!(range.contains(root), "{range}");
    assert!(!verified.contains("root hash"), "{verified}");

    let third = checkpoint(&events(&whole())[2]);
    let verified = printed(path, &["verify", "whole.jsonl", "--checkpoint", &third]).await;
    let clause = "Not proven: that the events after position 3 are the original ones: no trusted \
                  checkpoint is later.\n";
    assert!(verified.contains(clause), "{verified}");
    let no_use = run(path, &["verify", "whole.jsonl", "--key", "key.pem"]).await;
    assert_eq!(no_use.code, Some(1));
    assert!(no_use.stderr.contains("an export has no signature that --key could verify"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mismatch_is_named_by_position_file_and_line() {
    let directory = directory().await;
    let path = directory.path();
    let whole = whole();
    let lines: Vec<_> = whole.lines().collect();
    let forged = format!("3:{}", "0".repeat(64));
    let last = checkpoint(&events(&whole)[15]);
    for (text, arguments, expected) in [
        (
            whole.replacen("us-east-1_000000007", "us-east-1_000000008", 1),
            &[][..],
            "INVALID at position 3 (export.jsonl, line 3): the event differs from its record in \
             userPoolId",
        ),
        (
            [lines[0], lines[2]].join("\n"),
            &[],
            "INVALID at position 2 (export.jsonl, line 2): the record has position 3",
        ),
        (
            whole.clone(),
            &["--checkpoint", &forged],
            "INVALID at position 3 (export.jsonl, line 3): the hash is ",
        ),
        (
            lines[..9].join("\n"),
            &["--checkpoint", &last],
            "INVALID at position 10: the log ends at position 9, before a trusted checkpoint",
        ),
    ] {
        write(path, "export.jsonl", text);
        let verified = run(path, &[&["verify", "export.jsonl"][..], arguments].concat()).await;
        assert_eq!(verified.code, Some(1));
        assert!(verified.stdout.contains(expected), "{verified:?}");
    }
    let json = run(path, &["verify", "export.jsonl", "-o", "json", "--checkpoint", &last]).await;
    let json: Value = serde_json::from_str(&json.stdout).expect("JSON");
    assert_eq!((&json["valid"], &json["problem"]["position"]), (&false.into(), &"10".into()));
    for (text, expected) in
        [("", "export.jsonl: the export is empty"), ("\n", "export.jsonl: line 1 is blank")]
    {
        write(path, "export.jsonl", text);
        let refused = run(path, &["verify", "export.jsonl"]).await;
        assert_eq!(refused.code, Some(1));
        assert!(refused.stderr.contains(expected), "{}", refused.stderr);
    }
    let missing = run(path, &["verify", "missing.jsonl"]).await;
    assert!(missing.stderr.contains("missing.jsonl: No such file"), "{}", missing.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_range_is_verified_from_its_anchor() {
    let directory = directory().await;
    let path = directory.path();
    three_ranges(path).await;
    let all = events(&whole());
    let verified = printed(path, &["verify", "last.jsonl"]).await;
    let lines: Vec<_> = verified.lines().collect();
    assert_eq!(
        lines[0],
        "Every record from position 10 to 16 is valid: its hash is correct, it continues the \
         chain, its event is unchanged, and a command could have recorded the event after those \
         before it in the range."
    );
    for clause in [
        "Not proven: that the range follows position 9 with hash ",
        "Not proven: that the log ends at position 16: later events may be missing.",
        "Not proven: that domains had no owner when they were assigned, which depends on events before \
         the range (1: fixture-login).",
    ] {
        assert!(verified.contains(clause), "{verified}");
    }
    let middle = printed(path, &["verify", "middle.jsonl"]).await;
    let exist = "Not proven: that user pools existed at the revision before, and were not deleted, \
                 which depends on events before the range (4: us-east-1_000000001, \
                 us-east-1_000000004, us-east-1_000000007, …).\n";
    assert!(middle.contains(exist), "{middle}");

    let [early, ninth, twelfth] = [2, 8, 11].map(|index| checkpoint(&all[index]));
    let follows = printed(path, &["verify", "last.jsonl", "--checkpoint", &ninth]).await;
    assert!(follows.contains("The range follows the trusted checkpoint at position 9.\n"));
    let both = ["verify", "last.jsonl", "--checkpoint", &twelfth, "--checkpoint", &early];
    let both = printed(path, &both).await;
    assert!(both.contains("The exports contain the trusted checkpoint at position 12"), "{both}");
    let before = "Not proven: that the log contains the trusted checkpoint at position 3: it lies \
                  before the range.\n";
    assert!(both.contains(before), "{both}");
    let nothing = run(path, &["verify", "last.jsonl", "--checkpoint", &early]).await;
    assert_eq!(nothing.code, Some(1));
    let sentence = "every trusted checkpoint lies before position 10";
    assert!(nothing.stderr.contains(sentence), "{}", nothing.stderr);
    let forged = format!("9:{}", "0".repeat(64));
    let forged = run(path, &["verify", "last.jsonl", "--checkpoint", &forged]).await;
    assert_eq!(forged.code, Some(1));
    assert!(forged.stdout.contains("INVALID at position 9 (last.jsonl, line 1): the hash is "));
}

#[tokio::test(flavor = "multi_thread")]
async fn consecutive_ranges_are_verified_together() {
    let directory = directory().await;
    let path = directory.path();
    three_ranges(path).await;
    let together = ["verify", "first.jsonl", "middle.jsonl", "last.jsonl"];
    let whole = printed(path, &["verify", "whole.jsonl"]).await;
    assert_eq!(printed(path, &together).await, whole, "as much is proven");
    let two = printed(path, &["verify", "middle.jsonl", "last.jsonl"]).await;
    assert!(two.starts_with("Every record from position 5 to 16 is valid"), "{two}");
    let joined = ["middle.jsonl", "last.jsonl"]
        .map(|name| fs::read_to_string(path.join(name)).expect("an export"));
    write(path, "joined.jsonl", joined.concat());
    assert_eq!(printed(path, &["verify", "joined.jsonl"]).await, two);

    for (files, expected) in [
        (
            ["first.jsonl", "last.jsonl"],
            "INVALID at position 5 (last.jsonl, line 1): the range follows position 9 with ",
        ),
        (
            ["middle.jsonl", "first.jsonl"],
            "INVALID at position 10 (first.jsonl, line 1): the export begins with position 1, but \
             position 10 comes next; name the exports in the order of the log, without gaps.",
        ),
        (
            ["whole.jsonl", "last.jsonl"],
            "INVALID at position 17 (last.jsonl, line 1): the range follows position 9 with ",
        ),
    ] {
        let verified = run(path, &["verify", files[0], files[1]]).await;
        assert_eq!(verified.code, Some(1));
        assert!(verified.stdout.contains(expected), "{verified:?}");
    }
    let text = super::whole();
    let lines: Vec<_> = text.split_inclusive('\n').collect();
    write(path, "cut.jsonl", lines[4..].concat());
    let cut = run(path, &["verify", "cut.jsonl"]).await;
    let expected = "line 1): the export begins with position 5, but position 1 comes next; ";
    assert!(cut.stdout.contains(expected), "{cut:?}");
    let import = ["log", "import", "first.jsonl", "first.jsonl", "--data-dir", "new"];
    let refused = run(path, &import).await;
    let expected =
        "first.jsonl: line 1: position 5: the export begins with position 1, but position 5";
    assert!(refused.stderr.contains(expected), "{}", refused.stderr);
    // An anchor of another log, at the same record.
    let last = fs::read_to_string(path.join("last.jsonl")).expect("an export");
    let (before, after) = last.split_once("\"logId\":\"").expect("a log ID");
    write(path, "last.jsonl", format!("{before}\"logId\":\"{}{}", "0".repeat(32), &after[32..]));
    let verified = run(path, &together).await;
    let expected = "INVALID at position 10 (last.jsonl, line 1): the range is of log 0000";
    assert!(verified.stdout.contains(expected), "{verified:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_format_of_an_export_is_accepted_and_no_later_one() {
    let directory = directory().await;
    let path = directory.path();
    let range = repository().join("tests/fixtures/export-2-after-9.jsonl");
    let range = fs::read_to_string(range).expect("an export");
    assert_eq!(printed(path, &["log", "export", "--after", "9"]).await, range, "format 2");
    for (line, expected) in [
        ("{\"userpoolExport\":3,\"other\":1}", "the export has format 3, but this version knows 2"),
        ("{\"userpoolExport\":2}", "the line is not the anchor of a range: missing field `after`"),
        (
            "{\"userpoolExport\":1}",
            "the line is not the anchor of a range: userpoolExport must be 2",
        ),
        ("{\"userpoolExport\"", "the line is not the anchor of a range: EOF"),
        (
            "{\"userpoolExport\":2,\"after\":{\"position\":\"0\",\"hash\":\"\",\"logId\":\"\"}}",
            "the line is not the anchor of a range: hash: expected 64 hexadecimal digits",
        ),
    ] {
        write(path, "later.jsonl", line);
        let verified = run(path, &["verify", "later.jsonl"]).await;
        assert_eq!(verified.code, Some(1));
        let expected = format!("INVALID at position 1 (later.jsonl, line 1): {expected}");
        assert!(verified.stdout.contains(&expected), "{verified:?}");
    }
}

/// The Python verifier is written from docs/reference/log-format.md.
#[tokio::test(flavor = "multi_thread")]
async fn a_verifier_from_the_documentation_agrees_on_ranges() {
    let directory = directory().await;
    let path = directory.path();
    three_ranges(path).await;
    let script = repository().join("tests/it/verify_export.py");
    let python = |arguments: &[&str]| {
        let mut command = Command::new("python3");
        let output = command.arg(&script).args(arguments).current_dir(path).output();
        let output = output.expect("python3 runs");
        (output.status.code(), String::from_utf8(output.stdout).expect("UTF-8").trim().to_owned())
    };
    let [ninth, last] = [8, 15].map(|index| checkpoint(&events(&whole())[index]));
    assert_eq!(python(&["last.jsonl"]), (Some(0), last.clone()));
    assert_eq!(python(&["last.jsonl", &ninth]), (Some(0), last));
    let forged = format!("9:{}", "0".repeat(64));
    let refused = (Some(1), "position 9: not the given hash".to_owned());
    assert_eq!(python(&["last.jsonl", &forged]), refused);
}
