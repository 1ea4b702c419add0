//! The rules in a range: no true history contradicts them, and what contradicts itself within
//! the range is found.

use userpool::{
    audit::{RangeAnchor, Verifier},
    event_log::LogId,
    proto::{
        UserPool, UserPoolDeleted, UserPoolDomainCreated, UserPoolDomainDeleted, UserPoolRestored,
        UserPoolTagged, UserPoolUpdated,
    },
    user_pool::{Assumption, Event, EventChecker},
};

use crate::tools::repository;

use super::{events, head};

const POOL: &str = "us-east-1_AbCdEfGhI";
const OTHER: &str = "us-east-1_000000002";

#[test]
fn no_true_history_contradicts_itself_from_any_event_on() {
    for name in ["data-directory-1", "data-directory-2", "members-of-2017"] {
        let path = repository().join(format!("tests/fixtures/{name}.jsonl"));
        let export = std::fs::read_to_string(path).expect("an export");
        let events = events(&export);
        for after in 1..events.len() {
            let mut verifier = Verifier::default();
            let (first, before) = (head(&events[0]), head(&events[after - 1]));
            let anchor = RangeAnchor { head: before, log_id: LogId::of(first.hash) };
            verifier.begin_range(anchor).expect("a beginning");
            for event in &events[after..] {
                verifier.push_event(event).expect("the next event");
            }
            verifier.finish().expect("an end");
        }
    }
}

fn created(domain: &str) -> Event {
    Event::UserPoolDomainCreated(UserPoolDomainCreated {
        domain: domain.to_owned(),
        ..UserPoolDomainCreated::default()
    })
}

fn removed(domain: &str) -> Event {
    Event::UserPoolDomainDeleted(UserPoolDomainDeleted { domain: domain.to_owned() })
}

fn updated(domain: Option<&str>) -> Event {
    let user_pool = UserPool {
        id: Some(POOL.to_owned()),
        domain: domain.map(str::to_owned),
        ..UserPool::default()
    };
    let user_pool = Some(user_pool);
    Event::UserPoolUpdated(Box::new(UserPoolUpdated { user_pool, ..UserPoolUpdated::default() }))
}

fn deleted() -> Event {
    Event::UserPoolDeleted(UserPoolDeleted {})
}

fn tagged() -> Event {
    Event::UserPoolTagged(UserPoolTagged::default())
}

/// The event that restores the user pool with this domain.
fn restored(was_deleted: bool, domain: Option<&str>, changes: [&[&str]; 2]) -> Event {
    let user_pool = UserPool {
        id: Some(POOL.to_owned()),
        domain: domain.map(str::to_owned),
        ..UserPool::default()
    };
    let [assigned_domains, removed_domains] =
        changes.map(|names| names.iter().map(|name| (*name).to_owned()).collect());
    Event::UserPoolRestored(Box::new(UserPoolRestored {
        restored_revision: 2,
        user_pool: Some(user_pool),
        was_deleted,
        assigned_domains,
        removed_domains,
        ..UserPoolRestored::default()
    }))
}

#[test]
fn a_restored_user_pool_is_checked_within_a_range() {
    let nothing = || [&[][..], &[]];
    let (back, back_with) =
        (|| restored(true, None, nothing()), || restored(true, Some("a"), [&["a"], &[]]));
    for (history, expected) in [
        (vec![(POOL, 7, back()), (POOL, 8, created("a"))], None),
        (vec![(POOL, 7, deleted()), (POOL, 8, back_with()), (POOL, 9, removed("a"))], None),
        (vec![(POOL, 7, restored(false, Some("a"), nothing())), (POOL, 8, removed("a"))], None),
        (vec![(POOL, 7, restored(false, None, [&[], &["a"]])), (OTHER, 3, created("a"))], None),
        (vec![(POOL, 7, restored(false, Some("b"), [&["b"], &["a", "auth.example.com"]]))], None),
        (vec![(OTHER, 3, removed("a")), (POOL, 7, back_with())], None),
        (vec![(OTHER, 3, created("a")), (POOL, 7, back_with())], Some("another one owns it")),
        (vec![(POOL, 7, back_with()), (OTHER, 3, created("a"))], Some("another one owns it")),
        (
            vec![(POOL, 7, restored(false, Some("a"), nothing())), (OTHER, 3, created("a"))],
            Some("another one owns it"),
        ),
        (vec![(POOL, 7, back_with()), (POOL, 8, deleted())], Some("while it has a domain")),
        (vec![(POOL, 7, tagged()), (POOL, 8, back())], Some("whether it was deleted")),
        (
            vec![(POOL, 7, deleted()), (POOL, 8, restored(true, None, [&[], &["a"]]))],
            Some("names other domains"),
        ),
        (vec![(POOL, 7, restored(true, None, [&[], &["a"]]))], Some("names other domains")),
        (
            vec![(POOL, 7, updated(None)), (POOL, 8, restored(false, Some("a"), nothing()))],
            Some("names other domains"),
        ),
        (vec![(POOL, 2, back())], Some("which has no state")),
    ] {
        assert_found(&history, expected);
    }
}

/// Each history and the contradiction at its last event, or none.
#[test]
fn what_contradicts_itself_within_a_range_is_found() {
    for (history, expected) in [
        (vec![(POOL, 7, tagged()), (POOL, 8, tagged())], None),
        (vec![(POOL, 7, tagged()), (POOL, 9, tagged())], Some("revision 9 of user pool")),
        (vec![(POOL, 1, tagged())], Some("is changed, but was never created")),
        (vec![(POOL, 7, deleted()), (POOL, 8, tagged())], Some("is changed after its deletion")),
        (vec![(POOL, 7, created("a")), (POOL, 8, created("b"))], Some("gets a second domain")),
        (vec![(POOL, 7, created("a")), (OTHER, 3, created("a"))], Some("another one owns it")),
        (
            vec![(POOL, 7, updated(Some("a"))), (OTHER, 3, created("a"))],
            Some("another one owns it"),
        ),
        (vec![(POOL, 7, updated(Some("a"))), (POOL, 8, removed("b"))], Some("does not own it")),
        (vec![(POOL, 7, updated(Some("a"))), (POOL, 8, updated(None))], Some("changes the domain")),
        (vec![(POOL, 7, updated(Some("a"))), (POOL, 8, deleted())], Some("while it has a domain")),
        (vec![(POOL, 7, removed("a")), (POOL, 8, created("b"))], None),
        (vec![(POOL, 7, removed("a")), (OTHER, 3, created("a")), (POOL, 8, deleted())], None),
    ] {
        assert_found(&history, expected);
    }
}

/// Checks that the last event of a range is the first contradiction, or that there is none.
fn assert_found(history: &[(&str, i64, Event)], expected: Option<&str>) {
    let mut checker = EventChecker::for_range();
    let results = history.iter().map(|(id, revision, event)| checker.check(id, *revision, event));
    let results: Vec<_> = results.collect();
    let (last, before) = results.split_last().expect("an event");
    assert!(before.iter().all(Result::is_ok), "{history:?}: {results:?}");
    let found = last.as_ref().err().map(ToString::to_string).unwrap_or_default();
    assert_eq!(last.is_err(), expected.is_some(), "{history:?}: {found}");
    assert!(found.contains(expected.unwrap_or_default()), "{history:?}: {found}");
}

#[test]
fn what_is_assumed_of_earlier_events_is_counted() {
    let mut checker = EventChecker::for_range();
    for (id, revision, event) in [
        (POOL, 7, tagged()),
        (POOL, 8, removed("a")),
        (POOL, 9, created("a")),
        (OTHER, 3, created("b")),
        (OTHER, 4, removed("b")),
        (OTHER, 5, deleted()),
    ] {
        checker.check(id, revision, &event).expect("no contradiction");
    }
    let assumptions = checker.assumptions().expect("a range");
    let assumed: Vec<_> = assumptions.iter().map(|(kind, made)| (kind, made.count)).collect();
    assert_eq!(
        assumed,
        [
            (Assumption::Exists, 2),
            (Assumption::IsDeletable, 1),
            (Assumption::OwnsDomain, 1),
            // That of the other user pool; "a" is free within the range, but the user pool may
            // have had another domain.
            (Assumption::DomainIsFree, 2),
        ]
    );
}
