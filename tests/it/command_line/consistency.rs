//! `userpool consistency`: that a log continues a checkpoint, without its events.

use std::fs;

use tempfile::TempDir;
use userpool::{
    audit::LogCheckpoint,
    event_log::{Hash, Head, Position},
};

use super::{
    create, run,
    verify::{empty_server_with_key_of, forked},
};
use crate::support::TestServer;

fn write(directory: &TempDir, name: &str, text: &str) -> String {
    let path = directory.path().join(name);
    fs::write(&path, text).expect("written");
    path.to_str().expect("UTF-8").to_owned()
}

/// A server with two events, and its checkpoint after them.
async fn server(directory: &TempDir) -> (TestServer, String) {
    let server = TestServer::start().await;
    create(&server, "first").await;
    create(&server, "second").await;
    let kept = run(&server, &["checkpoint"]).await.stdout;
    (server, write(directory, "monday.json", &kept))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_is_proven_to_continue_a_checkpoint() {
    let directory = TempDir::new().expect("a directory");
    let (server, kept) = server(&directory).await;
    let note = run(&server, &["checkpoint", "--note"]).await.stdout;
    let note = write(&directory, "note", &note);
    let key = run(&server, &["checkpoint", "--verifier-key"]).await.stdout;
    let same = run(&server, &["consistency", &kept]).await;
    assert_eq!(same.code, 0, "{same:?}");
    for name in ["third", "fourth", "fifth"] {
        create(&server, name).await;
    }
    let proven = run(&server, &["consistency", &kept]).await;
    assert_eq!((proven.code, proven.stderr.as_str()), (0, ""), "{proven:?}");
    let lines: Vec<_> = proven.stdout.lines().collect();
    assert_eq!(
        lines[0],
        "The log at position 2 is a prefix of the log at position 5: nothing up to position 2 was \
         changed, removed or added."
    );
    assert!(lines[1].starts_with("The server signed that its log ends at position 5, hash "));
    assert!(lines[1].ends_with(", with the key of the trusted checkpoints."), "{}", lines[1]);
    assert_eq!(proven.stdout.matches("\nNot proven: ").count(), 2, "{}", proven.stdout);

    // The new checkpoint is in the document, to be kept in turn.
    let document = run(&server, &["consistency", &kept, "-o", "json"]).await.json();
    assert_eq!((&document["valid"], &document["position"]), (&true.into(), &"5".into()));
    let newer = write(&directory, "tuesday.json", &document["checkpoint"].to_string());
    create(&server, "sixth").await;
    let proven = run(&server, &["consistency", &newer, &note, "--key", key.trim()]).await;
    assert_eq!(proven.code, 0, "{proven:?}");
    let starts: Vec<_> =
        proven.stdout.lines().map(|line| line.split(':').next().unwrap_or_default()).collect();
    assert_eq!(starts[0], "The log at position 2 is a prefix of the log at position 5");
    assert_eq!(starts[1], "The log at position 5 is a prefix of the log at position 6");
    assert!(proven.stdout.contains("with the given key.\n"), "{}", proven.stdout);

    // The report has the checkpoint that the server signed.
    let report = run(&server, &["consistency", &newer, "-o", "json"]).await.stdout;
    let report = write(&directory, "report.json", &report);
    let again = run(&server, &["consistency", &report]).await;
    assert_eq!(again.code, 0, "{again:?}");
    let verified = run(&server, &["verify", "--checkpoint", &report]).await;
    assert!(
        verified.stdout.contains("the trusted checkpoint at position 6, signed:"),
        "{verified:?}"
    );

    let anchor = format!("2:{}", "0".repeat(64));
    let rootless = run(&server, &["consistency", &anchor]).await;
    assert_eq!(rootless.code, 2);
    assert!(rootless.stderr.contains("the checkpoint at position 2 has no root hash"));
    let missing = run(&server, &["consistency"]).await;
    assert_eq!(missing.code, 2, "{missing:?}");

    // Every checkpoint that the server published itself.
    let server = server.restart().await;
    let published = server.data_dir().join("checkpoints.jsonl");
    let all = run(&server, &["consistency", published.to_str().expect("UTF-8"), &kept]).await;
    assert_eq!(all.code, 0, "{all:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_does_not_continue_a_checkpoint_is_found() {
    let directory = TempDir::new().expect("a directory");
    let server = TestServer::start().await;
    create(&server, "first").await;
    // As consistent as the first history, and signed with the same key.
    let (server, rewritten) = forked(server).await;
    create(&server, "second").await;
    let kept = run(&server, &["checkpoint"]).await.stdout;
    let kept = write(&directory, "monday.json", &kept);
    let note = run(&server, &["checkpoint", "--note"]).await.stdout;
    let note = write(&directory, "note", &note);
    let of_other_log = empty_server_with_key_of(&server).await;
    create(&of_other_log, "first").await;
    create(&of_other_log, "second").await;
    let caught = run(&of_other_log, &["consistency", &kept]).await;
    assert!(caught.stdout.starts_with("INVALID at position 2: the log has the ID "), "{caught:?}");

    let cut = "INVALID at position 2: the log ends at position 1, before a trusted checkpoint";
    let same = "INVALID at position 2: the hash is ";
    let longer =
        "INVALID at position 2: the log is not proven to continue the checkpoint at position 2";
    for (expected, name) in [(cut, "wicked"), (same, "third"), (longer, "fourth")] {
        for checkpoint in [&kept, &note] {
            let caught = run(&rewritten, &["consistency", checkpoint]).await;
            assert_eq!((caught.code, caught.stderr.as_str()), (1, ""), "{caught:?}");
            assert!(caught.stdout.starts_with(expected), "{}", caught.stdout);
            let json = run(&rewritten, &["consistency", checkpoint, "-o", "json"]).await;
            assert_eq!((json.code, &json.json()["valid"]), (1, &false.into()));
            // No record was read.
            assert_eq!(json.json().get("hash"), None, "{json:?}");
        }
        create(&rewritten, name).await;
    }

    let other = TestServer::start().await;
    for name in ["first", "second", "third"] {
        create(&other, name).await;
    }
    // Its key differs as well, which is no news.
    for checkpoint in [&kept, &note] {
        let caught = run(&other, &["consistency", checkpoint]).await;
        assert_eq!(caught.code, 1, "{caught:?}");
        let expected = "INVALID at position 2: the log has the ID ";
        assert!(caught.stdout.starts_with(expected), "{}", caught.stdout);
    }
}

#[test]
fn a_checkpoint_without_a_root_proves_nothing_of_an_older_one() {
    let end = |position, hash| Head { position: Position(position), hash: Hash([hash; 32]) };
    let [old, new] = [end(2, 2), end(3, 3)].map(LogCheckpoint::from);
    assert!(new.check_continues(&old, &[]).is_err());
    let rooted = LogCheckpoint { root: Some(Hash([7; 32])), ..old };
    assert!(new.check_continues(&rooted, &[]).is_err());
    assert!(old.check_continues(&rooted, &[]).is_ok(), "the same last hash");
    assert!(LogCheckpoint::from(end(2, 3)).check_continues(&rooted, &[]).is_err());
}
