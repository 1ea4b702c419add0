//! What the sled engine keeps when a log is reopened, and what it removes.

use std::{fs, os::unix::fs::FileExt as _, path::Path, sync::Arc};

use bytes::Bytes;
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;
use userpool::event_log::{EventLog, Head, OpenError, Position, Record, SledLog};

use super::{
    ALL, append,
    packs::{packs, unpack},
    positions,
};
use crate::support::change_database;

/// The offset of the second slot of the file with the acknowledged head; the first is at 0.
const SECOND_SLOT: u64 = 4096;

#[tokio::test(flavor = "multi_thread")]
async fn a_reopened_log_is_the_same() {
    let directory = TempDir::new().expect("a directory");
    let large = Bytes::from(vec![7; 2 * 1024 * 1024]);
    let (head, records) = {
        let log = open(directory.path());
        append(&log, 0, &["a", "b"]).await.expect("appended");
        let head = *log.head().borrow();
        log.append(head, vec![large]).await.expect("appended");
        append(&log, 3, &["c"]).await.expect("appended");
        (*log.head().borrow(), log.read(Position::START, ALL).await.expect("readable"))
    };
    for _ in 0..2 {
        let log = open(directory.path());
        assert_eq!(*log.head().borrow(), head);
        assert_eq!(log.read(Position::START, ALL).await.expect("readable"), records);
    }
    let log = open(directory.path());
    let appended = append(&log, 4, &["d"]).await.expect("appended");
    assert_eq!(appended[0].previous_hash, head.hash);
}

#[tokio::test(flavor = "multi_thread")]
async fn half_an_unacknowledged_batch_is_removed() {
    for whole in [0, 3] {
        let directory = TempDir::new().expect("a directory");
        let head = log_of(directory.path(), whole).await;
        // Two of three records, written and not acknowledged.
        let first = record(head, 0, 3, b"x");
        let second = record(head_of(&first), 1, 3, b"y");
        tamper(directory.path(), |db| {
            db.insert(key(whole + 1), first).expect("written");
            db.insert(key(whole + 2), second).expect("written");
        });

        {
            let log = open(directory.path());
            assert_eq!(*log.head().borrow(), head);
            let read = log.read(Position::START, ALL).await.expect("readable");
            assert_eq!(positions(&read), (1..=whole).collect::<Vec<_>>());
        }
        tamper(directory.path(), |db| {
            assert!(!db.contains_key(key(whole + 1)).expect("readable"));
            assert!(!db.contains_key(key(whole + 2)).expect("readable"));
        });
        let log = open(directory.path());
        append(&log, whole, &["d"]).await.expect("the place is free");
    }
}

/// The caller got no answer and knows no outcome, so the record may stay.
#[tokio::test(flavor = "multi_thread")]
async fn a_whole_unacknowledged_batch_stays() {
    let directory = TempDir::new().expect("a directory");
    let head = log_of(directory.path(), 2).await;
    let next = record(head, 0, 1, b"x");
    let expected = head_of(&next);
    tamper(directory.path(), |db| {
        db.insert(key(3), next).expect("written");
    });
    assert_eq!(*open(directory.path()).head().borrow(), expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_head_file_is_written_again() {
    let directory = TempDir::new().expect("a directory");
    let head = log_of(directory.path(), 3).await;
    fs::remove_file(directory.path().join("head")).expect("removed");

    assert_eq!(*open(directory.path()).head().borrow(), head);

    tamper(directory.path(), |db| {
        db.remove(key(3)).expect("removed");
    });
    let refused = SledLog::open(directory.path()).expect_err("the end is missing");
    assert!(matches!(refused, OpenError::TailLost { .. }), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_torn_head_slot_leaves_the_previous_one() {
    let directory = TempDir::new().expect("a directory");
    // Opening writes position 0 into the first slot, so 1, 2, 3 go to the second,
    // first, second.
    log_of(directory.path(), 3).await;
    let head = fs::OpenOptions::new().write(true).open(directory.path().join("head"));
    head.expect("a file").write_all_at(&[0xff; 20], SECOND_SLOT + 20).expect("torn");
    tamper(directory.path(), |db| {
        db.remove(key(3)).expect("removed");
        db.remove(key(2)).expect("removed");
    });

    let refused = SledLog::open(directory.path()).expect_err("the end is missing");

    let OpenError::TailLost { found, acknowledged, .. } = refused else {
        unreachable!("{refused}");
    };
    assert_eq!((found, acknowledged), (Position(1), Position(2)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_cannot_be_opened_twice() {
    let directory = TempDir::new().expect("a directory");
    let log = open(directory.path());
    append(&log, 0, &["a"]).await.expect("appended");

    let refused = SledLog::open(directory.path()).expect_err("a held log").to_string();

    assert!(refused.contains("another process holds its lock"), "{refused}");
    append(&log, 1, &["b"]).await.expect("the first is not disturbed");
}

/// The log in the form that the suite uses.
pub(super) fn open(directory: &Path) -> Arc<dyn EventLog> {
    Arc::new(SledLog::open(directory).expect("a log"))
}

/// Makes a log with batches of one record, and closes it.
pub(super) async fn log_of(directory: &Path, records: u64) -> Head {
    let log = open(directory);
    for position in 0..records {
        append(&log, position, &["body"]).await.expect("appended");
    }
    log.head().borrow().to_owned()
}

/// Changes the closed database directly, after it was changed to the form of earlier
/// versions, in which each record is an entry by itself.
pub(crate) fn tamper(directory: &Path, change: impl FnOnce(&sled::Db)) {
    change_database(&directory.join("records"), |db| {
        for (key, pack) in packs(db) {
            let first = u64::from_be_bytes(key[..8].try_into().expect("a position"));
            db.scan_prefix(&key).keys().for_each(|key| {
                db.remove(key.expect("readable")).expect("removed");
            });
            for (position, stored) in (first..).zip(unpack(&pack)) {
                for (number, piece) in (0_u16..).zip(stored.chunks(4000)) {
                    let number = number.to_be_bytes();
                    let number = if number == [0, 0] { &[][..] } else { &number[..] };
                    let key = [&position.to_be_bytes(), number].concat();
                    db.insert(key, piece).expect("written");
                }
            }
        }
        change(db);
    });
}

pub(super) fn key(position: u64) -> [u8; 8] {
    position.to_be_bytes()
}

/// The stored form of the record after `head`.
pub(super) fn record(head: Head, index: u32, length: u32, body: &[u8]) -> Vec<u8> {
    let position = head.position.next().0.to_be_bytes();
    let place = [index.to_be_bytes(), length.to_be_bytes()].concat();
    sealed([&head.hash.0[..], &[1], &position, &place, body].concat())
}

/// With the hash that completes a record.
pub(super) fn sealed(mut stored: Vec<u8>) -> Vec<u8> {
    let hash = Sha256::digest(&stored);
    stored.extend_from_slice(&hash);
    stored
}

fn head_of(stored: &[u8]) -> Head {
    Record::parse(Bytes::copy_from_slice(stored)).expect("a record").head()
}
