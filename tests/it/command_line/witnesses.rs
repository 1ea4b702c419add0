//! Proofs that witnesses vouch for, and the command of a witness.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    process::Stdio,
};

use tempfile::TempDir;
use tokio::{io::AsyncBufReadExt as _, process::Command};
use userpool::audit::{Note, NoteSignature};

use super::{create, run, run_with, userpool};
use crate::{
    authority::Authority,
    binary::{self, Process, serve as serve_command},
    proofs::{
        witness_servers::{Front, TestWitness, key_of, post, serve, wait_for_witnessed, witnessed},
        witnesses::Log,
    },
    support::{TestServer, in_time},
};

#[tokio::test(flavor = "multi_thread")]
async fn a_proof_is_verified_with_a_quorum_of_witnesses() {
    let server = TestServer::start().await;
    let people = create(&server, "people").await;
    let log = key_of(&server).await;
    let refused = run(&server, &["proof", "--witnessed", "1"]).await;
    assert!(refused.stderr.contains("no witness has cosigned a checkpoint"), "{refused:?}");
    let directory = server.stop().await;
    let first = TestWitness::start("witness.example/w1", &log).await;
    let second = TestWitness::start("witness.example/w2", &log).await;
    let server = serve(directory, vec![first.address()]).await;
    wait_for_witnessed(&server, 1).await;

    let directory = TempDir::new().expect("a directory");
    let file = directory.path().join("event.tlog-proof");
    let path = file.to_str().expect("UTF-8");
    let key = log.to_string();
    let (first_key, second_key) = (first.key.to_string(), second.key.to_string());
    let both = format!("{first_key},{second_key}");
    let third = TestWitness::start("witness.example/w3", &log).await;
    let three = format!("{both},{}", third.key);
    let verify = async |arguments: &[&str]| {
        run_with("127.0.0.1:9", &[&["verify", path, "--key", &key], arguments].concat(), "").await
    };
    for arguments in [vec!["1"], vec!["--pool", &people]] {
        let proof = run(&server, &[&["proof", "--witnessed"], arguments.as_slice()].concat()).await;
        assert_eq!(proof.code, 0, "{proof:?}");
        fs::write(&file, &proof.stdout).expect("written");
        for accepted in [vec!["--witness", &first_key], vec!["--witness", &both, "--quorum", "1"]] {
            let verified = verify(&accepted).await;
            assert_eq!(verified.code, 0, "{verified:?}");
            let expected = ", and cosigned by witness.example/w1.\n";
            assert!(verified.stdout.contains(expected), "{verified:?}");
            let is_half = verified.stdout.contains("a quorum of at most half of the witnesses");
            assert_eq!(is_half, accepted.contains(&"--quorum"), "{verified:?}");
        }
        for (refused, expected) in [
            (
                vec!["--witness", &both],
                "1 of 2 witnesses, 2 are required; missing: witness.example/w2",
            ),
            (
                vec!["--witness", &three, "--quorum", "2"],
                "1 of 3 witnesses, 2 are required; missing: witness.example/w2, witness.example/w3",
            ),
            (
                vec!["--witness", &second_key],
                "0 of 1 witnesses, 1 is required; missing: witness.example/w2",
            ),
        ] {
            let refused = verify(&refused).await;
            assert_eq!(refused.code, 1, "{refused:?}");
            assert!(refused.stdout.starts_with("INVALID: "), "{refused:?}");
            assert!(refused.stdout.contains(expected), "{refused:?}");
        }
    }
    for quorum in ["0", "2"] {
        let impossible = verify(&["--witness", &first_key, "--quorum", quorum]).await;
        assert_eq!(impossible.code, 2, "{impossible:?}");
        let expected = format!("a quorum of {quorum} needs");
        assert!(impossible.stderr.contains(&expected), "{impossible:?}");
    }
    // The key of a log is not that of a witness, nor the other way round.
    assert_eq!(verify(&["--witness", &key]).await.code, 2);
    let swapped = ["verify", path, "--key", &first_key];
    assert_eq!(run_with("127.0.0.1:9", &swapped, "").await.code, 2);
    let without_proof = run(&server, &["verify", "--witness", &first_key]).await;
    assert_eq!(without_proof.code, 2, "{without_proof:?}");
    assert!(without_proof.stderr.contains("name the file of a proof"), "{without_proof:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_checkpoint_is_verified_with_a_quorum_of_witnesses() {
    let server = TestServer::start().await;
    create(&server, "people").await;
    let log = key_of(&server).await;
    let directory = server.stop().await;
    let witness = TestWitness::start("witness.example/w1", &log).await;
    let other = TestWitness::start("witness.example/w2", &log).await;
    let server = serve(directory, vec![witness.address()]).await;
    wait_for_witnessed(&server, 1).await;
    let directory = TempDir::new().expect("a directory");
    let file = |name: &str, text: &str| {
        let path = directory.path().join(name);
        fs::write(&path, text).expect("written");
        path.to_str().expect("UTF-8").to_owned()
    };
    let note = run(&server, &["checkpoint", "--witnessed", "--note"]).await.stdout;
    assert!(note.contains("\n— witness.example/w1 "), "{note}");
    let json = run(&server, &["checkpoint", "--witnessed"]).await.stdout;
    let alone = file("alone", &run(&server, &["checkpoint"]).await.stdout);
    let endpoint = server.endpoint.to_string();
    let export = directory.path().join("log.jsonl");
    let export = export.to_str().expect("UTF-8");
    assert_eq!(run(&server, &["log", "export", "--from", &endpoint, export]).await.code, 0);
    let key = log.to_string();
    let (cosigner, both) = (witness.key.to_string(), format!("{},{}", witness.key, other.key));
    // As a server keeps it: when it is signed, and again with the cosignatures.
    let lines = [&["checkpoint", "-o", "jsonl"][..], &["checkpoint", "--witnessed", "-o", "jsonl"]];
    let mut kept = String::new();
    for line in lines {
        kept += &run(&server, line).await.stdout;
    }
    assert_eq!(kept.lines().count(), 2, "{kept}");
    for checkpoint in [file("note", &note), file("json", &json), file("kept.jsonl", &kept)] {
        for command in [
            vec!["verify", "--checkpoint", &checkpoint],
            vec!["verify", export, "--checkpoint", &checkpoint],
            vec!["consistency", &checkpoint],
        ] {
            let run = async |arguments: &[&str]| {
                run(&server, &[&command[..], &["--key", &key], arguments].concat()).await
            };
            for accepted in [&["--witness", &cosigner][..], &["--witness", &both, "--quorum", "1"]]
            {
                let verified = run(accepted).await;
                assert_eq!(verified.code, 0, "{command:?}: {verified:?}");
                let expected =
                    "The trusted checkpoint at position 1 is cosigned by witness.example/w1.\n";
                assert!(verified.stdout.contains(expected), "{verified:?}");
            }
            let refused = run(&["--witness", &both]).await;
            assert_eq!((refused.code, refused.stdout.as_str()), (2, ""), "{refused:?}");
            let expected = "the trusted checkpoint at position 1 is not cosigned as --witness requires: \
                            the checkpoint has valid cosignatures of 1 of 2 witnesses, 2 are required; \
                            missing: witness.example/w2";
            assert!(refused.stderr.contains(expected), "{refused:?}");
        }
    }
    let refused = run(&server, &["verify", "--checkpoint", &alone, "--witness", &cosigner]).await;
    assert!(refused.stderr.contains("valid cosignatures of 0 of 1 witnesses"), "{refused:?}");
    let bare = format!("1:{}", "0".repeat(64));
    let refused = run(&server, &["verify", "--checkpoint", &bare, "--witness", &cosigner]).await;
    assert_eq!(refused.code, 2, "{refused:?}");
    assert!(refused.stderr.contains("has no signed note"), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_of_a_witness_prints_its_key() {
    let server = TestServer::start().await;
    create(&server, "people").await;
    let log = key_of(&server).await.to_string();
    let directory = TempDir::new().expect("a directory");
    let at = directory.path().to_str().expect("UTF-8");
    let arguments = ["witness", "--name", "witness.example", "--listen", "127.0.0.1:0"];
    let mut printed = Vec::new();
    for _ in 0..2 {
        let mut command = userpool("127.0.0.1:9", &arguments);
        command.args(["--data-dir", at, "--log", &log]).stdout(Stdio::piped());
        let mut witness = command.spawn().expect("it starts");
        let mut lines = BufReader::new(witness.stdout.take().expect("a pipe")).lines();
        let listening = lines.next().expect("a line").expect("text");
        assert!(listening.starts_with("userpool witness listening on 127.0.0.1:"), "{listening}");
        printed.push(lines.next().expect("a line").expect("text"));
        witness.kill().expect("killed");
        witness.wait().expect("ended");
    }
    assert!(printed[0].starts_with("key witness.example+"), "{printed:?}");
    assert_eq!(printed[0], printed[1]);
}

/// Anyone can send anything, so only what a log signed is logged, and that once.
#[tokio::test(flavor = "multi_thread")]
async fn requests_do_not_fill_the_log_of_a_witness() {
    let log = Log::of(20);
    let directory = TempDir::new().expect("a directory");
    let mut command = binary::userpool();
    command.args(["witness", "--name=witness.example", "--listen=127.0.0.1:0", "--data-dir"]);
    command.arg(directory.path()).args(["--log", &log.key().to_string()]);
    let mut witness = command.spawn().expect("it starts");
    let stdout = witness.stdout.take().expect("a pipe");
    let mut lines = tokio::io::BufReader::new(stdout).lines();
    let listening = lines.next_line().await.expect("readable").expect("a line");
    let address = listening.strip_prefix("userpool witness listening on ").expect("an address");
    assert_eq!(post(address, &log.request(0, 10).to_string()).await.0, 200);
    let noise = "x".repeat(50_000);
    let fork = log.forked(3);
    let mut contradiction = log.request_in(&fork, 10, 10);
    contradiction.checkpoint.signatures.push(NoteSignature {
        name: noise.clone(),
        key_id: [1; 4],
        bytes: vec![1; 64],
    });
    let unknown = log.request(10, 12).to_string().replace("log.example\n", &format!("{noise}\n"));
    for (body, status) in [
        (noise, 400),
        (unknown, 404),
        (Log::of(20).request(10, 12).to_string(), 403),
        (log.request(0, 10).to_string(), 409),
        (contradiction.to_string(), 409),
        (log.request_in(&fork, 10, 12).to_string(), 422),
    ] {
        for _ in 0..3 {
            let (found, _, answer) = post(address, &body).await;
            assert_eq!(found, status, "{answer}");
        }
    }
    let id = witness.id().expect("it runs").to_string();
    let sent = Command::new("sh").args(["-c", "kill -s TERM $0", &id]).status();
    assert!(sent.await.expect("a shell").success());
    let output = witness.wait_with_output().await.expect("ended");
    let stderr = String::from_utf8(output.stderr).expect("UTF-8");
    let errors: Vec<_> = stderr.lines().filter(|line| line.contains("a log signed this")).collect();
    assert_eq!(errors.len(), 2, "{stderr}");
    assert!(errors.iter().all(|line| line.contains("log.example")), "{stderr}");
    assert!(!stderr.contains("refused a checkpoint"), "{stderr}");
    assert!(stderr.len() < 5000, "{stderr}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_witness_is_asked_over_tls() {
    let server = TestServer::start().await;
    create(&server, "people").await;
    let log = key_of(&server).await;
    let directory = server.stop().await;
    let witness = TestWitness::start("witness.example", &log).await;
    let (trusted, other) = (Authority::new("trusted"), Authority::new("other"));
    let front = Front::of(&witness, Some(trusted.server().acceptor())).await;
    front.open();
    let authorities = directory.path().join("authorities.pem");
    let start = async || {
        let mut command = serve_command(directory.path());
        command.args(["--listen=127.0.0.1:0", "--checkpoint-interval=1s", "--witness"]);
        command.arg(front.address("https").to_string()).env("SSL_CERT_FILE", &authorities);
        Process::from(&mut command).await
    };
    // The reason why there are no authorities is known.
    let server = start().await;
    front.wait_for_dropped(2).await;
    let ended = server.terminate("TERM").await;
    assert!(ended.stderr.contains("SSL_CERT_FILE names none: "), "{}", ended.stderr);
    assert!(ended.stderr.contains("authorities.pem"), "{}", ended.stderr);
    // Nothing is sent to a server that no authority of the machine vouches for.
    fs::write(&authorities, &other.pem).expect("written");
    let server = start().await;
    front.wait_for_dropped(2).await;
    let ended = server.terminate("TERM").await;
    assert!(ended.stderr.contains("invalid peer certificate: UnknownIssuer"), "{}", ended.stderr);

    fs::write(&authorities, &trusted.pem).expect("written");
    let server = start().await;
    let signed = async {
        loop {
            if let Some(signed) = witnessed(server.channel().await).await {
                break signed;
            }
        }
    };
    let signed = in_time(signed).await;
    let note = Note::parse(&signed.note).expect("a note");
    witness.key.verify(&note).expect("cosigned");
    server.terminate("TERM").await;
}
