//! The files of the server are private to their owner.

use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt as _,
    path::Path,
};

use tempfile::TempDir;

use crate::binary::{Process, run, serve};

#[tokio::test(flavor = "multi_thread")]
async fn the_data_directory_is_private_to_its_owner() {
    let directory = TempDir::new().expect("a directory");
    let data = directory.path().join("data");
    Process::start(&data).await.kill().await;
    assert_eq!(mode(&data), 0o700);
    assert_eq!(mode(&data.join("log")), 0o700);
    assert_eq!(mode(&data.join("signing_key.pem")), 0o600);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_world_readable_data_directory_is_served_with_a_warning() {
    for (given, warns) in [(0o755, true), (0o750, false), (0o700, false)] {
        let directory = TempDir::new().expect("a directory");
        open(directory.path(), given);
        let log = Process::start(directory.path()).await.terminate("TERM").await.stderr;
        assert_eq!(log.contains("run chmod 700 on it"), warns, "{given:o}: {log}");
        assert_eq!(mode(directory.path()), given);
    }
}

/// Kubernetes gives a volume to its group at each start.
#[tokio::test(flavor = "multi_thread")]
async fn a_signing_key_may_be_group_but_not_world_readable() {
    let directory = TempDir::new().expect("a directory");
    Process::start(directory.path()).await.kill().await;
    let key = directory.path().join("signing_key.pem");

    open(&key, 0o660);
    Process::start(directory.path()).await.kill().await;

    open(&key, 0o604);
    let refused = run(serve(directory.path()).arg("--listen=127.0.0.1:0")).await;
    let stderr = String::from_utf8(refused.stderr).expect("UTF-8");
    assert_eq!(refused.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains("every user of this machine can access the signing key"), "{stderr}");
    assert!(stderr.contains("; run chmod 600 on it"), "{stderr}");
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("it is there").permissions().mode() & 0o777
}

fn open(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).expect("changed");
}
