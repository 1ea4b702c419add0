//! The promises of a log engine that the application relies on: every engine keeps them, and
//! so does the log of the simulation.

use std::{collections::HashSet, sync::Arc};

use bytes::Bytes;
use userpool::event_log::{
    AppendError, Defect, EventLog, Hash, Head, Position, ReadError, ReadLimit, Record,
};

pub(crate) const ALL: ReadLimit = ReadLimit { records: usize::MAX, bytes: usize::MAX };

/// Calls a macro with the name of every promise.
macro_rules! with_every_promise {
    ($tests:ident) => {
        $tests! {
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
    };
}

pub(crate) use with_every_promise;

pub(crate) async fn positions_are_dense_from_1(log: Arc<dyn EventLog>) {
    let first = append(&log, 0, &["a", "b"]).await.expect("appended");
    let second = append(&log, 2, &["c"]).await.expect("appended");

    let read = log.read(Position::START, ALL).await.expect("readable");
    assert_eq!(positions(&read), [1, 2, 3]);
    assert_eq!(read, [first, second].concat());
    assert_eq!(read.iter().map(|record| &record.body[..]).collect::<Vec<_>>(), [b"a", b"b", b"c"]);
}

pub(crate) async fn an_append_at_a_wrong_position_writes_nothing_and_names_both(
    log: Arc<dyn EventLog>,
) {
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

pub(crate) async fn an_append_at_a_wrong_hash_writes_nothing_and_names_both(
    log: Arc<dyn EventLog>,
) {
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

pub(crate) async fn records_are_chained_and_know_their_batch(log: Arc<dyn EventLog>) {
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

pub(crate) async fn a_batch_is_seen_whole_or_not_at_all(log: Arc<dyn EventLog>) {
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

pub(crate) async fn an_empty_batch_is_no_change(log: Arc<dyn EventLog>) {
    append(&log, 0, &["a"]).await.expect("appended");
    let mut head = log.head();
    head.mark_unchanged();

    assert_eq!(append(&log, 1, &[]).await.expect("nothing to do"), []);

    assert!(!head.has_changed().expect("a log"));
    append(&log, 1, &["b"]).await.expect("appended");
}

pub(crate) async fn a_read_ends_at_either_limit_but_returns_one_record(log: Arc<dyn EventLog>) {
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

pub(crate) async fn a_read_at_or_beyond_the_end_is_empty(log: Arc<dyn EventLog>) {
    assert_eq!(log.read(Position::START, ALL).await.expect("readable"), []);
    append(&log, 0, &["a", "b"]).await.expect("appended");
    for end in [2, 3, 1000, u64::MAX] {
        let read = log.read(Position(end), ALL).await.expect("readable");
        assert_eq!(read, [], "after {end}");
    }
}

pub(crate) async fn records_at_given_positions_are_read_in_that_order(log: Arc<dyn EventLog>) {
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

pub(crate) async fn the_head_moves_only_with_appends(log: Arc<dyn EventLog>) {
    let mut watcher = log.head();
    assert_eq!(*watcher.borrow_and_update(), Head::default());

    append(&log, 7, &["a"]).await.expect_err("a wrong position");
    assert!(!watcher.has_changed().expect("a log"));

    let records = append(&log, 0, &["a", "b"]).await.expect("appended");
    assert!(watcher.has_changed().expect("a log"));
    assert_eq!(*watcher.borrow_and_update(), records[1].head());
    assert_eq!(*log.head().borrow(), records[1].head());
}

pub(crate) async fn one_of_many_appenders_at_the_same_position_wins(log: Arc<dyn EventLog>) {
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

pub(crate) async fn a_body_may_be_empty_or_large(log: Arc<dyn EventLog>) {
    let large = Bytes::from(vec![7; 2 * 1024 * 1024]);
    let bodies = vec![Bytes::new(), large.clone(), Bytes::new()];
    log.append(Head::default(), bodies).await.expect("appended");
    let read = log.read(Position::START, ALL).await.expect("readable");
    let bodies: Vec<_> = read.into_iter().map(|record| record.body).collect();
    assert_eq!(bodies, [Bytes::new(), large, Bytes::new()]);
}

pub(crate) async fn append(
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

pub(crate) fn positions(records: &[Record]) -> Vec<u64> {
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
