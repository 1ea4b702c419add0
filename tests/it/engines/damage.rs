//! Damaged records are refused and named, never served and never repaired.

use std::{fs, os::unix::fs::FileExt as _, path::Path};

use bytes::Bytes;
use tempfile::TempDir;
use userpool::event_log::{
    Defect, EventLog as _, Head, OpenError, Position, ReadError, ReadLimit, Record, SledLog,
};

use crate::{random::Random, support::copy_directory};

use super::{
    ALL, append,
    reopening::{key, log_of, open, record, sealed, tamper},
};

/// More records than opening a log checks.
const LONG: u64 = 1100;

#[tokio::test(flavor = "multi_thread")]
async fn damage_near_the_end_is_found_when_the_log_is_opened() {
    for (what, change, expected) in damages() {
        let directory = TempDir::new().expect("a directory");
        log_of(directory.path(), 12).await;
        tamper(directory.path(), change);

        let refused = SledLog::open(directory.path()).expect_err(what);

        let OpenError::Damaged { source, .. } = refused else { unreachable!("{what}: {refused}") };
        assert_eq!(place(&source), Some(expected), "{what}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn damage_far_from_the_end_is_found_when_it_is_read() {
    let original = TempDir::new().expect("a directory");
    let bodies = vec![Bytes::from_static(b"body"); usize::try_from(LONG).expect("a size")];
    open(original.path()).append(Head::default(), bodies).await.expect("appended");
    let whole = open(original.path()).read(Position::START, ALL).await.expect("readable");
    for (what, change, expected) in damages() {
        let directory = TempDir::new().expect("a directory");
        copy_directory(original.path(), directory.path());
        tamper(directory.path(), change);
        let log = open(directory.path());

        let refused = log.read(Position::START, ALL).await.expect_err(what);

        assert_eq!(place(&refused), Some(expected), "{what}");
        let before = ReadLimit { records: 5, bytes: usize::MAX };
        let read = log.read(Position::START, before).await.expect("what is before is whole");
        assert_eq!(read, whole[..5], "{what}");
        let after = log.read(Position(10), ALL).await.expect("what is after is whole");
        assert_eq!(after, whole[10..], "{what}");
    }
}

type Damage = (&'static str, fn(&sled::Db), (u64, Defect));

/// Ways in which the records from 6 to 10 can be wrong, with the errors.
fn damages() -> Vec<Damage> {
    vec![
        ("a flipped bit in a body", |db| change(db, 7, |stored| stored[50] ^= 1), at(7)),
        ("a flipped bit in a hash", |db| change(db, 7, |stored| stored[81] ^= 1), at(7)),
        ("a missing record", |db| drop(db.remove(key(7))), (7, Defect::Missing)),
        ("two swapped records", swap, (7, Defect::WrongPosition(Position(8)))),
        (
            "a record cut short",
            |db| change(db, 7, |stored| stored.truncate(70)),
            (7, Defect::Short),
        ),
        ("another layout", |db| seal(db, |stored| stored[32] = 2), (7, Defect::UnknownLayout(2))),
        ("a forged body", |db| seal(db, |stored| stored[50] ^= 1), (8, Defect::BrokenChain)),
    ]
}

fn at(position: u64) -> (u64, Defect) {
    (position, Defect::WrongHash)
}

fn change(db: &sled::Db, position: u64, change: fn(&mut Vec<u8>)) {
    let mut stored = db.get(key(position)).expect("readable").expect("a record").to_vec();
    change(&mut stored);
    db.insert(key(position), stored).expect("written");
}

/// Changes record 7 and gives it the hash that matches the change.
fn seal(db: &sled::Db, change: fn(&mut Vec<u8>)) {
    let mut stored = db.get(key(7)).expect("readable").expect("a record").to_vec();
    stored.truncate(stored.len() - 32);
    change(&mut stored);
    db.insert(key(7), sealed(stored)).expect("written");
}

fn swap(db: &sled::Db) {
    let seventh = db.get(key(7)).expect("readable").expect("a record");
    let eighth = db.insert(key(8), seventh).expect("written").expect("a record");
    db.insert(key(7), eighth).expect("written");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_without_its_acknowledged_end_is_refused() {
    for left in [0, 1, 4] {
        let directory = TempDir::new().expect("a directory");
        log_of(directory.path(), 5).await;
        tamper(directory.path(), |db| {
            (left + 1..=5).for_each(|position| drop(db.remove(key(position))));
        });

        let refused = SledLog::open(directory.path()).expect_err("an end that is missing");

        let sentence = refused.to_string();
        let OpenError::TailLost { found, acknowledged, .. } = refused else {
            unreachable!("{sentence}");
        };
        assert_eq!((found, acknowledged), (Position(left), Position(5)));
        let expected = format!("ends at position {left}, but position 5 was acknowledged");
        assert!(sentence.contains(&expected), "{sentence}");
        assert!(sentence.contains("from a backup, or from an export"), "{sentence}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forged_last_record_is_refused() {
    let directory = TempDir::new().expect("a directory");
    let head = log_of(directory.path(), 4).await;
    log_of_one_more(directory.path()).await;
    tamper(directory.path(), |db| {
        db.insert(key(5), record(head, 0, 1, b"forged")).expect("written");
    });
    let refused = SledLog::open(directory.path()).expect_err("a forged record");
    let OpenError::Damaged { source, .. } = refused else { unreachable!("{refused}") };
    assert_eq!(place(&source), Some((5, Defect::BrokenChain)));
}

#[tokio::test(flavor = "multi_thread")]
async fn half_an_acknowledged_batch_is_refused_and_unchanged() {
    let directory = TempDir::new().expect("a directory");
    {
        let log = open(directory.path());
        append(&log, 0, &["a"]).await.expect("appended");
        append(&log, 1, &["b", "c", "d"]).await.expect("appended");
    }
    tamper(directory.path(), |db| drop(db.remove(key(4))));

    // Twice: the first refusal must not make the second opening succeed.
    for _ in 0..2 {
        let refused = SledLog::open(directory.path()).expect_err("half a batch");
        let OpenError::Damaged { source, .. } = refused else { unreachable!("{refused}") };
        assert_eq!(place(&source), Some((4, Defect::PartialBatch)));
    }
    tamper(directory.path(), |db| {
        for (position, body) in [(2, b"b"), (3, b"c")] {
            let stored = db.get(key(position)).expect("readable").expect("a record");
            let record = Record::parse(Bytes::copy_from_slice(&stored)).expect("whole");
            assert_eq!(&record.body[..], body);
        }
    });
}

/// sled itself opens such files without an error and without the end of the log.
#[tokio::test(flavor = "multi_thread")]
async fn no_damage_to_the_file_loses_records_silently() {
    let original = TempDir::new().expect("a directory");
    let mut random = Random::from_seed(1);
    for _ in 0..40 {
        // It cannot be compressed.
        let body = random.bytes(3000);
        let log = open(original.path());
        let head = *log.head().borrow();
        log.append(head, vec![body]).await.expect("appended");
    }
    let whole = open(original.path()).read(Position::START, ALL).await.expect("readable");
    let size = fs::metadata(original.path().join("records/db")).expect("a file").len();

    let mut refused = 0;
    for step in 0..24 {
        let directory = TempDir::new().expect("a directory");
        copy_directory(original.path(), directory.path());
        let path = directory.path().join("records/db");
        let file = fs::OpenOptions::new().write(true).read(true).open(path).expect("a file");
        let place = size * (step / 3) / 8;
        match step % 3 {
            0 => file.set_len(place).expect("cut"),
            1 => file.write_all_at(&[0; 4096], place).expect("zeroed"),
            _ => {
                let mut byte = [0];
                file.read_exact_at(&mut byte, place + 100).expect("read");
                file.write_all_at(&[byte[0] ^ 0x10], place + 100).expect("flipped");
            }
        }
        match SledLog::open(directory.path()) {
            Err(_) => refused += 1,
            Ok(log) => match log.read(Position::START, ALL).await {
                Err(_) => refused += 1,
                Ok(read) => assert!(read == whole, "step {step}: {} records", read.len()),
            },
        }
    }
    assert!(refused > 5, "{refused} were refused");
}

async fn log_of_one_more(directory: &Path) {
    let log = open(directory);
    let head = log.head().borrow().position.0;
    append(&log, head, &["one more"]).await.expect("appended");
}

/// The defect and its position; `None` if the engine failed.
fn place(error: &ReadError) -> Option<(u64, Defect)> {
    match error {
        ReadError::Damaged { position, defect } => Some((position.0, *defect)),
        ReadError::Unavailable(_) | ReadError::Forked(_) => None,
    }
}
