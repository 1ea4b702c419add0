//! Files that prove events, and their verification without a server.

use std::{
    fs,
    process::{Command, Output},
};

use serde_json::json;
use tempfile::TempDir;

use super::{CommandOutput, create, run, run_with, verify::empty_server_with_key_of};
use crate::{proofs::judge, support::TestServer, tools::repository};

/// No server listens there.
const NOWHERE: &str = "127.0.0.1:9";

/// A server on which one user pool was created, tagged and deleted, and another created.
async fn server_with_events() -> (TestServer, String) {
    let server = TestServer::start().await;
    let people = create(&server, "people").await;
    create(&server, "staff").await;
    let tagged = run(&server, &["tag", "set", &people, "team=people"]).await;
    assert_eq!(tagged.code, 0, "{tagged:?}");
    let deleted = run(&server, &["delete", &people, "--yes"]).await;
    assert_eq!(deleted.code, 0, "{deleted:?}");
    (server, people)
}

fn write(directory: &TempDir, name: &str, text: &str) -> String {
    let path = directory.path().join(name);
    fs::write(&path, text).expect("written");
    path.to_str().expect("UTF-8").to_owned()
}

async fn verify(file: &str, arguments: &[&str]) -> CommandOutput {
    run_with(NOWHERE, &[&["verify", file], arguments].concat(), "").await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proof_of_an_event_is_verified_without_a_server() {
    let (server, people) = server_with_events().await;
    let proof = run(&server, &["proof", "3"]).await;
    assert_eq!(proof.code, 0, "{proof:?}");
    let key = run(&server, &["checkpoint", "--verifier-key"]).await.stdout;
    let pem = run(&server, &["checkpoint", "--key"]).await.stdout;
    let note = run(&server, &["checkpoint", "--note"]).await.stdout;
    let other = TestServer::start().await;
    let other_pem = run(&other, &["checkpoint", "--key"]).await.stdout;
    server.stop().await;

    let directory = TempDir::new().expect("a directory");
    let file = write(&directory, "event.tlog-proof", &proof.stdout);
    let pem = write(&directory, "key.pem", &pem);
    let log = note.lines().next().expect("a line");
    for key in [key.trim(), &pem] {
        let verified = verify(&file, &["--key", key]).await;
        assert_eq!((verified.code, verified.stderr.as_str()), (0, ""), "{verified:?}");
        let expected = format!(
            "The event at position 3 is in the log {log} of 4 events, whose root hash was signed"
        );
        assert!(verified.stdout.starts_with(&expected), "{}", verified.stdout);
        assert!(verified.stdout.contains(&format!("{people}  tagged")), "{}", verified.stdout);
        assert!(verified.stdout.contains(&format!("user pool       {people}, revision 2\n")));
        assert_eq!(verified.stdout.matches("\nNot proven: ").count(), 3, "{}", verified.stdout);
    }
    let document = verify(&file, &["--key", &pem, "-o", "json"]).await.json();
    assert_eq!(document["valid"], true);
    assert_eq!((&document["log"], &document["size"]), (&json!(log), &json!("4")));
    assert_eq!(document["events"][0]["position"], "3");

    let other_pem = write(&directory, "other.pem", &other_pem);
    let refused = verify(&file, &["--key", &other_pem]).await;
    assert_eq!((refused.code, refused.stderr.as_str()), (1, ""), "{refused:?}");
    assert!(refused.stdout.starts_with("INVALID: "), "{}", refused.stdout);
    let changed = write(&directory, "changed", &proof.stdout.replace("index 2", "index 1"));
    assert_eq!(verify(&changed, &["--key", &pem]).await.code, 1);
    let piped = ["verify", "-", "--key", &pem];
    let piped = run_with(NOWHERE, &piped, &proof.stdout).await;
    assert!(piped.stdout.starts_with("The event at position 3 is in the log "), "{piped:?}");
    // Neither has a root hash.
    for position in [3, 4] {
        let anchor = format!("{position}:{}", "0".repeat(64));
        let compared = verify(&file, &["--key", &pem, "--checkpoint", &anchor]).await;
        assert_eq!((compared.code, compared.stdout.as_str()), (2, ""), "{compared:?}");
        let expected =
            "the proof ends in a checkpoint at position 4, and no trusted one with a root";
        assert!(compared.stderr.contains(expected), "{}", compared.stderr);
    }
    let two = verify(&file, &[file.as_str(), "--key", &pem]).await;
    assert_eq!((two.code, two.stdout.as_str()), (2, ""), "{two:?}");
    assert!(two.stderr.contains("is a proof, not an export; verify each proof alone"), "{two:?}");
    let keyless = verify(&file, &[]).await;
    assert_eq!(keyless.code, 2);
    assert!(keyless.stderr.contains("name it with --key"), "{}", keyless.stderr);

    let question = json!({"File": {"Text": proof.stdout, "Key": key.trim()}});
    judge::assert_accepted(&[question], "that Go's packages accept the file of a proof");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_history_of_a_user_pool_is_proven_in_one_file() {
    let (server, people) = server_with_events().await;
    let one = run(&server, &["proof", &format!("{people}:3")]).await.stdout;
    let directory = TempDir::new().expect("a directory");
    let kept = run(&server, &["checkpoint"]).await.stdout;
    let kept = write(&directory, "monday.json", &kept);
    let newest = run(&server, &["proof", "--pool", &people]).await;
    assert_eq!(newest.code, 0, "{newest:?}");
    let all = run(&server, &["proof", "--pool", &people, "--checkpoint", &kept]).await;
    assert_eq!(all.code, 0, "{all:?}");
    let key = run(&server, &["checkpoint", "--verifier-key"]).await.stdout;
    let key = key.trim();
    let beyond = run(&server, &["proof", &format!("{people}:4")]).await;
    assert!(beyond.stderr.contains("revision 4 does not exist yet; the latest is 3"), "{beyond:?}");
    let unknown = run(&server, &["proof", "5"]).await;
    assert!(unknown.stderr.contains("position 5 does not exist yet"), "{unknown:?}");
    for wrong in ["0", "x", ":3", "pool:0", "pool:x"] {
        assert_eq!(run(&server, &["proof", wrong]).await.code, 2, "{wrong}");
    }

    let event_id = run(&server, &["proof", "0191e1a1-7b5c-7d3e-8f00-0123456789ab"]).await;
    assert_eq!(event_id.code, 2, "{event_id:?}");
    let expected =
        "an event ID does not show where the event is: \"userpool events -o jsonl\" shows";
    assert!(event_id.stderr.contains(expected), "{}", event_id.stderr);

    let file = write(&directory, "history.tlog-proof", &newest.stdout);
    let verified = verify(&file, &["--key", key]).await;
    assert_eq!(verified.code, 0, "{verified:?}");
    let expected =
        format!("Revisions 1 to 3 of user pool {people}, without a gap, are in the log ");
    assert!(verified.stdout.starts_with(&expected), "{}", verified.stdout);
    for kind in ["created", "tagged", "deleted"] {
        assert!(verified.stdout.contains(&format!("{people}  {kind}")), "{}", verified.stdout);
    }
    assert!(verified.stdout.contains("that revision 3 is the last one"), "{}", verified.stdout);

    // Without one of the proofs, it is no history.
    let header = "c2sp.org/tlog-proof@v1\n";
    let proofs: Vec<_> = all.stdout.split_inclusive(header).collect();
    let proofs: Vec<_> = proofs[1..]
        .iter()
        .map(|proof| format!("{header}{}", proof.trim_end_matches(header)))
        .collect();
    let other = run(&server, &["proof", "2", "--checkpoint", &kept]).await.stdout;
    for (kept, expected) in [
        (vec![&proofs[0], &proofs[2]], "up to revision 3 lacks revision 2: "),
        (vec![&proofs[1], &proofs[2]], "up to revision 3 lacks revision 1: "),
        (
            vec![&proofs[0], &proofs[2], &proofs[1]],
            "proof 3 is of revision 2, which does not follow",
        ),
        (
            vec![&proofs[0], &proofs[0]],
            "proof 2 is of revision 1, which does not follow revision 1",
        ),
        (vec![&proofs[0], &other], "proof 2 is of user pool "),
    ] {
        let text: String = kept.into_iter().map(String::as_str).collect();
        let file = write(&directory, "gap", &text);
        let refused = verify(&file, &["--key", key]).await;
        assert_eq!((refused.code, refused.stderr.as_str()), (1, ""), "{refused:?}");
        assert!(refused.stdout.starts_with("INVALID: "), "{}", refused.stdout);
        assert!(refused.stdout.contains(expected), "{}", refused.stdout);
        let refused = verify(&file, &["--key", key, "-o", "json"]).await;
        assert_eq!((refused.code, &refused.json()["valid"]), (1, &json!(false)));
    }
    // That the last one is missing does not show, and is said.
    let file = write(&directory, "short", &[proofs[0].as_str(), &proofs[1]].concat());
    let verified = verify(&file, &["--key", key]).await;
    let expected =
        format!("Revisions 1 to 2 of user pool {people}, without a gap, are in the log ");
    assert!(verified.stdout.starts_with(&expected), "{}", verified.stdout);
    let clause = "Not proven: that revision 2 is the last one, because a file without the last ones \
                  looks the same, ";
    assert!(verified.stdout.contains(clause), "{}", verified.stdout);
    // Proofs of other checkpoints do not go together.
    let mixed = write(&directory, "mixed", &format!("{}{one}", all.stdout));
    let refused = verify(&mixed, &["--key", key]).await;
    assert_eq!(refused.code, 1);
    assert!(refused.stdout.contains("proof 4 has another checkpoint"), "{}", refused.stdout);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proof_ends_in_a_checkpoint_that_an_auditor_has() {
    let (server, people) = server_with_events().await;
    let directory = TempDir::new().expect("a directory");
    let kept = run(&server, &["checkpoint"]).await.stdout;
    let kept = write(&directory, "monday.json", &kept);
    let note = run(&server, &["checkpoint", "--note"]).await.stdout;
    let note = write(&directory, "note", &note);
    create(&server, "guests").await;
    let key = run(&server, &["checkpoint", "--verifier-key"]).await.stdout;
    let newest = run(&server, &["proof", "3"]).await.stdout;
    let newest = write(&directory, "newest.tlog-proof", &newest);
    for checkpoint in [&kept, &note] {
        let proof = run(&server, &["proof", "3", "--checkpoint", checkpoint]).await;
        assert_eq!(proof.code, 0, "{proof:?}");
        let file = write(&directory, "event.tlog-proof", &proof.stdout);
        // The key is in the checkpoint that the auditor kept.
        let verified = verify(&file, &["--checkpoint", &kept]).await;
        assert_eq!((verified.code, verified.stderr.as_str()), (0, ""), "{verified:?}");
        let expected =
            "of 4 events, whose root hash was signed with the key of the trusted checkpoint";
        assert!(verified.stdout.contains(expected), "{}", verified.stdout);
        assert!(verified.stdout.contains(". The proof ends in the trusted checkpoint.\n"));
        let verified = verify(&file, &["--checkpoint", &note, "--key", key.trim()]).await;
        assert_eq!(verified.code, 0, "{verified:?}");
        let keyless = verify(&file, &["--checkpoint", &note]).await;
        assert!(keyless.stderr.contains("or a checkpoint in JSON, which has it"), "{keyless:?}");
        let later = verify(&newest, &["--checkpoint", checkpoint, "--key", key.trim()]).await;
        assert!(later.stderr.contains("ends in a checkpoint at position 5, and no trusted"));

        let history = ["proof", "--pool", &people, "--checkpoint", checkpoint];
        let history = run(&server, &history).await;
        let file = write(&directory, "history.tlog-proof", &history.stdout);
        let verified = verify(&file, &["--checkpoint", &kept]).await;
        assert!(verified.stdout.starts_with("Revisions 1 to 3 of user pool "), "{verified:?}");

        let beyond = run(&server, &["proof", "5", "--checkpoint", checkpoint]).await;
        assert_eq!(beyond.code, 1, "{beyond:?}");
        let older = "the checkpoint is at position 4, older than the event at position 5";
        assert!(beyond.stderr.contains(older), "{beyond:?}");
    }
    let anchor = format!("4:{}", "0".repeat(64));
    let unsigned = run(&server, &["proof", "3", "--checkpoint", &anchor]).await;
    assert_eq!(unsigned.code, 1);
    assert!(unsigned.stderr.contains("a proof ends in a signed checkpoint"), "{unsigned:?}");

    // Of the same size, and signed with the same key.
    let rewritten = empty_server_with_key_of(&server).await;
    create(&rewritten, "first").await;
    let cut = run(&rewritten, &["proof", "1", "--checkpoint", &kept]).await;
    let expected = "userpool: the log of the server ends at position 1, before the given checkpoint at \
                    position 4: history was truncated, or it is another log\n";
    assert_eq!((cut.code, cut.stderr.as_str()), (1, expected));
    for name in ["second", "third", "fourth"] {
        create(&rewritten, name).await;
    }
    let forged = run(&rewritten, &["proof", "3"]).await.stdout;
    let forged = write(&directory, "forged.tlog-proof", &forged);
    let refused = verify(&forged, &["--checkpoint", &kept]).await;
    assert_eq!((refused.code, refused.stderr.as_str()), (1, ""), "{refused:?}");
    let expected = "INVALID: the proof does not end in the trusted checkpoint at position 4: the ";
    assert!(refused.stdout.starts_with(expected), "{}", refused.stdout);

    // The same number of other events.
    let other = TestServer::start().await;
    for name in ["first", "second", "third", "fourth"] {
        create(&other, name).await;
    }
    let refused = run(&other, &["proof", "3", "--checkpoint", &kept]).await;
    assert_eq!(refused.code, 1);
    let expected = "the server has no proof that ends in the given checkpoint at position 4: ";
    assert!(refused.stderr.contains(expected), "{}", refused.stderr);
    server.stop().await;
}

/// The program in docs/reference/log-format.md.
fn python(directory: &TempDir, file: &str, key: &str) -> Output {
    let text =
        fs::read_to_string(repository().join("docs/reference/log-format.md")).expect("a document");
    let (_, program) = text.split_once("```python\n").expect("a program");
    let (program, _) = program.split_once("```").expect("its end");
    assert!(program.lines().count() <= 60, "{} lines", program.lines().count());
    let script = write(directory, "verify_proof.py", program);
    let mut python = Command::new("python3");
    python.arg(script).args([file, key]).output().expect("python3 runs")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_of_sixty_lines_verifies_a_proof() {
    let (server, _) = server_with_events().await;
    let key = run(&server, &["checkpoint", "--verifier-key"]).await.stdout;
    let directory = TempDir::new().expect("a directory");
    for position in ["1", "2", "3", "4"] {
        let proof = run(&server, &["proof", position]).await.stdout;
        let file = write(&directory, "event.tlog-proof", &proof);
        let verified = python(&directory, &file, key.trim());
        let stdout = String::from_utf8_lossy(&verified.stdout);
        assert!(verified.status.success(), "{verified:?}");
        assert!(stdout.starts_with(&format!("position {position} of 4 in userpool/")), "{stdout}");
        let forgeries = [
            ("\nextra ", "\nextra AAAA"),
            ("\nindex ", "\nindex 1"),
            ("\nchain ", "\nchain 0"),
            ("\n4\n", "\n5\n"),
        ];
        for (part, other) in forgeries {
            let forged = proof.replacen(part, other, 1);
            assert_ne!(forged, proof, "{part} in {proof}");
            let file = write(&directory, "forged.tlog-proof", &forged);
            assert!(!python(&directory, &file, key.trim()).status.success(), "{forged}");
        }
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proof_of_a_removal_says_what_was_removed() {
    let directory = TempDir::new().expect("a directory");
    let server = TestServer::start().await;
    let id = create(&server, "people").await;
    assert_eq!(run(&server, &["tag", "set", &id, "team=one"]).await.code, 0);
    assert_eq!(run(&server, &["tag", "remove", &id, "team"]).await.code, 0);
    let key = run(&server, &["checkpoint", "--verifier-key"]).await.stdout;
    let proof = run(&server, &["proof", "3"]).await.stdout;
    let file = write(&directory, "event.tlog-proof", &proof);
    let verified = run(&server, &["verify", &file, "--key", key.trim()]).await;
    assert!(verified.stdout.contains("  team: none\n"), "{verified:?}");
    let nothing = run(&server, &["proof"]).await;
    assert_eq!(nothing.code, 2, "{nothing:?}");
    assert!(nothing.stderr.contains("<EVENT|--pool <POOL>>"), "{nothing:?}");
}
