//! The checker accepts a right history and names each kind of violation.

use super::model::{
    check,
    history::{Entry, EventKind, Objection, Operation, Outcome, RecordedEvent, Refusal, ShownPool},
};

fn entry(
    number: u64,
    operation: Operation,
    outcome: Outcome,
    invoked: u64,
    returned: u64,
) -> Entry {
    Entry { number, operation, outcome, invoked, returned }
}

fn pool(id: &str) -> String {
    id.to_owned()
}

fn update(id: &str) -> Operation {
    Operation::Update { pool: pool(id), expected_revision: None }
}

fn assign(id: &str) -> Operation {
    Operation::Assign { pool: pool(id), prefix: "one".to_owned() }
}

fn describe(id: &str) -> Operation {
    Operation::Describe { pool: pool(id) }
}

const fn outcome(revision: i64, position: i64) -> Outcome {
    Outcome::Recorded { revision, position }
}

const fn shown(revision: i64, position: i64, value: u64) -> Outcome {
    Outcome::Pool(ShownPool { revision, position, value, domain: None })
}

fn event(position: i64, id: &str, revision: i64, number: u64, kind: EventKind) -> RecordedEvent {
    RecordedEvent { position, pool: pool(id), revision, number, kind }
}

fn assigned() -> EventKind {
    EventKind::Assigned { prefix: "one".to_owned() }
}

/// Two user pools; the first is changed twice, and read meanwhile.
fn sound() -> (Vec<Entry>, Vec<RecordedEvent>) {
    let history = vec![
        entry(0, Operation::Create, outcome(1, 1), 0, 3),
        entry(1, Operation::Create, outcome(1, 2), 1, 4),
        entry(2, update("a"), outcome(2, 3), 10, 20),
        entry(3, describe("a"), shown(1, 1, 0), 11, 19),
        entry(4, describe("a"), shown(2, 3, 2), 12, 18),
        entry(5, update("a"), Outcome::Nothing, 21, 22),
        entry(6, Operation::ListEvents, Outcome::Head(4), 23, 24),
        entry(
            7,
            Operation::ListPools,
            Outcome::Pools(vec![(pool("a"), 3), (pool("b"), 1)]),
            25,
            26,
        ),
        entry(
            8,
            Operation::DescribeDomain { prefix: "one".to_owned() },
            Outcome::Owner(None),
            27,
            28,
        ),
    ];
    let log = vec![
        event(1, "a", 1, 0, EventKind::Created { value: 0 }),
        event(2, "b", 1, 1, EventKind::Created { value: 1 }),
        event(3, "a", 2, 2, EventKind::Updated { value: 2 }),
        event(4, "a", 3, 5, EventKind::Updated { value: 5 }),
    ];
    (history, log)
}

/// The result of the checker for the right history after a change.
fn changed(change: impl FnOnce(&mut Vec<Entry>, &mut Vec<RecordedEvent>)) -> Result<(), Objection> {
    let (mut history, mut log) = sound();
    change(&mut history, &mut log);
    check(&history, &log)
}

#[test]
fn a_sound_history_passes() {
    assert_eq!(changed(|_, _| ()), Ok(()));
}

#[test]
fn a_change_without_an_answer_may_be_missing() {
    let missing = changed(|history, log| {
        log.truncate(3);
        history.truncate(6);
    });
    assert_eq!(missing, Ok(()));
}

#[test]
fn a_stale_read_is_noticed() {
    let stale = changed(|history, _| history.push(entry(9, describe("a"), shown(1, 1, 0), 21, 30)));
    assert_eq!(stale, Err(Objection::Unexplained { number: 9, from: 3, to: 4 }));
}

#[test]
fn a_read_older_than_an_earlier_read_is_noticed() {
    // The change has been seen before it is acknowledged.
    let back = changed(|history, _| {
        history[4].returned = 13;
        history.push(entry(9, describe("a"), shown(1, 1, 0), 14, 15));
    });
    assert_eq!(back, Err(Objection::Unexplained { number: 9, from: 3, to: 3 }));
}

#[test]
fn a_read_from_the_future_is_noticed() {
    let future = changed(|history, _| history.push(entry(9, describe("a"), shown(2, 3, 2), 5, 6)));
    assert_eq!(future, Err(Objection::Unexplained { number: 9, from: 2, to: 2 }));
    let head =
        changed(|history, _| history.push(entry(9, Operation::ListEvents, Outcome::Head(3), 5, 6)));
    assert_eq!(head, Err(Objection::Unexplained { number: 9, from: 2, to: 2 }));
}

#[test]
fn a_lost_update_is_noticed() {
    let lost = changed(|history, log| {
        log.truncate(2);
        history.truncate(3);
    });
    assert_eq!(lost, Err(Objection::Lost { number: 2 }));
    // Overwritten: the next change has its position.
    let overwritten = changed(|history, log| {
        history[5].outcome = outcome(2, 3);
        log.remove(2);
        log[2] = event(3, "a", 2, 5, EventKind::Updated { value: 5 });
    });
    assert_eq!(overwritten, Err(Objection::Lost { number: 2 }));
}

#[test]
fn a_change_that_was_applied_twice_is_noticed() {
    let twice = changed(|_, log| log.push(event(5, "a", 4, 5, EventKind::Updated { value: 5 })));
    assert_eq!(twice, Err(Objection::Duplicate { number: 5 }));
}

#[test]
fn an_unrequested_change_is_noticed() {
    let unrequested =
        changed(|_, log| log.push(event(5, "a", 4, 17, EventKind::Updated { value: 17 })));
    assert_eq!(unrequested, Err(Objection::Unrequested { position: 5 }));
    let another = changed(|_, log| log[3].kind = EventKind::Updated { value: 2 });
    assert_eq!(another, Err(Objection::Unrequested { position: 4 }));
    let unconditional = changed(|history, _| {
        history[2].operation = Operation::Update { pool: pool("a"), expected_revision: Some(2) };
    });
    assert_eq!(unconditional, Err(Objection::Unrequested { position: 3 }));
}

#[test]
fn a_domain_with_two_owners_is_noticed() {
    let two = changed(|history, log| {
        history.push(entry(9, assign("a"), outcome(4, 5), 30, 32));
        history.push(entry(10, assign("b"), outcome(2, 6), 31, 33));
        log.push(event(5, "a", 4, 9, assigned()));
        log.push(event(6, "b", 2, 10, assigned()));
    });
    assert_eq!(two, Err(Objection::Impossible { position: 6, why: "the domain has an owner" }));
}

#[test]
fn a_user_pool_that_is_not_found_is_noticed() {
    let refused = Outcome::Refused { refusal: Refusal::NotFound, tried_before: false };
    let missing = changed(|history, _| history.push(entry(9, update("a"), refused, 30, 31)));
    assert_eq!(missing, Err(Objection::Unexplained { number: 9, from: 4, to: 4 }));
}

#[test]
fn a_refusal_without_a_reason_is_noticed() {
    let refused = Outcome::Refused { refusal: Refusal::DomainTaken, tried_before: false };
    let free = changed(|history, _| history.push(entry(9, assign("b"), refused, 30, 31)));
    assert_eq!(free, Err(Objection::Unexplained { number: 9, from: 4, to: 4 }));
}

#[test]
fn a_refused_change_that_is_recorded_is_noticed() {
    let refused = changed(|history, _| history[5].outcome = Outcome::NotRecorded);
    assert_eq!(refused, Err(Objection::DeniedButRecorded { number: 5 }));
}

#[test]
fn an_answer_with_a_wrong_position_is_noticed() {
    let elsewhere = changed(|history, _| history[2].outcome = outcome(2, 4));
    assert_eq!(elsewhere, Err(Objection::WrongPosition { number: 2, position: 3 }));
}

#[test]
fn a_log_that_contradicts_the_clock_is_noticed() {
    // Acknowledged before the request of an earlier change in the log.
    let late = changed(|history, _| (history[0].invoked, history[0].returned) = (5, 6));
    assert_eq!(late, Err(Objection::OutOfOrder { number: 1, before: 0 }));
}

#[test]
fn gaps_are_noticed() {
    let position = changed(|_, log| log[3].position = 5);
    assert_eq!(position, Err(Objection::Gap { position: 4 }));
    let revision = changed(|_, log| log[3].revision = 4);
    let why = "a revision was skipped or given twice";
    assert_eq!(revision, Err(Objection::Impossible { position: 4, why }));
}

#[test]
fn a_list_that_shows_too_little_or_too_much_is_noticed() {
    let listed = |pools: &[(&str, i64)]| {
        let pools = pools.iter().map(|(id, revision)| (pool(id), *revision)).collect();
        changed(|history, _| {
            history.push(entry(9, Operation::ListPools, Outcome::Pools(pools), 30, 31));
        })
    };
    assert_eq!(listed(&[("a", 3), ("b", 1)]), Ok(()));
    let unexplained = Err(Objection::Unexplained { number: 9, from: 4, to: 4 });
    assert_eq!(listed(&[("a", 3)]), unexplained);
    assert_eq!(listed(&[("a", 2), ("b", 1)]), unexplained);
    assert_eq!(listed(&[("a", 3), ("b", 1), ("c", 1)]), unexplained);
}

fn restore(id: &str, revision: i64) -> Operation {
    Operation::Restore { pool: pool(id), revision, domain: false }
}

fn restored(revision: i64, value: u64) -> EventKind {
    EventKind::Restored { revision, value, domain: None, was_deleted: false }
}

const fn restored_to(revision: i64, position: i64, value: u64) -> Outcome {
    Outcome::Restored(ShownPool { revision, position, value, domain: None })
}

#[test]
fn a_restore_to_another_state_is_noticed() {
    let restored_as = |value| {
        changed(|history, log| {
            history.push(entry(9, restore("a", 1), restored_to(4, 5, value), 30, 31));
            log.push(event(5, "a", 4, 9, restored(1, value)));
        })
    };
    assert_eq!(restored_as(0), Ok(()));
    let why = "the user pool is not restored to what it was";
    assert_eq!(restored_as(2), Err(Objection::Impossible { position: 5, why }));
}

#[test]
fn a_restore_that_is_answered_but_missing_is_noticed() {
    let nothing_changed = |revision, value| {
        let answer = restored_to(3, 4, value);
        changed(|history, _| history.push(entry(9, restore("a", revision), answer, 30, 31)))
    };
    assert_eq!(nothing_changed(3, 5), Ok(()));
    let unexplained = Err(Objection::Unexplained { number: 9, from: 4, to: 4 });
    assert_eq!(nothing_changed(1, 5), unexplained);
    assert_eq!(nothing_changed(1, 0), unexplained);
}

#[test]
fn a_deleted_user_pool_can_only_be_restored() {
    let after_deletion = |kind: EventKind, operation: Operation, answer: Outcome| {
        changed(|history, log| {
            history.push(entry(9, Operation::Delete { pool: pool("a") }, outcome(4, 5), 30, 31));
            log.push(event(5, "a", 4, 9, EventKind::Deleted));
            history.push(entry(10, operation, answer, 32, 33));
            log.push(event(6, "a", 5, 10, kind));
        })
    };
    let back = EventKind::Restored { revision: 3, value: 5, domain: None, was_deleted: true };
    assert_eq!(after_deletion(back, restore("a", 3), restored_to(5, 6, 5)), Ok(()));
    let updated = EventKind::Updated { value: 10 };
    let why = "the user pool was deleted";
    let impossible = Err(Objection::Impossible { position: 6, why });
    assert_eq!(after_deletion(updated, update("a"), outcome(5, 6)), impossible);
    let deletion = EventKind::Restored { revision: 4, value: 5, domain: None, was_deleted: true };
    let why = "there is nothing to restore";
    let impossible = Err(Objection::Impossible { position: 6, why });
    assert_eq!(after_deletion(deletion, restore("a", 4), restored_to(5, 6, 5)), impossible);
}

#[test]
fn a_limit_that_is_not_reached_is_noticed() {
    let refused = |limit| {
        let refusal = Refusal::TooManyPools { limit };
        let refused = Outcome::Refused { refusal, tried_before: false };
        changed(|history, _| history.push(entry(9, Operation::Create, refused, 30, 31)))
    };
    assert_eq!(refused(2), Ok(()));
    assert_eq!(refused(3), Err(Objection::Unexplained { number: 9, from: 4, to: 4 }));
}
