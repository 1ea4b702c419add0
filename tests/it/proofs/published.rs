//! The checkpoints that a server publishes in its data directory.

use std::{fs, path::Path, time::Duration};

use userpool::{
    audit::checkpoint,
    proto::{self, SignedCheckpoint},
    server::CheckpointInterval,
};

use crate::support::{TestServer, create};

/// Many times shorter than the calls of [`let_intervals_pass`] take.
const INTERVAL: CheckpointInterval = CheckpointInterval(Some(Duration::from_millis(5)));

async fn publishing_server() -> TestServer {
    TestServer::with(|config| config.checkpoint_interval = INTERVAL).await
}

/// The positions of the checkpoints in the file, whose signatures are right.
fn published(file: &Path) -> Vec<i64> {
    let lines = fs::read_to_string(file).unwrap_or_default();
    let position = |line| {
        let signed: SignedCheckpoint = proto::from_json(line).expect("a checkpoint");
        checkpoint::verify(&signed).expect("a right signature");
        signed.position
    };
    lines.lines().map(position).collect()
}

/// Waits until the file has a checkpoint at this position, and returns the positions of all.
async fn until_published(file: &Path, position: i64) -> Vec<i64> {
    loop {
        let positions = published(file);
        if positions.last() == Some(&position) {
            return positions;
        }
        tokio::task::yield_now().await;
    }
}

/// Calls the server until a wrong checkpoint would have been published.
async fn let_intervals_pass(server: &TestServer) {
    for _ in 0..20 {
        server.client().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_checkpoint_is_published_at_an_interval_and_at_each_stop() {
    let server = publishing_server().await;
    let file = server.data_dir().join("checkpoints.jsonl");
    let mut client = server.client().await;
    for count in 1..=3 {
        create(&mut client, &format!("pool-{count}")).await;
        until_published(&file, count).await;
    }
    let_intervals_pass(&server).await;
    assert_eq!(published(&file), [1, 2, 3]);
    // At each stop, and then only when there are new events.
    let server = server.restart_with(|config| config.checkpoint_interval = INTERVAL).await;
    let_intervals_pass(&server).await;
    create(&mut server.client().await, "pool-4").await;
    let file = server.data_dir().join("checkpoints.jsonl");
    assert_eq!(until_published(&file, 4).await, [1, 2, 3, 3, 4]);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_checkpoint_that_cannot_be_written_is_published_later() {
    let server = publishing_server().await;
    let file = server.data_dir().join("checkpoints.jsonl");
    fs::create_dir(&file).expect("a directory in the place of the file");
    create(&mut server.client().await, "people").await;
    let_intervals_pass(&server).await;
    fs::remove_dir(&file).expect("removed");
    assert_eq!(until_published(&file, 1).await, [1]);
    server.stop().await;
}

#[test]
fn an_interval_is_at_least_a_second_or_off() {
    for right in ["1s", "10m", "1h", "off"] {
        right.parse::<CheckpointInterval>().expect(right);
    }
    for wrong in ["", "0", "1ms", "-1h", "often"] {
        assert!(wrong.parse::<CheckpointInterval>().is_err(), "{wrong}");
    }
}
