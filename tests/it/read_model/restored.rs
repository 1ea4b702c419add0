//! Forged events that restore a user pool are refused, by the verifier and at the start.

use userpool::proto::{UserPool, UserPoolRestored, user_pool_event::Payload};

use super::{Written, assert_refused, assigned, created, deleted, removed, settings, updated};

const A: &str = "us-east-1_aaaaaaaaa";
const B: &str = "us-east-1_bbbbbbbbb";

/// The event that restores the first revision of a user pool without domains.
fn restored() -> UserPoolRestored {
    UserPoolRestored {
        restored_revision: 1,
        user_pool: Some(settings(A, None)),
        ..UserPoolRestored::default()
    }
}

fn with_domain(domain: &str) -> UserPoolRestored {
    UserPoolRestored {
        user_pool: Some(settings(A, Some(domain))),
        assigned_domains: vec![domain.to_owned()],
        ..restored()
    }
}

fn payload(restored: UserPoolRestored) -> Payload {
    Payload::UserPoolRestored(Box::new(restored))
}

/// The creation and an update of the user pool, and then this event.
fn after_update(restored: UserPoolRestored) -> Vec<Written<'static>> {
    vec![(A, 1, created(A)), (A, 2, updated(A, None)), (A, 3, payload(restored))]
}

/// The creation and the deletion of the user pool, and then this event.
fn after_deletion(restored: UserPoolRestored) -> Vec<Written<'static>> {
    vec![(A, 1, created(A)), (A, 2, deleted()), (A, 3, payload(restored))]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forged_revision_or_deletion_is_refused() {
    let nothing = |revision: i64| {
        format!("user pool {A} is restored to revision {revision}, which has no state")
    };
    let to = |restored_revision| UserPoolRestored { restored_revision, ..restored() };
    for revision in [-1, 0, 3, 4] {
        assert_refused([(nothing(revision).as_str(), after_update(to(revision)))]).await;
    }
    let back = UserPoolRestored { was_deleted: true, ..to(2) };
    assert_refused([(nothing(2).as_str(), after_deletion(back))]).await;

    let wrong =
        format!("the event that restores user pool {A} is wrong about whether it was deleted");
    let was_deleted = UserPoolRestored { was_deleted: true, ..restored() };
    assert_refused([
        (wrong.as_str(), after_update(was_deleted)),
        (wrong.as_str(), after_deletion(restored())),
    ])
    .await;
    let never = format!("user pool {A} is changed, but was never created");
    let events = vec![(B, 1, created(B)), (A, 1, payload(restored()))];
    assert_refused([(never.as_str(), events)]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_state_of_another_user_pool_is_refused() {
    let other = format!("the settings of user pool {A} have the ID of another one");
    for user_pool in [None, Some(settings(B, None))] {
        let events = after_update(UserPoolRestored { user_pool, ..restored() });
        assert_refused([(other.as_str(), events)]).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn domains_that_the_event_does_not_name_are_refused() {
    let others =
        format!("the event that restores user pool {A} names other domains than it changes");
    let names = |assigned: &[&str], removed: &[&str]| UserPoolRestored {
        assigned_domains: assigned.iter().map(|name| (*name).to_owned()).collect(),
        removed_domains: removed.iter().map(|name| (*name).to_owned()).collect(),
        ..with_domain("login")
    };
    for restored in [
        names(&[], &[]),
        names(&["signin"], &[]),
        names(&["login", "signin"], &[]),
        names(&["login"], &["signin"]),
        UserPoolRestored { user_pool: Some(settings(A, None)), ..names(&["login"], &[]) },
    ] {
        assert_refused([(others.as_str(), after_update(restored))]).await;
    }
    // The same name twice, as a prefix and as a custom domain.
    let twice = UserPool { custom_domain: Some("login".to_owned()), ..settings(A, Some("login")) };
    for assigned in [&["login"][..], &["login", "login"]] {
        let restored = UserPoolRestored { user_pool: Some(twice.clone()), ..names(assigned, &[]) };
        assert_refused([(others.as_str(), after_update(restored))]).await;
    }
    // The domain that it loses.
    let silent = vec![(A, 1, created(A)), (A, 2, assigned("login")), (A, 3, payload(restored()))];
    assert_refused([(others.as_str(), silent)]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_domain_of_another_user_pool_is_refused() {
    let taken = format!("domain login is assigned to user pool {A}, but another one owns it");
    let events = vec![
        (A, 1, created(A)),
        (A, 2, assigned("login")),
        (A, 3, removed("login")),
        (B, 1, created(B)),
        (B, 2, assigned("login")),
        (A, 4, payload(UserPoolRestored { restored_revision: 2, ..with_domain("login") })),
    ];
    assert_refused([(taken.as_str(), events)]).await;
    // What a restored user pool owns, no other one can take, and it cannot be deleted.
    let mut owned = after_deletion(UserPoolRestored { was_deleted: true, ..with_domain("login") });
    owned.push((B, 1, created(B)));
    let mut again = owned.clone();
    again.push((B, 2, assigned("login")));
    let taken = format!("domain login is assigned to user pool {B}, but another one owns it");
    assert_refused([(taken.as_str(), again)]).await;
    owned.push((A, 4, deleted()));
    let has = format!("user pool {A} is deleted while it has a domain");
    assert_refused([(has.as_str(), owned)]).await;
}
