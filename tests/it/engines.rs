//! A suite that every log engine passes: the guarantees that the application relies
//! on.

mod damage;
mod packs;
mod reopening;

use std::{collections::HashSet, sync::Arc};

use bytes::Bytes;
use proptest::prelude::*;
use tempfile::TempDir;
use userpool::event_log::{
    AppendError, Defect, EventLog, Hash, Head, MemoryLog, Position, ReadError, ReadLimit, Record,
    SledLog,
};

pub(crate) use self::reopening::tamper;

const ALL: ReadLimit = ReadLimit { records: usize::MAX, bytes: usize::MAX };

/// Makes every promise a test of every engine.
macro_rules! every_engine_promises {
    ($($promise:ident)*) => {
        mod in_memory {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $promise() {
                super::$promise(std::sync::Arc::new(super::MemoryLog::default())).await;
            })*
        }
        mod in_postgres {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $promise() {
                let test = crate::postgres::TestLog::new().await;
                super::$promise(std::sync::Arc::new(test.open().await)).await;
            })*
        }
        mod in_sled {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $promise() {
                let directory = tempfile::TempDir::new().expect("a directory");
                let log = super::SledLog::open(directory.path()).expect("a log");
                super::$promise(std::sync::Arc::new(log)).await;
            })*
        }
    };
}

every_engine_promises! {
    positions_are_dense_from_1
    an_append_at_a_wrong_position_writes_nothing_and_names_both
    an_append_at_a_wrong_hash_writes_nothing_and_names_both
    records_are_chained_and_know_their_batch
    a_batch_is_seen_whole_or_not_at_all
    an_empty_batch_is_no_change
    a_read_ends_at_either_limit_but_returns_one_record
    a_read_at_or_beyond_the_end_is_empty
    records_at_given_positions_are_read_in_that_order
    the_head_moves_only_with_appends
    one_of_many_appenders_at_the_same_position_wins
    a_body_may_be_empty_or_large
}

async fn positions_are_dense_from_1(log: Arc<dyn EventLog>) {
    let first = append(&log, 0, &["a", "b"]).await.expect("appended");
    let second = append(&log, 2, &["c"]).await.expect("appended");

    let read = log.read(Position::START, ALL).await.expect("readable");
    assert_eq!(positions(&read), [1, 2, 3]);
    assert_eq!(read, [first, second].concat());
    assert_eq!(read.iter().map(|record| &record.body[..]).collect::<Vec<_>>(), [b"a", b"b", b"c"]);
}

async fn an_append_at_a_wrong_position_writes_nothing_and_names_both(log: Arc<dyn EventLog>) {
    append(&log, 0, &["a", "b"]).await.expect("appended");
    let head = *log.head().borrow();

    for wrong in [0, 1, 3, u64::MAX] {
        let refused = append(&log, wrong, &["c"]).await.expect_err("a wrong position");
        assert_eq!(lost_race(&refused), Some((wrong, 2)), "{refused}");
    }

    assert_eq!(*log.head().borrow(), head);
    let read = log.read(Position::START, ALL).await.expect("readable");
    assert_eq!(positions(&read), [1, 2]);
}

async fn an_append_at_a_wrong_hash_writes_nothing_and_names_both(log: Arc<dyn EventLog>) {
    append(&log, 0, &["a", "b"]).await.expect("appended");
    let head = *log.head().borrow();

    let wrong = Head { hash: Hash([7; 32]), ..head };
    let refused = log.append(wrong, vec![Bytes::new()]).await.expect_err("a wrong hash");
    assert!(
        matches!(refused, AppendError::Conflict { expected, actual }
            if expected == wrong && actual == head),
        "{refused}"
    );

    assert_eq!(*log.head().borrow(), head);
    let read = log.read(Position::START, ALL).await.expect("readable");
    assert_eq!(positions(&read), [1, 2]);
}

async fn records_are_chained_and_know_their_batch(log: Arc<dyn EventLog>) {
    append(&log, 0, &["a"]).await.expect("appended");
    append(&log, 1, &["b", "c", "d"]).await.expect("appended");

    let read = log.read(Position::START, ALL).await.expect("readable");
    let mut previous = Hash::default();
    for record in &read {
        assert_eq!(record.previous_hash, previous, "at {}", record.position);
        assert_eq!(Record::parse(record.stored.clone()).as_ref(), Ok(record));
        previous = record.hash;
    }
    let batches: Vec<_> = read.iter().map(|record| record.batch).collect();
    let batches: Vec<_> = batches.iter().map(|batch| (batch.index, batch.length)).collect();
    assert_eq!(batches, [(0, 1), (0, 3), (1, 3), (2, 3)]);
}

async fn a_batch_is_seen_whole_or_not_at_all(log: Arc<dyn EventLog>) {
    let appending = Arc::clone(&log);
    let appender = tokio::spawn(async move {
        for batch in 0..30 {
            append(&appending, batch * 3, &["a", "b", "c"]).await.expect("appended");
        }
    });
    let mut seen = 0;
    while seen < 90 {
        let read = log.read(Position::START, ALL).await.expect("readable");
        assert_eq!(read.len() % 3, 0, "{} records", read.len());
        seen = read.len();
    }
    appender.await.expect("no panic");
}

async fn an_empty_batch_is_no_change(log: Arc<dyn EventLog>) {
    append(&log, 0, &["a"]).await.expect("appended");
    let mut head = log.head();
    head.mark_unchanged();

    assert_eq!(append(&log, 1, &[]).await.expect("nothing to do"), []);

    assert!(!head.has_changed().expect("a log"));
    append(&log, 1, &["b"]).await.expect("appended");
}

async fn a_read_ends_at_either_limit_but_returns_one_record(log: Arc<dyn EventLog>) {
    let records = append(&log, 0, &["a", "b", "c", "d"]).await.expect("appended");
    let size = records[0].stored.len();

    for (records, bytes, expected) in [
        (2, usize::MAX, vec![2, 3]),
        (usize::MAX, 2 * size, vec![2, 3]),
        (usize::MAX, 2 * size - 1, vec![2]),
        (2, size, vec![2]),
        (usize::MAX, 0, vec![2]),
        (0, usize::MAX, vec![2]),
    ] {
        let limit = ReadLimit { records, bytes };
        let read = log.read(Position(1), limit).await.expect("readable");
        assert_eq!(positions(&read), expected, "{limit:?}");
    }
}

async fn a_read_at_or_beyond_the_end_is_empty(log: Arc<dyn EventLog>) {
    assert_eq!(log.read(Position::START, ALL).await.expect("readable"), []);
    append(&log, 0, &["a", "b"]).await.expect("appended");
    for end in [2, 3, 1000, u64::MAX] {
        let read = log.read(Position(end), ALL).await.expect("readable");
        assert_eq!(read, [], "after {end}");
    }
}

async fn records_at_given_positions_are_read_in_that_order(log: Arc<dyn EventLog>) {
    let appended = append(&log, 0, &["a", "b", "c", "d"]).await.expect("appended");
    let wanted = || vec![Position(4), Position(1), Position(1)];
    let expected = [appended[3].clone(), appended[0].clone(), appended[0].clone()];
    assert_eq!(log.read_at(wanted(), ALL).await.expect("readable"), expected);

    let two = ReadLimit { records: 2, ..ALL };
    assert_eq!(log.read_at(wanted(), two).await.expect("readable"), expected[..2]);
    let none = ReadLimit { records: 0, bytes: 0 };
    assert_eq!(log.read_at(wanted(), none).await.expect("readable"), expected[..1]);

    let beyond = log.read_at(vec![Position(5)], ALL).await.expect_err("past the end");
    let missing = |position, defect| position == Position(5) && defect == Defect::Missing;
    assert!(
        matches!(beyond, ReadError::Damaged { position, defect } if missing(position, defect)),
        "{beyond}"
    );
}

async fn the_head_moves_only_with_appends(log: Arc<dyn EventLog>) {
    let mut watcher = log.head();
    assert_eq!(*watcher.borrow_and_update(), Head::default());

    append(&log, 7, &["a"]).await.expect_err("a wrong position");
    assert!(!watcher.has_changed().expect("a log"));

    let records = append(&log, 0, &["a", "b"]).await.expect("appended");
    assert!(watcher.has_changed().expect("a log"));
    assert_eq!(*watcher.borrow_and_update(), records[1].head());
    assert_eq!(*log.head().borrow(), records[1].head());
}

async fn one_of_many_appenders_at_the_same_position_wins(log: Arc<dyn EventLog>) {
    for round in 0..8 {
        let race = (0..8).map(|_| {
            let log = Arc::clone(&log);
            tokio::spawn(async move { append(&log, round, &["a"]).await })
        });
        let mut won = 0;
        for racer in race.collect::<Vec<_>>() {
            match racer.await.expect("no panic") {
                Ok(records) => won += records.len(),
                Err(error) => assert_eq!(lost_race(&error), Some((round, round + 1)), "{error}"),
            }
        }
        assert_eq!(won, 1, "round {round}");
    }
    let read = log.read(Position::START, ALL).await.expect("readable");
    let hashes: HashSet<_> = read.iter().map(|record| record.hash.0).collect();
    assert_eq!(hashes.len(), 8);
}

async fn a_body_may_be_empty_or_large(log: Arc<dyn EventLog>) {
    let large = Bytes::from(vec![7; 2 * 1024 * 1024]);
    let bodies = vec![Bytes::new(), large.clone(), Bytes::new()];
    log.append(Head::default(), bodies).await.expect("appended");
    let read = log.read(Position::START, ALL).await.expect("readable");
    let bodies: Vec<_> = read.into_iter().map(|record| record.body).collect();
    assert_eq!(bodies, [Bytes::new(), large, Bytes::new()]);
}

fn batches() -> impl Strategy<Value = Vec<Vec<Vec<u8>>>> {
    let body = prop_oneof![
        8 => prop::collection::vec(any::<u8>(), 0..40),
        1 => prop::collection::vec(any::<u8>(), 4000..9000),
    ];
    prop::collection::vec(prop::collection::vec(body, 0..6), 0..12)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn both_engines_store_the_same_records(batches in batches(), page in 1_usize..5, bytes in 0_usize..9000) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
        runtime.block_on(async {
            let directory = TempDir::new().expect("a directory");
            let memory: Arc<dyn EventLog> = Arc::new(MemoryLog::default());
            let sled: Arc<dyn EventLog> = Arc::new(SledLog::open(directory.path()).expect("a log"));
            for bodies in batches {
                let bodies: Vec<_> = bodies.into_iter().map(Bytes::from).collect();
                let head = *memory.head().borrow();
                let expected = memory.append(head, bodies.clone()).await.expect("appended");
                let appended = sled.append(head, bodies).await.expect("appended");
                assert_eq!(appended, expected);
                assert_eq!(*memory.head().borrow(), *sled.head().borrow());
            }
            let (mut position, limit) = (Position::START, ReadLimit { records: page, bytes });
            loop {
                let expected = memory.read(position, limit).await.expect("readable");
                assert_eq!(sled.read(position, limit).await.expect("readable"), expected);
                let Some(last) = expected.last() else { break };
                position = last.position;
            }
            assert_eq!(position, sled.head().borrow().position);
        });
    }
}

async fn append(
    log: &Arc<dyn EventLog>,
    expected: u64,
    bodies: &[&'static str],
) -> Result<Vec<Record>, AppendError> {
    let bodies = bodies.iter().map(|body| Bytes::from_static(body.as_bytes())).collect();
    log.append(head_at(log.as_ref(), Position(expected)).await, bodies).await
}

/// The head of the log when it ended at this position.
async fn head_at(log: &dyn EventLog, position: Position) -> Head {
    let Some(before) = position.0.checked_sub(1) else { return Head::default() };
    let one = ReadLimit { records: 1, bytes: 0 };
    let read = log.read(Position(before), one).await.expect("readable");
    read.first().map_or(Head { position, ..Head::default() }, Record::head)
}

fn positions(records: &[Record]) -> Vec<u64> {
    records.iter().map(|record| record.position.0).collect()
}

/// The expected and the actual position of a conflict.
fn lost_race(error: &AppendError) -> Option<(u64, u64)> {
    match error {
        AppendError::Conflict { expected, actual } => {
            Some((expected.position.0, actual.position.0))
        }
        AppendError::NotAppended(_) | AppendError::Unknown(_) | AppendError::Forked(_) => None,
    }
}
