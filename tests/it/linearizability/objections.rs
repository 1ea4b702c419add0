//! The checker notices what it is for: a history that is right passes, and each
//! known violation is named.

use super::model::{
    check,
    history::{Asked, Entry, Objection, Recorded, Refusal, Shown, Told, What},
};

fn entry(number: u64, asked: Asked, told: Told, invoked: u64, returned: u64) -> Entry {
    Entry { number, asked, told, invoked, returned }
}

fn pool(id: &str) -> String {
    id.to_owned()
}

fn update(id: &str) -> Asked {
    Asked::Update { pool: pool(id), expected_revision: None }
}

fn assign(id: &str) -> Asked {
    Asked::Assign { pool: pool(id), prefix: "one".to_owned() }
}

fn describe(id: &str) -> Asked {
    Asked::Describe { pool: pool(id) }
}

const fn told(revision: i64, position: i64) -> Told {
    Told::Recorded { revision, position }
}

const fn shown(revision: i64, position: i64, value: u64) -> Told {
    Told::Pool(Shown { revision, position, value, domain: None })
}

fn event(position: i64, id: &str, revision: i64, number: u64, what: What) -> Recorded {
    Recorded { position, pool: pool(id), revision, number, what }
}

fn assigned() -> What {
    What::Assigned { prefix: "one".to_owned() }
}

/// Two user pools; the first is changed twice, and read meanwhile.
fn sound() -> (Vec<Entry>, Vec<Recorded>) {
    let history = vec![
        entry(0, Asked::Create, told(1, 1), 0, 3),
        entry(1, Asked::Create, told(1, 2), 1, 4),
        entry(2, update("a"), told(2, 3), 10, 20),
        entry(3, describe("a"), shown(1, 1, 0), 11, 19),
        entry(4, describe("a"), shown(2, 3, 2), 12, 18),
        entry(5, update("a"), Told::Nothing, 21, 22),
        entry(6, Asked::ListEvents, Told::Head(4), 23, 24),
        entry(7, Asked::ListPools, Told::Pools(vec![(pool("a"), 3), (pool("b"), 1)]), 25, 26),
        entry(8, Asked::DescribeDomain { prefix: "one".to_owned() }, Told::Owner(None), 27, 28),
    ];
    let log = vec![
        event(1, "a", 1, 0, What::Created { value: 0 }),
        event(2, "b", 1, 1, What::Created { value: 1 }),
        event(3, "a", 2, 2, What::Updated { value: 2 }),
        event(4, "a", 3, 5, What::Updated { value: 5 }),
    ];
    (history, log)
}

/// What the checker says of the sound history after a change.
fn changed(change: impl FnOnce(&mut Vec<Entry>, &mut Vec<Recorded>)) -> Result<(), Objection> {
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
    // The change is not acknowledged yet, but has been seen.
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
    let head = changed(|history, _| history.push(entry(9, Asked::ListEvents, Told::Head(3), 5, 6)));
    assert_eq!(head, Err(Objection::Unexplained { number: 9, from: 2, to: 2 }));
}

#[test]
fn a_lost_update_is_noticed() {
    let lost = changed(|history, log| {
        log.truncate(2);
        history.truncate(3);
    });
    assert_eq!(lost, Err(Objection::Lost { number: 2 }));
    // Overwritten instead: the next change has its place.
    let overwritten = changed(|history, log| {
        history[5].told = told(2, 3);
        log.remove(2);
        log[2] = event(3, "a", 2, 5, What::Updated { value: 5 });
    });
    assert_eq!(overwritten, Err(Objection::Lost { number: 2 }));
}

#[test]
fn a_change_that_was_applied_twice_is_noticed() {
    let twice = changed(|_, log| log.push(event(5, "a", 4, 5, What::Updated { value: 5 })));
    assert_eq!(twice, Err(Objection::Twice { number: 5 }));
}

#[test]
fn an_unrequested_change_is_noticed() {
    let nobody = changed(|_, log| log.push(event(5, "a", 4, 17, What::Updated { value: 17 })));
    assert_eq!(nobody, Err(Objection::Invented { position: 5 }));
    let another = changed(|_, log| log[3].what = What::Updated { value: 2 });
    assert_eq!(another, Err(Objection::Invented { position: 4 }));
    let unconditional = changed(|history, _| {
        history[2].asked = Asked::Update { pool: pool("a"), expected_revision: Some(2) };
    });
    assert_eq!(unconditional, Err(Objection::Invented { position: 3 }));
}

#[test]
fn a_domain_with_two_owners_is_noticed() {
    let two = changed(|history, log| {
        history.push(entry(9, assign("a"), told(4, 5), 30, 32));
        history.push(entry(10, assign("b"), told(2, 6), 31, 33));
        log.push(event(5, "a", 4, 9, assigned()));
        log.push(event(6, "b", 2, 10, assigned()));
    });
    assert_eq!(two, Err(Objection::Impossible { position: 6, why: "the domain has an owner" }));
}

#[test]
fn a_user_pool_that_is_not_found_is_noticed() {
    let refused = Told::Refused { refusal: Refusal::NotFound, tried_before: false };
    let missing = changed(|history, _| history.push(entry(9, update("a"), refused, 30, 31)));
    assert_eq!(missing, Err(Objection::Unexplained { number: 9, from: 4, to: 4 }));
}

#[test]
fn a_refusal_without_a_reason_is_noticed() {
    let refused = Told::Refused { refusal: Refusal::DomainTaken, tried_before: false };
    let free = changed(|history, _| history.push(entry(9, assign("b"), refused, 30, 31)));
    assert_eq!(free, Err(Objection::Unexplained { number: 9, from: 4, to: 4 }));
}

#[test]
fn a_refused_change_that_is_recorded_is_noticed() {
    let refused = changed(|history, _| history[5].told = Told::NotRecorded);
    assert_eq!(refused, Err(Objection::RecordedAllTheSame { number: 5 }));
}

#[test]
fn an_answer_with_a_wrong_position_is_noticed() {
    let elsewhere = changed(|history, _| history[2].told = told(2, 4));
    assert_eq!(elsewhere, Err(Objection::Elsewhere { number: 2, position: 3 }));
}

#[test]
fn a_log_that_contradicts_the_clock_is_noticed() {
    // Acknowledged before what comes before it was asked for.
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
            history.push(entry(9, Asked::ListPools, Told::Pools(pools), 30, 31));
        })
    };
    assert_eq!(listed(&[("a", 3), ("b", 1)]), Ok(()));
    let unexplained = Err(Objection::Unexplained { number: 9, from: 4, to: 4 });
    assert_eq!(listed(&[("a", 3)]), unexplained);
    assert_eq!(listed(&[("a", 2), ("b", 1)]), unexplained);
    assert_eq!(listed(&[("a", 3), ("b", 1), ("c", 1)]), unexplained);
}
