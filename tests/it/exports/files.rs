//! `userpool verify` says what a file is that it cannot verify, and what to do with it.

use std::{fs, process::Command};

use crate::{binary::Process, tools::repository};

use super::{Run, checkpoint, directory, events, printed, run, whole, write};

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_no_export_is_named_with_a_remedy() {
    let directory = directory().await;
    let path = directory.path();
    printed(path, &["log", "export", "-o", "csv", "events.csv"]).await;
    let server = Process::start(&path.join("data")).await;
    let mut signed = Vec::new();
    for (name, options) in [
        ("signed.json", &[][..]),
        ("signed.jsonl", &["-o", "jsonl"]),
        ("note", &["--note"]),
        ("key.pem", &["--key"]),
        ("key.txt", &["--verifier-key"]),
    ] {
        let arguments = [&["checkpoint", "--endpoint", server.address()], options].concat();
        signed.push((name, printed(path, &arguments).await));
    }
    let proof = printed(path, &["proof", "3", "--endpoint", server.address()]).await;
    server.kill().await;
    for (name, text) in signed {
        write(path, name, text);
    }
    write(path, "event.tlog-proof", proof);
    fs::copy(path.join("data/signing_key.pem"), path.join("private.pem")).expect("copied");
    write(path, "archive.tar", b"\0\x01\xfe\xff tar");
    write(path, "notes.txt", "the log of November\n");

    for (name, is, remedy) in [
        ("events.csv", "an export for spreadsheets, which has no records", "without -o csv"),
        ("signed.json", "a signed checkpoint", "name it with --checkpoint"),
        ("signed.jsonl", "a signed checkpoint", "name it with --checkpoint"),
        ("note", "a signed note", "name it with --checkpoint"),
        ("key.pem", "a public key", "name it with --key"),
        ("key.txt", "a public key", "name it with --key"),
        ("private.pem", "a private key", "name the public key with --key"),
    ] {
        for key in [&["--key", "key.pem"][..], &[]] {
            let refused = run(path, &[&["verify", name], key].concat()).await;
            assert_eq!((refused.code, refused.stdout.as_str()), (Some(2), ""), "{refused:?}");
            let expected = format!("userpool: {name} is {is}");
            assert!(refused.stderr.starts_with(&expected), "{}", refused.stderr);
            assert!(refused.stderr.contains(remedy), "{}", refused.stderr);
        }
        let refused = run(path, &["log", "import", name, "--data-dir", "new"]).await;
        assert_eq!(refused.code, Some(1));
        let expected = format!("{name} is {is}, and only an export can be imported");
        assert!(refused.stderr.contains(&expected), "{}", refused.stderr);
    }
    let refused = run(path, &["log", "import", "event.tlog-proof", "--data-dir", "new"]).await;
    assert!(refused.stderr.contains("is a proof, and only an export can be imported"));
    for name in ["archive.tar", "notes.txt"] {
        let refused = run(path, &["verify", "--key", "key.pem", name]).await;
        let expected = format!("userpool: {name} is neither an export, ");
        assert!(refused.stderr.starts_with(&expected), "{}", refused.stderr);
    }
    let refused = run(path, &["verify", "data"]).await;
    let expected = "data is a directory; \"userpool log verify --data-dir data\" verifies";
    assert!(refused.stderr.contains(expected), "{}", refused.stderr);
    let missing = run(path, &["verify", "--key", "key.pem", "missing.jsonl"]).await;
    assert!(missing.stderr.starts_with("userpool: missing.jsonl: No such file"), "{missing:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_read_from_each_of_its_forms() {
    let directory = directory().await;
    let path = directory.path();
    let server = Process::start(&path.join("data")).await;
    let connection = ["--endpoint", server.address()];
    let printed_by =
        async |arguments: &[&str]| printed(path, &[arguments, &connection].concat()).await;
    let proof = printed_by(&["proof", "3"]).await;
    let pem = printed_by(&["checkpoint", "--key"]).await;
    let named = printed_by(&["checkpoint", "--verifier-key"]).await;
    let table = printed_by(&["checkpoint", "-o", "table"]).await;
    server.kill().await;
    let digits = table.lines().find_map(|line| line.strip_prefix("public_key")).expect("a key");
    write(path, "event.tlog-proof", &proof);
    for (name, text) in [("pem", &pem), ("named", &named), ("digits", &digits.to_owned())] {
        write(path, name, text);
        let verified = printed(path, &["verify", "event.tlog-proof", "--key", name]).await;
        assert!(verified.starts_with("The event at position 3 is in the log "), "{verified}");
        printed(path, &["log", "verify", "--data-dir", "data", "--key", name]).await;
    }
    // A compressed proof is one, too.
    let mut gzip = Command::new("gzip");
    gzip.arg("event.tlog-proof").current_dir(path);
    assert!(gzip.status().expect("gzip runs").success());
    let verified = printed(path, &["verify", "event.tlog-proof.gz", "--key", "named"]).await;
    assert!(verified.starts_with("The event at position 3 is in the log "), "{verified}");

    fs::copy(path.join("data/signing_key.pem"), path.join("private")).expect("copied");
    let anchor = checkpoint(&events(&whole())[2]);
    write(path, "anchor", &anchor);
    for (key, expected) in [
        (
            "missing",
            "neither NAME+HASH+KEY, nor 64 hexadecimal digits, nor a file that can be read",
        ),
        (
            "private",
            "the file has a private key; name the public key, which \"userpool key\" prints",
        ),
        ("whole.jsonl", "the file is an export, not a public key"),
        (
            "event.tlog-proof.gz",
            "the file has no Ed25519 public key, as PEM, 64 hexadecimal digits",
        ),
        ("anchor", "the file has no Ed25519 public key, as PEM, 64 hexadecimal digits"),
    ] {
        let refused = run(path, &["verify", "event.tlog-proof.gz", "--key", key]).await;
        assert_eq!(refused.code, Some(2), "{refused:?}");
        assert!(refused.stderr.contains(expected), "{}", refused.stderr);
    }
    for (file, expected) in [
        ("missing", "neither POSITION:HASH nor a file that can be read: No such file"),
        ("whole.jsonl", "the file is an export, not a checkpoint"),
        ("named", "the file is a public key, not a checkpoint"),
    ] {
        let refused = run(path, &["verify", "whole.jsonl", "--checkpoint", file]).await;
        assert_eq!(refused.code, Some(2), "{refused:?}");
        assert!(refused.stderr.contains(expected), "{}", refused.stderr);
    }
}

/// A note that witnesses signed as well is the same checkpoint.
#[tokio::test(flavor = "multi_thread")]
async fn a_signed_note_is_a_checkpoint() {
    let directory = directory().await;
    let path = directory.path();
    let server = Process::start(&path.join("data")).await;
    let connection = ["--endpoint", server.address()];
    let printed_by =
        async |arguments: &[&str]| printed(path, &[arguments, &connection].concat()).await;
    let note = printed_by(&["checkpoint", "--note"]).await;
    write(path, "key", printed_by(&["checkpoint", "--verifier-key"]).await);
    let cosigned = format!("{note}\u{2014} witness.example {}==\n", "A".repeat(102));
    write(path, "note", &note);
    write(path, "cosigned", cosigned);
    let changed = note.replacen("\n16\n", "\n15\n", 1);
    assert_ne!(changed, note);
    write(path, "changed", changed);
    // The same events, signed with another key.
    printed(path, &["log", "import", "whole.jsonl", "--data-dir", "copy"]).await;
    let copy = Process::start(&path.join("copy")).await;
    let other = ["checkpoint", "--verifier-key", "--endpoint", copy.address()];
    write(path, "other", printed(path, &other).await);

    for file in ["note", "cosigned"] {
        let proven = printed_by(&["verify", "--checkpoint", file]).await;
        let contains =
            "The log contains the trusted checkpoint at position 16: nothing up to there";
        assert!(proven.contains(contains), "{proven}");
        assert!(proven.contains(", which is known only from this server: "), "{proven}");
        assert!(proven.ends_with(KEY_OF_SERVER), "{proven}");
        let proven = printed_by(&["consistency", file]).await;
        assert!(proven.contains(KEY_OF_SERVER), "{proven}");
        let proven = printed_by(&["verify", "--checkpoint", file, "--key", "key"]).await;
        assert!(proven.contains("at position 16, signed with the given key: "), "{proven}");
        for (key, signed) in [(&["--key", "key"][..], ", signed with the given key"), (&[], "")] {
            let verify = [&["verify", "whole.jsonl", "--checkpoint", file], key].concat();
            let proven = printed(path, &verify).await;
            let contains =
                format!("The exports contain the trusted checkpoint at position 16{signed}: ");
            assert!(proven.contains(&contains), "{proven}");
            assert_eq!(proven.contains(NO_KEY), key.is_empty(), "{proven}");
        }
        let refused = ["verify", "whole.jsonl", "--checkpoint", file, "--key", "other"];
        let refused = run(path, &refused).await;
        assert_eq!((refused.code, refused.stdout.as_str()), (Some(2), ""), "{refused:?}");
        let expected =
            "the trusted checkpoint at position 16 is not valid: the note is not signed by";
        assert!(refused.stderr.contains(expected), "{}", refused.stderr);
        let refused = ["verify", "--checkpoint", file, "--endpoint", copy.address()];
        let refused = run(path, &refused).await;
        assert_eq!(refused.code, Some(1), "{refused:?}");
        let expected = "INVALID: the trusted checkpoint is not signed with the key of the server, so it \
                        or the server is the wrong one: the note is not signed by";
        let valid = "Every record up to position 16 is valid.\n";
        assert!(refused.stdout.starts_with(&format!("{valid}{expected}")), "{}", refused.stdout);
        let refused = run(path, &["consistency", file, "--endpoint", copy.address()]).await;
        assert!(refused.stdout.starts_with(expected), "{}", refused.stdout);
        let refused = ["proof", "16", "--checkpoint", file, "--endpoint", copy.address()];
        let refused = run(path, &refused).await;
        assert!(refused.stderr.contains("so it or the server is the wrong one"), "{refused:?}");
    }
    // It says nothing of the log, which is not blamed.
    for arguments in [
        &["verify", "whole.jsonl", "--checkpoint", "changed", "--key", "key"][..],
        &["verify", "--checkpoint", "changed"],
        &["consistency", "changed"],
        &["proof", "15", "--checkpoint", "changed"],
    ] {
        let changed = run(path, &[arguments, &connection].concat()).await;
        assert_changed(&changed);
    }
    server.kill().await;
    copy.kill().await;
    let other = "INVALID: a trusted checkpoint is not signed with the key of this data directory: ";
    for (directory, code, expected) in
        [("data", 0, "it was taken from the data directory, because"), ("copy", 1, other)]
    {
        let verify = ["log", "verify", "--data-dir", directory, "--checkpoint", "cosigned"];
        let verified = run(path, &verify).await;
        assert_eq!(verified.code, Some(code), "{verified:?}");
        assert!(verified.stdout.contains(expected), "{verified:?}");
    }
    let changed = ["log", "verify", "--data-dir", "data", "--checkpoint", "changed"];
    assert_changed(&run(path, &changed).await);
}

/// What a note without a key does not prove.
const NO_KEY: &str = "Not proven: that the log signed the trusted checkpoint at position 16: a signed \
                      note has no key; name it with --key.\n";

const KEY_OF_SERVER: &str = "Not proven: that the key is the right one: it was taken from the server, because a signed note \
                             has no key; name it with --key.\n";

/// Asserts that a command refused a note that was changed.
fn assert_changed(output: &Run) {
    assert_eq!((output.code, output.stdout.as_str()), (Some(2), ""), "{output:?}");
    let expected = "the trusted checkpoint at position 15 is not valid: the signature of ";
    assert!(output.stderr.contains(expected), "{output:?}");
    assert!(output.stderr.contains("the note was changed"), "{output:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_checkpoint_of_another_log_is_found() {
    let directory = directory().await;
    let path = directory.path();
    printed(path, &["log", "export", "range.jsonl", "--after", "9"]).await;
    let other = repository().join("tests/fixtures/members-of-2017.jsonl");
    let other = other.to_str().expect("UTF-8");
    printed(path, &["log", "import", other, "--data-dir", "other"]).await;
    for (directory, file) in [("data", "own.json"), ("other", "other.json")] {
        let server = Process::start(&path.join(directory)).await;
        let signed = printed(path, &["checkpoint", "--endpoint", server.address()]).await;
        server.kill().await;
        write(path, file, signed);
        // Both are signed with one key.
        fs::copy(path.join("data/signing_key.pem"), path.join("other/signing_key.pem"))
            .expect("copied");
    }
    let is_other = "the trusted checkpoint at position ";
    for (arguments, position) in [
        (&["whole.jsonl"][..], 1),
        // It lies before the range or after it, and is still of another log.
        (&["range.jsonl"], 10),
        (&["range.jsonl", "--checkpoint", "own.json"], 10),
    ] {
        let verify = [&["verify", "--checkpoint", "other.json"], arguments].concat();
        let verified = run(path, &verify).await;
        assert_eq!((verified.code, verified.stderr.as_str()), (Some(1), ""), "{verified:?}");
        let expected = format!("INVALID at position {position} ({}, line 1): ", arguments[0]);
        assert!(verified.stdout.contains(&expected), "{}", verified.stdout);
        assert!(verified.stdout.contains(is_other), "{}", verified.stdout);
        assert!(verified.stdout.contains("it is another log, or was rewritten"), "{verified:?}");
    }
    let verified = run(path, &["log", "verify", "--checkpoint", "other.json"]).await;
    assert!(verified.stdout.starts_with("INVALID at position 1: the log has the ID "));

    // The anchor alone is of another log.
    let range = fs::read_to_string(path.join("range.jsonl")).expect("an export");
    let (before, after) = range.split_once("\"logId\":\"").expect("a log ID");
    let changed = format!("{before}\"logId\":\"{}{}", "0".repeat(32), &after[32..]);
    write(path, "changed.jsonl", changed);
    let verify = ["verify", "changed.jsonl", "--checkpoint", "own.json"];
    let verified = run(path, &verify).await;
    assert_eq!(verified.code, Some(1), "{verified:?}");
    let zeros = format!("the log has the ID {}, but the trusted checkpoint", "0".repeat(32));
    assert!(verified.stdout.contains(&zeros), "{}", verified.stdout);
    let own = ["verify", "range.jsonl", "--checkpoint", "own.json"];
    let own = printed(path, &own).await;
    assert!(!own.contains("which only the export says"), "{own}");
}
