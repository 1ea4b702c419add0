//! Errors: every line of their text, and their exit codes.

use std::{fs, net::TcpListener};

use data_encoding::BASE64;
use tempfile::TempDir;

use super::{create, run, run_with};
use crate::support::TestServer;

#[tokio::test(flavor = "multi_thread")]
async fn every_violation_has_a_line_of_its_own() {
    let server = TestServer::start().await;
    let request = r#"{"PoolName": "a/b", "Policies": {"PasswordPolicy": {"MinimumLength": 5}}}"#;
    let refused = run_with(&server.endpoint.to_string(), &["create", "-"], request).await;
    assert_eq!((refused.code, refused.stdout.as_str()), (64 + 3, ""));
    assert_eq!(
        refused.error(),
        "userpool: 2 validation errors detected: Value 'a/b' at 'poolName' failed to satisfy \
         constraint: Member must satisfy regular expression pattern: [\\w\\s+=,.@-]+; Value '5' \
         at 'policies.passwordPolicy.minimumLength' failed to satisfy constraint: Member must \
         have value greater than or equal to 6\n  \
         pool_name: may contain only ASCII letters, digits, white space and _ + = , . @ - (PATTERN)\n  \
         policies.password_policy.minimum_length: must be between 6 and 99 (RANGE)\n  \
         INVALID_REQUEST aws_error=InvalidParameterException"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_in_place_of_an_id_is_refused_with_the_remedy() {
    let server = TestServer::start().await;
    let remedy = "\n  to find the ID of a user pool: userpool list --name NAME\n";
    for arguments in [
        &["describe", "people"][..],
        &["history", "people"],
        &["events", "--pool", "people"],
        &["restore", "people", "--to", "2"],
    ] {
        let refused = run(&server, arguments).await;
        assert_eq!((refused.code, refused.stdout.as_str()), (64 + 3, ""), "{arguments:?}");
        assert!(refused.error().contains(remedy), "{refused:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_has_its_exit_code_and_a_remedy() {
    let server = TestServer::start().await;
    let id = create(&server, "people").await;
    let other = create(&server, "staff").await;
    let domain = run(&server, &["domain", "create", "people-login", &id]).await;
    assert_eq!(domain.code, 0);

    let id = id.as_str();
    for (arguments, code, message) in [
        (vec!["describe", "us-east-1_AbCdEfGhI"], 5, "USER_POOL_NOT_FOUND"),
        (vec!["domain", "create", "people-login", &other], 6, "DOMAIN_TAKEN"),
        (vec!["delete", id, "--yes"], 9, "USER_POOL_HAS_DOMAIN"),
        (
            vec!["delete", id, "--expected-revision", "1", "--yes"],
            10,
            "REVISION_MISMATCH aws_error=ConcurrentModificationException current_revision=2 \
             expected_revision=1",
        ),
        (vec!["replay", id, "--at", "3"], 11, "BEYOND_END current=2 requested=3"),
    ] {
        let refused = run(&server, &arguments).await;
        assert_eq!((refused.code, refused.stdout.as_str()), (64 + code, ""), "{refused:?}");
        assert!(refused.stderr.starts_with("userpool: "), "{}", refused.stderr);
        assert!(refused.stderr.contains(&format!("\n  {message}")), "{}", refused.stderr);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_names_the_command_that_shows_why() {
    let server = TestServer::start().await;
    let endpoint = server.endpoint.to_string();
    let (id, other) = (create(&server, "people").await, create(&server, "staff").await);
    assert_eq!(run(&server, &["domain", "create", "login", &id]).await.code, 0);
    let taken = run(&server, &["domain", "create", "login", &other]).await;
    let remedy = "\n  to see its owner: userpool domain describe login\n  DOMAIN_TAKEN ";
    assert!(taken.stderr.contains(remedy), "{taken:?}");

    let request_id = "0193b5f0-7c5e-7d7a-9c55-2d1d8f1b6a01";
    let create = ["create", "-", "--request-id", request_id];
    assert_eq!(run_with(&endpoint, &create, r#"{"PoolName": "first"}"#).await.code, 0);
    let reused = run_with(&endpoint, &create, r#"{"PoolName": "second"}"#).await;
    let remedy =
        format!("\n  to see what it was used for: userpool events --request-id {request_id}\n");
    assert!(reused.stderr.contains(&remedy), "{reused:?}");
    let found = run(&server, &["events", "--request-id", request_id]).await;
    assert!(found.stdout.contains("  created "), "{found:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_user_pool_is_told_with_its_time_and_how_to_see_it() {
    let server = TestServer::start().await;
    let id = create(&server, "people").await;
    assert_eq!(run(&server, &["delete", &id, "--yes"]).await.code, 0);
    let endpoint = server.endpoint.to_string();
    let message = format!(
        "userpool: User pool {id} does not exist.\n  it was deleted at 2017-12-11T00:00:02.000Z: \
         see its last state with \"userpool replay {id}\", and its events with \"userpool history \
         {id}\"; bring it back with \"userpool restore {id} --to 1\"\n  USER_POOL_DELETED aws_error=ResourceNotFoundException \
         deletion_time=2017-12-11T00:00:02.000Z revision=2 user_pool_id={id}"
    );
    for arguments in [
        vec!["describe", &id],
        vec!["update", &id, "-", "--mask", "*"],
        vec!["delete", &id],
        vec!["domain", "create", "people-login", &id],
    ] {
        let refused = run_with(&endpoint, &arguments, "{}").await;
        assert_eq!((refused.code, refused.error()), (64 + 5, &*message), "{arguments:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unreachable_server_is_named_with_a_remedy() {
    let directory = TempDir::new().expect("a directory");
    let endpoint = format!("unix:{}", directory.path().join("socket").display());
    let refused = run_with(&endpoint, &["list"], "").await;
    assert_eq!(refused.code, 64 + 14);
    assert_eq!(
        refused.stderr,
        format!(
            "userpool: no server answers on {endpoint} (No such file or directory (os error 2)): \
             start one with \"userpool serve\", or name another with --endpoint or \
             USERPOOL_ENDPOINT\n"
        )
    );
    // A watch does not wait for a server that was never reachable.
    assert_eq!(run_with(&endpoint, &["watch"], "").await.code, 64 + 14);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_never_answers_times_out() {
    // The system accepts the connection, and nobody reads from it.
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let endpoint = silent.local_addr().expect("an address").to_string();
    let refused = run_with(&endpoint, &["list", "--timeout", "1"], "").await;
    assert_eq!(refused.code, 64 + 4, "{refused:?}");
    assert!(refused.error().starts_with("userpool: no answer within 1s"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invalid_request_file_is_named_with_its_error() {
    let server = TestServer::start().await;
    let endpoint = server.endpoint.to_string();
    for (text, wrong) in [
        ("\n", "stdin: it is empty; a JSON document is expected"),
        ("[]", "stdin: not a JSON object"),
    ] {
        let refused = run_with(&endpoint, &["create", "-"], text).await;
        assert_eq!((refused.code, refused.stderr), (1, format!("userpool: {wrong}\n")));
    }
    // As of someone who gives the name of the user pool.
    let missing = run(&server, &["create", "people"]).await;
    assert_eq!(missing.code, 1);
    assert_eq!(
        missing.stderr,
        "userpool: people: there is no such file; to pass a document, such as {\"PoolName\": \
         \"people\"}, on standard input, name -\n"
    );

    let directory = TempDir::new().expect("a directory");
    let file = directory.path().join("update.json");
    fs::write(&file, r#"{"UserPoolId": "us-east-1_AbCdEfGhI"}"#).expect("a file");
    let id = create(&server, "people").await;
    let other = run(&server, &["update", &id, file.to_str().expect("UTF-8")]).await;
    assert_eq!(other.code, 1);
    let message = format!("is for user pool us-east-1_AbCdEfGhI, not {id}\n");
    assert!(other.stderr.ends_with(&message), "{}", other.stderr);
}

/// Such as the port of the metrics.
#[tokio::test(flavor = "multi_thread")]
async fn a_port_that_does_not_serve_calls_is_named() {
    let server = TestServer::with(|config| {
        config.metrics_listen = Some("127.0.0.1:0".parse().expect("an address"));
    })
    .await;
    let address = server.metrics.as_ref().expect("metrics").to_string();
    let refused = run_with(&address, &["list", "--timeout", "3"], "").await;
    assert_eq!(refused.code, 64 + 14, "{refused:?}");
    let expected = format!("userpool: no connection to the server {address} (");
    assert!(refused.stderr.starts_with(&expected), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_usage_error_exits_with_2() {
    for arguments in [
        vec!["no-such-command"],
        vec!["list", "--limit", "0"],
        vec!["list", "--timeout", "0"],
        vec!["list", "--endpoint", "nowhere"],
        vec!["replay", "us-east-1_AbCdEfGhI", "--at", "yesterday"],
        vec!["history", "us-east-1_AbCdEfGhI", "--since", "3x"],
        vec!["history", "us-east-1_AbCdEfGhI", "--follow", "--reverse"],
        vec!["list", "--cert", "cert.pem"],
        vec!["list", "--cert-key", "key.pem"],
        vec!["watch", "--types", "renamed"],
        vec!["delete", "us-east-1_AbCdEfGhI", "--expected-revision", "x"],
        vec!["log", "export", "--after", "10", "--to", "5"],
        vec!["log", "export", "log.jsonl.xz"],
        vec!["watch", "--after", "1:9c1f"],
        vec!["watch", "--after", "1:nBw="],
        vec!["verify", "--key", "no/such/key.pem"],
    ] {
        let refused = run_with("127.0.0.1:1", &arguments, "").await;
        assert_eq!(refused.code, 2, "{arguments:?}: {refused:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_of_another_log_names_both_hashes() {
    let server = TestServer::start().await;
    create(&server, "people").await;
    let (zeros, nines) = ("0".repeat(64), "9".repeat(64));
    for hash in [nines.clone(), BASE64.encode(&[0x99; 32])] {
        let after = format!("0:{hash}");
        let watch = ["watch", "--after", &after];
        let refused = run_with(&server.endpoint.to_string(), &watch, "").await;
        assert_eq!(refused.code, 3);
        assert_eq!(
            refused.error(),
            format!(
                "userpool: this is not the log that was read before: its event at position 0 has hash {zeros}, not {nines}; find out whether a \
                 backup was restored\n  WRONG_LOG expected_hash={nines} found_hash={zeros} position=0"
            )
        );
    }
}
