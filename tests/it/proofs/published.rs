//! The checkpoints that a server publishes in its data directory.

use std::{
    fs::{self, OpenOptions},
    io::Write as _,
    path::Path,
    time::Duration,
};

use userpool::{
    audit::{
        TrustedCheckpoints,
        checkpoint::{self, Signer},
    },
    proto::{self, SignedCheckpoint},
    server::{CheckpointInterval, Config},
    transport::Endpoint,
};

use super::{
    witness_servers::{Front, TestWitness},
    witnesses::Log,
};
use crate::{
    metrics::reading,
    support::{TestServer, create, in_time},
};

/// As short as it can be, because the tests wait for it.
pub(super) const INTERVAL: CheckpointInterval = CheckpointInterval(Some(Duration::from_millis(5)));

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
    let found = async {
        loop {
            let positions = published(file);
            if positions.last() == Some(&position) {
                return positions;
            }
            tokio::task::yield_now().await;
        }
    };
    in_time(found).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_checkpoint_is_published_at_an_interval_and_at_each_stop() {
    // Once for each interval, the server asks a witness that does not answer.
    let witness = TestWitness::start("witness.example", &Log::of(1).key()).await;
    let front = Front::of(&witness, None).await;
    let often = |config: &mut Config| {
        config.checkpoint_interval = INTERVAL;
        config.witnesses = vec![front.address("http")];
    };
    let server = TestServer::with(often).await;
    let file = server.data_dir().join("checkpoints.jsonl");
    let mut client = server.client().await;
    for count in 1..=3 {
        create(&mut client, &format!("pool-{count}")).await;
        until_published(&file, count).await;
    }
    front.wait_for_dropped(3).await;
    assert_eq!(published(&file), [1, 2, 3]);
    // At each stop, and then only when there are new events.
    let server = server.restart_with(often).await;
    front.wait_for_dropped(3).await;
    create(&mut server.client().await, "pool-4").await;
    let file = server.data_dir().join("checkpoints.jsonl");
    assert_eq!(until_published(&file, 4).await, [1, 2, 3, 3, 4]);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_checkpoint_that_cannot_be_written_is_published_later() {
    let server = TestServer::with(|config| {
        config.checkpoint_interval = INTERVAL;
        config.metrics_listen = Some(Endpoint::Tcp("127.0.0.1:0".to_owned()));
    })
    .await;
    let writes = async |outcome| {
        let writes = format!("userpool_checkpoint_writes_total{{outcome=\"{outcome}\"}}");
        reading(&server).await.value(&writes)
    };
    let file = server.data_dir().join("checkpoints.jsonl");
    fs::create_dir(&file).expect("a directory in the place of the file");
    create(&mut server.client().await, "people").await;
    // The first one was reported before the second one is counted.
    in_time(async { while writes("failed").await < 2.0 {} }).await;
    assert!(writes("written").await < 1.0);
    fs::remove_dir(&file).expect("removed");
    assert_eq!(until_published(&file, 1).await, [1]);
    in_time(async { while writes("written").await < 1.0 {} }).await;
    server.stop().await;
}

/// A crash leaves any beginning of a line.
#[tokio::test(flavor = "multi_thread")]
async fn a_line_that_was_cut_off_is_removed_by_the_next() {
    let server = TestServer::start().await;
    create(&mut server.client().await, "people").await;
    let directory = server.stop().await;
    let file = directory.path().join("checkpoints.jsonl");
    let line = fs::read(&file).expect("readable");
    let text = String::from_utf8(line.clone()).expect("text");
    let signed: SignedCheckpoint = proto::from_json(text.trim_end()).expect("a checkpoint");
    let trusted = || TrustedCheckpoints::read(file.as_os_str());
    let dash = text.find('—').expect("the signature line of the note");
    for length in (1..line.len()).step_by(7).chain([dash + 1, dash + 2, line.len() - 1]) {
        let cut = &line[..length];
        // Without its line feed, it is complete.
        let is_complete = length + 1 == line.len();
        fs::write(&file, [&line, cut].concat()).expect("written");
        let read = trusted().expect("the complete lines");
        assert_eq!(read.0.len(), if is_complete { 2 } else { 1 }, "{length}");
        checkpoint::append(&file, &signed).expect("appended");
        let count = if is_complete { 3 } else { 2 };
        assert_eq!(fs::read(&file).expect("readable"), line.repeat(count), "{length}");
        // The first line of all.
        fs::write(&file, cut).expect("written");
        assert_eq!(trusted().is_ok(), is_complete, "{length}");
        checkpoint::append(&file, &signed).expect("appended");
        assert_eq!(fs::read(&file).expect("readable"), line.repeat(count - 1), "{length}");
    }
    // A line that was changed elsewhere is still an error.
    fs::write(&file, [&line[..line.len() / 2], b"\n", &line].concat()).expect("written");
    trusted().expect_err("a damaged line");
}

/// After years of checkpoints, a start reads only the last ones.
#[tokio::test(flavor = "multi_thread")]
async fn the_end_of_a_long_file_is_found_at_once() {
    let server = TestServer::start().await;
    create(&mut server.client().await, "people").await;
    let directory = server.stop().await;
    let file = directory.path().join("checkpoints.jsonl");
    let line = fs::read(&file).expect("readable");
    let options = || OpenOptions::new().append(true).open(&file).expect("a file");
    // No disk and no memory has that many bytes.
    let length = 1 << 40;
    options().set_len(length).expect("a sparse file");
    options().write_all(&[b"\n", line.as_slice()].concat()).expect("written");
    let key = directory.path().join("signing_key.pem");
    let open = || Signer::open(&key, &file).expect("opened");
    let last = || checkpoint::last(&file).expect("readable").expect("a checkpoint");
    let signed: SignedCheckpoint =
        proto::from_json(str::from_utf8(&line).expect("text").trim_end()).expect("a checkpoint");
    let public_key: [u8; 32] = signed.public_key.as_slice().try_into().expect("a key");
    assert_eq!(open().public_key(), public_key);
    assert_eq!(last(), signed);
    // Nor does a line that was cut off change that.
    options().write_all(&line[..20]).expect("written");
    assert_eq!(last(), signed);
    checkpoint::append(&file, &signed).expect("appended");
    assert_eq!(last(), signed);
    let expected = length + 1 + 2 * u64::try_from(line.len()).expect("a length");
    assert_eq!(fs::metadata(&file).expect("a file").len(), expected);
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
