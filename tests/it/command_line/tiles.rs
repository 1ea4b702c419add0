//! The tree of a server as files.

use std::{collections::BTreeMap, fs, path::Path};

use serde_json::json;
use tempfile::TempDir;

use super::{CommandOutput, create, run};
use crate::{
    proofs::judge,
    support::{TestServer, copy_directory, long_log},
};

/// The files below a directory, by path.
fn files(directory: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut all = BTreeMap::new();
    let mut open = vec![directory.to_owned()];
    while let Some(next) = open.pop() {
        for entry in fs::read_dir(next).into_iter().flatten() {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                open.push(path);
            } else {
                let name = path.strip_prefix(directory).expect("inside").to_str().expect("UTF-8");
                all.insert(name.to_owned(), fs::read(&path).expect("readable"));
            }
        }
    }
    all
}

async fn tiles(server: &TestServer, directory: &Path, arguments: &[&str]) -> CommandOutput {
    let directory = directory.to_str().expect("UTF-8");
    run(server, &[&["tiles", directory], arguments].concat()).await
}

/// Asserts that Go accepts the files.
async fn assert_read(server: &TestServer, directory: &Path, has_entries: bool) {
    let key = run(server, &["checkpoint", "--verifier-key"]).await.stdout;
    let question =
        json!({"Tiles": {"Directory": directory, "Key": key.trim(), "Entries": has_entries}});
    judge::assert_accepted(&[question], "that Go reads the tree from tiles");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tree_is_written_as_files_that_go_reads() {
    let server = long_log(600).await;
    let directory = TempDir::new().expect("a directory");
    let at = directory.path().join("www/log");
    let written = tiles(&server, &at, &[]).await;
    assert_eq!((written.code, written.stdout.as_str()), (0, ""), "{written:?}");
    assert!(written.stderr.contains("has the tree of 600 events; wrote 4 files"), "{written:?}");
    assert_read(&server, &at, false).await;
    let names = |at: &Path| files(at).into_keys().collect::<Vec<_>>();
    let hashes = ["checkpoint", "tile/0/000", "tile/0/001", "tile/0/002.p/88", "tile/1/000.p/2"];
    assert_eq!(names(&at), hashes);

    // The records only if they are asked for.
    let again = tiles(&server, &at, &["--entries"]).await;
    assert!(again.stderr.contains("wrote 3 files"), "{again:?}");
    assert_read(&server, &at, true).await;
    let pem = run(&server, &["checkpoint", "--key"]).await.stdout;
    let key = directory.path().join("key.pem");
    fs::write(&key, pem).expect("written");
    let again = tiles(&server, &at, &["--key", key.to_str().expect("UTF-8")]).await;
    assert!(again.stderr.contains("wrote 0 files"), "{again:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_files_grow_with_the_log() {
    let server = TestServer::start().await;
    let directory = TempDir::new().expect("a directory");
    let at = directory.path();
    assert_eq!(tiles(&server, at, &["--entries"]).await.code, 0);
    assert_eq!(files(at).into_keys().collect::<Vec<_>>(), ["checkpoint"]);
    let mut client = server.client().await;
    for (from, to) in [(0, 1), (1, 3), (3, 256), (256, 260)] {
        for number in from..to {
            crate::support::create(&mut client, &format!("pool-{number}")).await;
        }
        let before = files(at);
        let written = tiles(&server, at, &["--entries"]).await;
        assert_eq!(written.code, 0, "{written:?}");
        assert_read(&server, at, true).await;
        let after = files(at);
        for (path, contents) in before.iter().filter(|(path, _)| *path != "checkpoint") {
            let is_full_now = path.contains(".p/") && to >= 256;
            assert!(is_full_now || after.get(path) == Some(contents), "{path}");
        }
    }
    let paths: Vec<_> = files(at).into_keys().collect();
    let expected = [
        "checkpoint",
        "tile/0/000",
        "tile/0/001.p/4",
        "tile/1/000.p/1",
        "tile/entries/000",
        "tile/entries/001.p/4",
    ];
    assert_eq!(paths, expected);
}

/// A server that denies what the files have cannot replace them.
#[tokio::test(flavor = "multi_thread")]
async fn a_rewritten_log_does_not_replace_files() {
    let server = TestServer::start().await;
    create(&server, "people").await;
    let data = server.stop().await;
    let forked = TempDir::new().expect("a directory");
    copy_directory(data.path(), forked.path());
    let old = TempDir::new().expect("a directory");
    copy_directory(data.path(), old.path());

    let directory = TempDir::new().expect("a directory");
    let at = directory.path();
    let server = TestServer::start_in(data).await;
    create(&server, "staff").await;
    assert_eq!(tiles(&server, at, &[]).await.code, 0);
    let before = files(at);

    let forked = TestServer::start_in(forked).await;
    create(&forked, "guests").await;
    create(&forked, "others").await;
    let refused = tiles(&forked, at, &[]).await;
    assert_eq!(refused.code, 1, "{refused:?}");
    assert!(refused.stdout.starts_with("INVALID at position 2: "), "{refused:?}");
    let old = TestServer::start_in(old).await;
    let refused = tiles(&old, at, &[]).await;
    assert_eq!(refused.code, 1, "{refused:?}");
    assert!(refused.stdout.starts_with("INVALID at position 2: "), "{refused:?}");
    let other = TestServer::start().await;
    create(&other, "people").await;
    create(&other, "staff").await;
    let refused = tiles(&other, at, &[]).await;
    assert!(
        refused.stdout.starts_with("INVALID at position 1: the log has the ID "),
        "{refused:?}"
    );
    let key = run(&other, &["checkpoint", "--verifier-key"]).await.stdout;
    let refused = tiles(&server, at, &["--key", key.trim()]).await;
    assert_eq!(refused.code, 1, "{refused:?}");
    let expected = "INVALID: the checkpoint of the server is signed with key ";
    assert!(refused.stdout.starts_with(expected), "{refused:?}");
    assert!(refused.stdout.ends_with("valid up to position 2\n"), "{refused:?}");
    assert_eq!(files(at), before);

    // Files that somebody else changed are not replaced either.
    fs::write(at.join("tile/0/000.p/2"), "other").expect("written");
    let refused = tiles(&server, at, &[]).await;
    assert_eq!(refused.code, 1, "{refused:?}");
    assert!(refused.stderr.contains("tile/0/000.p/2 has other contents"), "{refused:?}");
    fs::write(at.join("checkpoint"), "other").expect("written");
    let refused = tiles(&server, at, &[]).await;
    assert!(refused.stderr.contains("checkpoint: not a signed note"), "{refused:?}");
}
