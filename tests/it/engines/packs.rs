//! Packs of records: the form in which the sled engine stores them.

use std::{fs, os::unix::fs::FileExt as _, path::Path};

use bytes::Bytes;
use tempfile::TempDir;
use userpool::event_log::{Defect, Head, OpenError, Position, ReadError, Record, SledLog};

use super::{
    ALL, append, positions,
    reopening::{key, log_of, open, record, sealed, tamper},
};
use crate::{
    random::{Random, rounds},
    support::{change_database, copy_directory},
    tools::repository,
};

/// The keys of the first pieces of all packs, and the packs.
pub(super) fn packs(db: &sled::Db) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut packs: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
    for entry in db.iter() {
        let (key, piece) = entry.expect("readable");
        match (key.len(), packs.last_mut()) {
            (9, _) => packs.push((key.to_vec(), piece.to_vec())),
            (11, Some((_, pack))) => pack.extend_from_slice(&piece),
            (_, _) => (),
        }
    }
    packs
}

/// The stored forms of the records in a pack.
pub(super) fn unpack(pack: &[u8]) -> Vec<Vec<u8>> {
    let dictionary = fs::read(repository().join("src/event_log/sled/dictionary-1.bin"));
    let length = u32::from_be_bytes(pack[2..6].try_into().expect("a length"));
    let length = usize::try_from(length).expect("a length");
    let dictionary = dictionary.expect("a dictionary");
    let content = lz4_flex::block::decompress_with_dict(&pack[10..], length, &dictionary);
    let content = content.expect("a pack");
    let (mut rest, mut records) = (&content[..], Vec::new());
    while let Some((length, after)) = rest.split_first_chunk() {
        let length = usize::try_from(u32::from_be_bytes(*length)).expect("a length");
        records.push(after[..length].to_vec());
        rest = &after[length..];
    }
    records
}

/// A log of one commit with records that do not compress, in several packs of several
/// pieces.
async fn log_of_packs(directory: &Path) -> (Head, Vec<Record>) {
    let log = open(directory);
    let mut random = Random::from_seed(1);
    let bodies = (0..20).map(|_| random.bytes(6000)).collect();
    let records = log.append(Head::default(), bodies).await.expect("appended");
    (*log.head().borrow(), records)
}

fn change_packs(directory: &Path, change: impl FnOnce(&sled::Db)) {
    change_database(&directory.join("records"), change);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_is_stored_in_packs_in_pieces_of_4000_bytes() {
    let directory = TempDir::new().expect("a directory");
    let (_, records) = log_of_packs(directory.path()).await;
    change_packs(directory.path(), |db| {
        let unpacked: Vec<_> = packs(db).iter().map(|(_, pack)| unpack(pack)).collect();
        assert_eq!(unpacked.len(), 10, "two records of 6 KB each");
        let stored = records.iter().map(|record| record.stored.to_vec());
        assert!(unpacked.into_iter().flatten().eq(stored));
        assert!(db.iter().values().all(|piece| piece.expect("readable").len() <= 4000));
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_of_an_earlier_version_is_read_and_continued() {
    let directory = TempDir::new().expect("a directory");
    log_of(directory.path(), 5).await;
    // In the form of an earlier version.
    tamper(directory.path(), |db| assert_eq!(db.len(), 5));

    let log = open(directory.path());
    append(&log, 5, &["f", "g"]).await.expect("appended");
    append(&log, 7, &["h"]).await.expect("appended");

    let read = log.read(Position::START, ALL).await.expect("readable");
    assert_eq!(positions(&read), (1..=8).collect::<Vec<_>>());
    for after in 0..8 {
        let rest = log.read(Position(after), ALL).await.expect("readable");
        assert_eq!(rest, read[usize::try_from(after).unwrap()..]);
    }
    let at = log.read_at([8, 2, 6, 7, 1].map(Position).to_vec(), ALL).await.expect("readable");
    assert_eq!(positions(&at), [8, 2, 6, 7, 1]);
}

/// What can be wrong with the second of ten packs, which has the records 3 and 4.
#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_pack_is_refused_and_named() {
    type Change = fn(&sled::Db, &[u8]);
    let changes: [(&str, Change, Defect); 6] = [
        ("a flipped bit in its header", |db, key| flip(db, key, 3), Defect::Unreadable),
        ("a flipped bit in a record", |db, key| flip(db, key, 2000), Defect::WrongHash),
        ("another layout", |db, key| flip(db, key, 0), Defect::Unreadable),
        ("missing", |db, key| remove(db, key), Defect::Missing),
        (
            "without its last piece",
            |db, key| drop(db.remove([key, &[0, 3]].concat()).unwrap().expect("a piece")),
            Defect::Unreadable,
        ),
        (
            "without its first piece",
            |db, key| drop(db.remove(key).unwrap().expect("a piece")),
            Defect::Unreadable,
        ),
    ];
    for (what, change, expected) in changes {
        let directory = TempDir::new().expect("a directory");
        log_of_packs(directory.path()).await;
        change_packs(directory.path(), |db| change(db, &pack_key(3)));

        let refused = SledLog::open(directory.path()).expect_err(what);

        let OpenError::Damaged { source, .. } = refused else { unreachable!("{what}: {refused}") };
        let ReadError::Damaged { position, defect } = source else { unreachable!("{what}") };
        assert_eq!((position, defect), (Position(3), expected), "{what}");
    }
}

/// The last pieces of a commit are missing if the power is cut while it is written.
#[tokio::test(flavor = "multi_thread")]
async fn a_commit_of_which_only_a_part_was_written_is_removed() {
    let directory = TempDir::new().expect("a directory");
    log_of_packs(directory.path()).await;
    let mut pieces = Vec::new();
    change_packs(directory.path(), |db| {
        pieces.extend(db.iter().map(|piece| piece.expect("readable")));
    });
    for written in [1, 3, 4, 5, pieces.len() - 1] {
        let directory = TempDir::new().expect("a directory");
        drop(open(directory.path()));
        change_packs(directory.path(), |db| {
            for (key, piece) in &pieces[..written] {
                db.insert(key, piece).expect("written");
            }
        });
        let log = open(directory.path());
        assert_eq!(*log.head().borrow(), Head::default(), "{written} pieces");
        append(&log, 0, &["next"]).await.expect("the place is free");
    }
}

/// The size of an atomic write of a disk.
const SECTOR: usize = 512;

/// The power is cut while a commit is written: any part of it may be on the disk. Then the
/// log ends before the commit or after it.
#[tokio::test(flavor = "multi_thread")]
async fn a_commit_is_there_as_a_whole_or_not_at_all() {
    let directory = TempDir::new().expect("a directory");
    let log = open(directory.path());
    append(&log, 0, &["a", "b"]).await.expect("appended");
    let before = *log.head().borrow();
    // As after a crash: the database is not closed.
    let old = TempDir::new().expect("a directory");
    copy_directory(directory.path(), old.path());
    let mut random = Random::seeded();
    let bodies = (0..9).map(|_| random.bytes(5000)).collect();
    log.append(before, bodies).await.expect("appended");
    let after = *log.head().borrow();
    let new = fs::read(directory.path().join("records/db")).expect("a database");
    let mut outcomes = [0, 0];
    let sectors = new.len() / SECTOR;
    let changed: Vec<_> = {
        let old = fs::read(old.path().join("records/db")).expect("a database");
        let part = |bytes: &[u8], sector: usize| {
            bytes.get(sector * SECTOR..(sector + 1) * SECTOR).map(<[u8]>::to_vec)
        };
        (0..sectors).filter(|sector| part(&old, *sector) != part(&new, *sector)).collect()
    };
    assert!(changed.len() > 80, "{} sectors", changed.len());
    for round in 0..rounds(60) {
        // The first sectors, or each with some probability.
        let (first, percent) = match round % 2 {
            0 => (random.below(changed.len() + 1), 0),
            _ => (0, [50, 90, 97, 99][random.below(4)]),
        };
        let copy = TempDir::new().expect("a directory");
        copy_directory(old.path(), copy.path());
        let path = copy.path().join("records/db");
        let file = fs::OpenOptions::new().write(true).open(path).expect("a database");
        for (index, sector) in changed.iter().enumerate() {
            if index < first || random.chance(percent) {
                let part = &new[sector * SECTOR..(sector + 1) * SECTOR];
                let offset = u64::try_from(sector * SECTOR).expect("an offset");
                file.write_all_at(part, offset).expect("written");
            }
        }
        let log = open(copy.path());
        let head = *log.head().borrow();
        assert!(head == before || head == after, "round {round}: {head:?}");
        outcomes[usize::from(head == after)] += 1;
        log.append(head, vec![Bytes::from_static(b"next")]).await.expect("the place is free");
    }
    assert!(outcomes[0] > 0, "{outcomes:?}");
}

/// A pack of an import can have the end of one batch and the beginning of the next.
#[tokio::test(flavor = "multi_thread")]
async fn an_incomplete_batch_is_removed_from_a_pack_with_others() {
    let directory = TempDir::new().expect("a directory");
    let first = record(Head::default(), 0, 1, b"x");
    let first = Record::parse(Bytes::from(first)).expect("a record");
    let second = record(first.head(), 0, 2, b"y");
    let second = Record::parse(Bytes::from(second)).expect("a record");
    let log = SledLog::open(directory.path()).expect("a log");
    log.restore(&[first.clone(), second]).expect("restored");
    drop(log);
    fs::remove_file(directory.path().join("head")).expect("removed");

    let log = open(directory.path());

    assert_eq!(*log.head().borrow(), first.head());
    assert_eq!(log.read(Position::START, ALL).await.expect("readable"), [first]);
    append(&log, 1, &["next"]).await.expect("the place is free");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forged_pack_does_not_continue_the_chain() {
    let directory = TempDir::new().expect("a directory");
    let (_, records) = log_of_packs(directory.path()).await;
    tamper(directory.path(), |db| {
        let mut forged = records[2].stored.to_vec();
        forged.truncate(forged.len() - 32);
        forged[60] ^= 1;
        // The further pieces of the old form go with it.
        db.scan_prefix(key(3)).keys().for_each(|key| drop(db.remove(key.unwrap())));
        db.insert(key(3), sealed(forged)).expect("written");
    });
    let refused = SledLog::open(directory.path()).expect_err("a forged record");
    let OpenError::Damaged { source, .. } = refused else { unreachable!("{refused}") };
    let ReadError::Damaged { position, defect } = source else { unreachable!("{source}") };
    assert_eq!((position, defect), (Position(4), Defect::BrokenChain));
}

fn pack_key(first: u64) -> Vec<u8> {
    [&key(first)[..], b"P"].concat()
}

fn flip(db: &sled::Db, key: &[u8], byte: usize) {
    let mut piece = db.get(key).expect("readable").expect("a piece").to_vec();
    piece[byte] ^= 4;
    db.insert(key, piece).expect("written");
}

fn remove(db: &sled::Db, key: &[u8]) {
    db.scan_prefix(key).keys().for_each(|key| drop(db.remove(key.expect("readable"))));
}
