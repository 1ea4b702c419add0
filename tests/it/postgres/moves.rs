//! A log moves from a data directory to a database and back, unchanged.

use std::fs;

use data_encoding::HEXLOWER;
use tempfile::TempDir;
use userpool::{
    audit::checkpoint::Signer,
    proto::{
        DescribeUserPoolRequest, DescribeUserPoolResponse, GetSignedCheckpointRequest,
        user_pool_history_service_client::UserPoolHistoryServiceClient,
    },
    server::data_dir,
};

use super::{
    cluster::{OWNER, ROLE, TestLog, new_name, shared_node, url},
    servers::wait_for,
};
use crate::{
    binary::{run, userpool},
    support::{Client, TestServer, create},
};

/// Runs `userpool log` on a log in a database, as a role. Returns whether it succeeded, and what
/// it printed.
async fn log(test: &TestLog, role: &str, arguments: &[&str]) -> (bool, String) {
    let mut command = userpool();
    command
        .arg("log")
        .args(arguments)
        .args(["--log-url", &url(role, &[&test.node]), "--log-name", &test.name])
        .args(["--database-durability", "managed"]);
    let output = run(&mut command).await;
    let printed = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&printed).into_owned())
}

async fn describe(client: &mut Client, id: &str) -> DescribeUserPoolResponse {
    let request =
        DescribeUserPoolRequest { user_pool_id: Some(id.to_owned()), ..Default::default() };
    client.describe_user_pool(request).await.expect("described").into_inner()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_moves_to_a_database_and_back() {
    let scratch = TempDir::new().expect("a directory");
    let path = |name: &str| scratch.path().join(name).to_str().expect("UTF-8").to_owned();
    let server = TestServer::start().await;
    let id = create(&mut server.client().await, "people").await;
    for name in ["a", "b", "c"] {
        create(&mut server.client().await, name).await;
    }
    let shown = describe(&mut server.client().await, &id).await;
    let mut history = UserPoolHistoryServiceClient::new(server.channel().await);
    let request = GetSignedCheckpointRequest::default();
    let signed = history.get_signed_checkpoint(request).await.expect("signed").into_inner();
    let signed = signed.checkpoint.expect("a checkpoint");
    let directory = server.stop().await;
    let key = data_dir::signing_key(directory.path()).to_str().expect("UTF-8").to_owned();
    let (before, after) = (path("before.jsonl"), path("after.jsonl"));
    let data = directory.path().to_str().expect("UTF-8");
    let exported = run(userpool().args(["log", "export", "--data-dir", data, &before])).await;
    assert!(exported.status.success());
    let test = TestLog { node: shared_node().await, name: new_name() };

    // To the database.
    let (is_done, printed) = log(&test, OWNER, &["import", "--signing-key", &key, &before]).await;
    assert!(is_done && printed.contains("imported 4 events"), "{printed}");
    let (is_done, printed) = log(&test, OWNER, &["import", "--signing-key", &key, &before]).await;
    assert!(!is_done && printed.contains("choose another --log-name"), "{printed}");
    let (is_done, rights) =
        log(&test, OWNER, &["init", "--signing-key", &key, "--role", ROLE]).await;
    assert!(is_done && rights.contains("exists with this region and key"), "{rights}");
    let rights: Vec<_> = rights.lines().filter(|line| line.starts_with("grant")).collect();
    let rights = format!("select pg_advisory_xact_lock(1);\n{}", rights.join("\n"));
    test.node.execute("userpool", &rights).await;
    let checkpoint = format!("{}:{}", signed.position, HEXLOWER.encode(&signed.hash));
    let (is_valid, printed) = log(&test, ROLE, &["verify", "--checkpoint", &checkpoint]).await;
    assert!(is_valid, "{printed}");
    assert!(printed.contains("contains the trusted checkpoint at position 4"), "{printed}");

    // The same server there, with the same user pools, log ID and key.
    let server = TestServer::with_identifiers(1_000_000, |config| {
        config.postgres = Some(test.settings());
        config.signing_key = Some(key.clone().into());
    });
    let server = server.await;
    wait_for(&server, 4).await;
    assert_eq!(describe(&mut server.client().await, &id).await, shown);
    let mut history = UserPoolHistoryServiceClient::new(server.channel().await);
    let request = GetSignedCheckpointRequest::default();
    let there = history.get_signed_checkpoint(request).await.expect("signed").into_inner();
    let there = there.checkpoint.expect("a checkpoint");
    assert_eq!(
        (there.position, &there.hash, &there.log_id, &there.public_key),
        (signed.position, &signed.hash, &signed.log_id, &signed.public_key)
    );
    server.try_stop().await.expect("stopped");

    // And back.
    let (is_done, printed) = log(&test, ROLE, &["export", &after]).await;
    assert!(is_done, "{printed}");
    assert_eq!(fs::read(&after).expect("a file"), fs::read(&before).expect("a file"));
    let back = path("back");
    let imported = run(userpool().args(["log", "import", "--data-dir", &back, &after])).await;
    assert!(imported.status.success());
    let verify = ["log", "verify", "--data-dir", &back, "--checkpoint", &checkpoint];
    let verified = run(userpool().args(verify)).await;
    assert!(verified.status.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_goes_on_where_it_was_interrupted() {
    let scratch = TempDir::new().expect("a directory");
    let path = |name: &str| scratch.path().join(name).to_str().expect("UTF-8").to_owned();
    let server = TestServer::start().await;
    for name in ["a", "b", "c", "d"] {
        create(&mut server.client().await, name).await;
    }
    let directory = server.stop().await;
    let data = directory.path().to_str().expect("UTF-8");
    let (whole, part, key) = (path("whole.jsonl"), path("part.jsonl"), path("key.pem"));
    for (range, file) in [(&[][..], &whole), (&["--to", "2"][..], &part)] {
        let export = ["log", "export", "--data-dir", data];
        let exported = run(userpool().args(export).args(range).arg(file)).await;
        assert!(exported.status.success());
    }
    let broken = path("broken.jsonl");
    fs::write(&broken, "{\n").expect("written");
    Signer::open_key(key.as_ref()).expect("a key");
    let test = TestLog { node: shared_node().await, name: new_name() };

    let interrupted = ["import", "--signing-key", &key, &part, &broken];
    let (is_done, printed) = log(&test, OWNER, &interrupted).await;
    assert!(!is_done && printed.contains("broken.jsonl"), "{printed}");
    let (is_there, printed) = log(&test, OWNER, &["verify"]).await;
    assert!(!is_there && printed.contains("there is no log"), "{printed}");
    let (is_done, printed) = log(&test, OWNER, &["import", "--signing-key", &key, &whole]).await;
    assert!(is_done && printed.contains("imported 4 events"), "{printed}");
    assert!(printed.contains("an earlier import has left 2 events"), "{printed}");
    let (is_valid, printed) = log(&test, OWNER, &["verify"]).await;
    assert!(is_valid && printed.contains("valid: 4 events"), "{printed}");
}
