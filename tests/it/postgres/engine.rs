//! Several engines of one log, and what the database lets a server do.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use tokio::time::timeout;
use userpool::event_log::{
    AppendError, EventLog as _, Fork, Head, Position, PostgresLog, ReadError, ReadLimit, Record,
};

use super::cluster::TestLog;

const ALL: ReadLimit = ReadLimit { records: usize::MAX, bytes: usize::MAX };
/// Longer than anything here takes, unless it hangs.
const PATIENCE: Duration = Duration::from_mins(1);

fn bodies(bodies: &[&'static str]) -> Vec<Bytes> {
    bodies.iter().map(|body| Bytes::from_static(body.as_bytes())).collect()
}

async fn append(log: &PostgresLog, expected: Head, body: &'static str) -> Record {
    let appended = log.append(expected, bodies(&[body])).await.expect("appended");
    appended[0].clone()
}

/// Waits until an engine has seen this head.
async fn follow(log: &PostgresLog, head: Head) {
    let mut heads = log.head();
    let followed = heads.wait_for(|seen| seen.position >= head.position);
    let seen = *timeout(PATIENCE, followed).await.expect("in time").expect("a log");
    assert_eq!(seen, head);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_engine_sees_what_another_appends() {
    let test = TestLog::new().await;
    let [first, second] = [test.open().await, test.open().await];
    let mut head = Head::default();
    for _ in 0..20 {
        let appended = first.append(head, bodies(&["a", "b", "c"])).await.expect("appended");
        head = appended[2].head();

        // Never older than an acknowledged append, also before it is announced.
        assert_eq!(second.latest().await.expect("readable"), head);
        follow(&second, head).await;

        let read = second.read(Position(head.position.0 - 3), ALL).await.expect("readable");
        assert_eq!(read, appended);
    }
    let large = Bytes::from(vec![7; 1024 * 1024]);
    let appended = first.append(head, vec![large.clone(), large]).await.expect("appended");
    follow(&second, appended[1].head()).await;
    let read = second.read(head.position, ReadLimit::PAGE).await.expect("readable");
    assert_eq!(read, appended);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_engine_starts_where_the_log_ends() {
    let test = TestLog::new().await;
    let first = test.open().await;
    let head = append(&first, Head::default(), "a").await.head();
    let second = test.open().await;
    assert_eq!(*second.head().borrow(), head);
    append(&second, head, "b").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_that_is_appended_again_is_written_once() {
    let test = TestLog::new().await;
    let [first, second] = [test.open().await, test.open().await];
    let appended = first.append(Head::default(), bodies(&["a", "b"])).await.expect("appended");
    for log in [&first, &second] {
        let again = log.append(Head::default(), bodies(&["a", "b"])).await;
        let again = again.expect_err("it is there");
        assert!(
            matches!(again, AppendError::Conflict { actual, .. } if actual == appended[1].head()),
            "{again}"
        );
    }
    assert_eq!(first.read(Position::START, ALL).await.expect("readable"), appended);
}

#[tokio::test(flavor = "multi_thread")]
async fn writers_take_turns() {
    let test = TestLog::new().await;
    let [first, second] = [test.open().await, test.open().await];
    let turn = first.turn().await.expect("a turn");
    assert_eq!(turn.head, Head::default());
    assert!(turn.now.is_some());
    let second = Arc::new(second);
    let waiting = {
        let second = Arc::clone(&second);
        tokio::spawn(async move { second.turn().await })
    };
    let appended = append(&first, turn.head, "a").await;

    let next = timeout(PATIENCE, waiting).await.expect("in time").expect("no panic");

    assert_eq!(next.expect("a turn").head, appended.head());
    append(&second, appended.head(), "b").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_turn_that_is_given_back_is_another_writers() {
    let test = TestLog::new().await;
    let [first, second] = [test.open().await, test.open().await];
    first.turn().await.expect("a turn");
    first.end_turn().await;
    second.turn().await.expect("a turn");
    // A turn that is taken again does not wait for itself.
    second.turn().await.expect("a turn");
    append(&second, Head::default(), "a").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_turn_without_an_append_ends_by_itself() {
    let test = TestLog::new().await;
    let [first, second] = [test.open().await, test.open().await];
    first.turn().await.expect("a turn");

    // The database ends the session of a server that froze in its turn.
    let turn = timeout(PATIENCE, second.turn()).await.expect("in time").expect("a turn");

    let appended = append(&second, turn.head, "a").await;
    first.append(Head::default(), bodies(&["b"])).await.expect_err("too late");
    assert_eq!(first.turn().await.expect("a turn").head, appended.head());
    append(&first, appended.head(), "b").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_append_without_a_turn_wins_and_the_turn_loses() {
    let test = TestLog::new().await;
    let [first, second] = [test.open().await, test.open().await];
    let turn = first.turn().await.expect("a turn");
    let appended = append(&second, turn.head, "a").await;
    let lost = first.append(turn.head, bodies(&["b"])).await.expect_err("lost");
    assert!(
        matches!(lost, AppendError::Conflict { actual, .. } if actual == appended.head()),
        "{lost}"
    );
    append(&first, appended.head(), "c").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_that_end_are_opened_again() {
    let test = TestLog::new().await;
    let log = test.open().await;
    let mut head = append(&log, Head::default(), "a").await.head();
    for _ in 0..3 {
        let end = format!(
            "select pg_terminate_backend(pid) from pg_stat_activity where application_name = '{}'",
            test.name
        );
        test.node.execute("userpool", &end).await;
        let turn = timeout(PATIENCE, async {
            while log.durable_head().await.is_err()
                || log.latest().await.is_err()
                || log.read(Position::START, ALL).await.is_err()
            {}
            loop {
                match log.turn().await {
                    Ok(turn) => return turn,
                    Err(AppendError::NotAppended(_)) => (),
                    Err(error) => panic!("{error}"),
                }
            }
        });
        let turn = turn.await.expect("in time");
        assert_eq!(turn.head, head);
        head = append(&log, head, "b").await.head();
    }
    assert_eq!(head.position, Position(4));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_lost_its_end_is_a_fork() {
    let test = TestLog::new().await;
    let log = test.open().await;
    let first = append(&log, Head::default(), "a").await;
    let second = append(&log, first.head(), "b").await;
    let lose = format!("delete from userpool_record where log = '{}' and position = 2", test.name);
    test.node.execute("userpool", &lose).await;

    let expected = Fork { known: second.head(), found: first.head() };
    let fork = timeout(PATIENCE, log.forked()).await.expect("in time");
    assert_eq!(fork, expected);
    let read = log.read(Position::START, ALL).await.expect_err("a fork");
    assert!(matches!(read, ReadError::Forked(fork) if fork == expected), "{read}");
    let refused = log.append(first.head(), bodies(&["c"])).await.expect_err("a fork");
    assert!(matches!(refused, AppendError::Forked(fork) if fork == expected), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_record_is_found() {
    let test = TestLog::new().await;
    let log = test.open().await;
    log.append(Head::default(), bodies(&["a", "b", "c"])).await.expect("appended");
    for (change, position) in [
        ("update userpool_record set stored = set_byte(stored, 49, 0) where position = 2", 2),
        ("delete from userpool_record where position = 2", 2),
    ] {
        let change = format!("{change} and log = '{}'", test.name);
        test.node.execute("userpool", &change).await;
        let damaged = log.read(Position::START, ALL).await.expect_err("damage");
        assert!(
            matches!(damaged, ReadError::Damaged { position: at, .. } if at == Position(position)),
            "{damaged}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_role_of_a_server_cannot_change_a_record() {
    let test = TestLog::new().await;
    append(&test.open().await, Head::default(), "a").await;
    for statement in [
        "update userpool_record set stored = ''",
        "delete from userpool_record",
        "truncate userpool_record",
        "drop table userpool_record",
        "delete from userpool_log",
    ] {
        let statement = format!("set role userpool; {statement}");
        let refused = test.node.try_execute("userpool", &statement).await;
        assert!(refused.is_err(), "{statement}");
    }
}
