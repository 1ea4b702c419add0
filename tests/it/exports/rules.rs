//! The rules in a range: no true history contradicts them, and what contradicts itself within
//! the range is found.

use userpool::{
    audit::{RangeAnchor, Verifier},
    event_log::LogId,
    proto::{
        UserPool, UserPoolDeleted, UserPoolDomainCreated, UserPoolDomainDeleted,
        UserPoolDomainUpdated, UserPoolRestored, UserPoolTagged, UserPoolUpdated,
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

fn changed(domain: &str) -> Event {
    Event::UserPoolDomainUpdated(UserPoolDomainUpdated {
        domain: domain.to_owned(),
        ..UserPoolDomainUpdated::default()
    })
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

#[test]
fn no_user_pool_is_restored_to_one_of_its_deletions() {
    let back = |restored_revision, was_deleted| {
        Event::UserPoolRestored(Box::new(UserPoolRestored {
            restored_revision,
            user_pool: Some(UserPool { id: Some(POOL.to_owned()), ..UserPool::default() }),
            was_deleted,
            ..UserPoolRestored::default()
        }))
    };
    for (revision, expected) in [(7, Some("which has no state")), (8, None), (9, None)] {
        let start = [(POOL, 7, deleted()), (POOL, 8, back(2, true)), (POOL, 9, updated(None))];
        assert_found(&[&start[..], &[(POOL, 10, back(revision, false))]].concat(), expected);
        let again = [(POOL, 10, deleted()), (POOL, 11, back(revision, true))];
        assert_found(&[&start[..], &again].concat(), expected);
    }
}

/// What an event of the range says of the owner of a domain holds for the first event of another
/// user pool, too.
#[test]
fn a_later_user_pool_does_not_own_a_domain_of_another() {
    let kept = || restored(false, Some("a"), [&[], &[]]);
    let lost = || restored(false, None, [&[], &["a"]]);
    for (event, expected) in [
        (changed("a"), "which does not own it"),
        (removed("a"), "which does not own it"),
        (updated(Some("a")), "changes the domain"),
        (kept(), "names other domains"),
        (lost(), "names other domains"),
    ] {
        assert_found(&[(POOL, 7, event.clone())], None);
        for before in [created("a"), changed("a"), removed("a")] {
            let history = [(OTHER, 3, before), (POOL, 7, event.clone())];
            assert_found(&history, Some(expected));
            let [other, newest] = history;
            assert_found(&[other, (POOL, 7, tagged()), (POOL, 8, newest.2)], Some(expected));
        }
    }
}

#[test]
fn the_name_of_a_domain_says_its_kind() {
    let custom = || removed("auth.example.com");
    for (history, expected) in [
        (
            vec![(POOL, 7, custom()), (POOL, 8, changed("a")), (POOL, 9, created("b"))],
            Some("second"),
        ),
        (vec![(POOL, 7, custom()), (POOL, 8, updated(Some("a"))), (POOL, 9, removed("a"))], None),
        (vec![(POOL, 7, removed("a")), (POOL, 8, changed("b"))], Some("does not own it")),
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
            // That of the other user pool; "a" is free within the range.
            (Assumption::DomainIsFree, 1),
        ]
    );
}
