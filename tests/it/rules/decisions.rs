//! Every command in every state: absent, active, active with a domain, deleted.

use prost_types::Timestamp;
use userpool::{
    proto::{UpdateUserPoolRequest, UserPoolDeleted, UserPoolDomainCreated, UserPoolDomainDeleted},
    user_pool::{Command, Event, Rejection, UserPoolState, evolve},
};

use crate::support::named;

use super::{
    ID, Scenario, assign, create, given, id, prefix, release, second, update, update_only,
};

fn absent() -> Scenario {
    given([])
}

fn active() -> Scenario {
    given([create(named("people"))])
}

fn active_with_domain() -> Scenario {
    given([create(named("people")), assign("people-login")])
}

fn deleted() -> Scenario {
    given([create(named("people")), Command::Delete])
}

fn retag() -> Command {
    let user_pool_tags = [("team".to_owned(), "people".to_owned())].into();
    update(UpdateUserPoolRequest { user_pool_tags, ..Default::default() })
}

fn assigned(domain: &str) -> Event {
    Event::UserPoolDomainCreated(UserPoolDomainCreated {
        domain: domain.to_owned(),
        settings: None,
    })
}

fn released(domain: &str) -> Event {
    Event::UserPoolDomainDeleted(UserPoolDomainDeleted { domain: domain.to_owned() })
}

fn not_found() -> Rejection {
    Rejection::NotFound { user_pool_id: id(ID) }
}

fn was_deleted() -> Rejection {
    Rejection::Deleted { user_pool_id: id(ID), revision: 2 }
}

fn no_such_domain(domain: &str) -> Rejection {
    Rejection::DomainNotFound { user_pool_id: id(ID), domain: prefix(domain) }
}

#[test]
fn a_user_pool_is_created_with_its_id() {
    let settings = absent().when(create(named("people"))).settings();
    assert_eq!(settings.id.as_deref(), Some(ID));
    assert_eq!(settings.name.as_deref(), Some("people"));
}

#[test]
fn the_id_of_a_user_pool_is_never_reused() {
    for scenario in [active(), active_with_domain(), deleted()] {
        let in_use = Rejection::IdInUse { user_pool_id: id(ID) };
        scenario.when(create(named("others"))).then(&Err(in_use));
    }
}

#[test]
fn as_many_user_pools_as_the_limit_can_be_created() {
    let create = || create(named("people"));
    absent().with_user_pools(9, 10).when(create()).settings();
    let too_many = Rejection::TooManyUserPools { limit: 10 };
    absent().with_user_pools(10, 10).when(create()).then(&Err(too_many.clone()));
    absent().with_user_pools(11, 10).when(create()).then(&Err(too_many));
}

#[test]
fn at_the_limit_existing_user_pools_can_be_changed() {
    active().with_user_pools(10, 10).when(retag()).settings();
    active()
        .with_user_pools(10, 10)
        .when(Command::Delete)
        .then(&Ok(vec![Event::UserPoolDeleted(UserPoolDeleted {})]));
}

#[test]
fn a_user_pool_that_never_existed_cannot_be_changed() {
    for command in [retag(), Command::Delete, assign("people-login")] {
        absent().when(command).then(&Err(not_found()));
    }
    absent().when(release("people-login")).then(&Err(no_such_domain("people-login")));
}

#[test]
fn a_user_pool_that_never_existed_has_no_revision() {
    for command in [retag(), Command::Delete, assign("people-login")] {
        absent().when_expecting(1, command).then(&Err(not_found()));
    }
}

#[test]
fn a_deleted_user_pool_stays_deleted() {
    for command in [retag(), Command::Delete, assign("people-login")] {
        deleted().when(command.clone()).then(&Err(was_deleted()));
        deleted().when_expecting(2, command).then(&Err(was_deleted()));
    }
    deleted().when(release("people-login")).then(&Err(no_such_domain("people-login")));
}

#[test]
fn an_active_user_pool_can_be_updated() {
    for scenario in [active(), active_with_domain()] {
        let domain = scenario.user_pool().domain.clone();
        let settings = scenario.when(retag()).settings();
        assert_eq!(settings.user_pool_tags["team"], "people");
        assert_eq!(settings.domain, domain);
    }
}

#[test]
fn a_user_pool_without_a_domain_can_be_deleted() {
    let deleted = Event::UserPoolDeleted(UserPoolDeleted {});
    active().when(Command::Delete).then(&Ok(vec![deleted.clone()]));
    given([create(named("people")), assign("people-login"), release("people-login")])
        .when(Command::Delete)
        .then(&Ok(vec![deleted]));
}

#[test]
fn a_user_pool_with_a_domain_cannot_be_deleted() {
    let domain = "people-login".to_owned();
    active_with_domain()
        .when(Command::Delete)
        .then(&Err(Rejection::HasDomain { user_pool_id: id(ID), domain }));
}

#[test]
fn a_free_prefix_can_be_taken() {
    active().when(assign("people-login")).then(&Ok(vec![assigned("people-login")]));
}

#[test]
fn a_prefix_belongs_to_only_one_user_pool() {
    active()
        .with_the_prefix_taken()
        .when(assign("people-login"))
        .then(&Err(Rejection::DomainTaken { domain: prefix("people-login") }));
}

#[test]
fn a_user_pool_has_only_one_domain() {
    let configured = || {
        let domain = "people-login".to_owned();
        Err(Rejection::DomainConfigured { user_pool_id: id(ID), domain })
    };
    active_with_domain().when(assign("another")).then(&configured());
    // Even if it assigns its own prefix again, or one that is taken.
    active_with_domain().when(assign("people-login")).then(&configured());
    active_with_domain().with_the_prefix_taken().when(assign("another")).then(&configured());
}

#[test]
fn a_user_pool_releases_only_its_own_domain() {
    active_with_domain().when(release("people-login")).then(&Ok(vec![released("people-login")]));
    active_with_domain().when(release("another")).then(&Err(no_such_domain("another")));
    active().when(release("people-login")).then(&Err(no_such_domain("people-login")));
    active()
        .with_the_prefix_taken()
        .when(release("people-login"))
        .then(&Err(no_such_domain("people-login")));
}

#[test]
fn a_command_that_expects_the_current_revision_passes() {
    active().when_expecting(1, retag()).settings();
    active()
        .when_expecting(1, Command::Delete)
        .then(&Ok(vec![Event::UserPoolDeleted(UserPoolDeleted {})]));
    active().when_expecting(1, assign("free")).then(&Ok(vec![assigned("free")]));
    active_with_domain()
        .when_expecting(2, release("people-login"))
        .then(&Ok(vec![released("people-login")]));
}

#[test]
fn a_revision_mismatch_comes_before_any_other_rule() {
    // Each of these breaks another rule as well, or changes nothing.
    let nothing = || update_only(&["policies"], UpdateUserPoolRequest::default());
    let commands =
        [retag(), nothing(), Command::Delete, assign("another"), release("another"), assign("a")];
    for command in commands {
        for expected in [1, 3, i64::MAX] {
            let user_pool_id = id(ID);
            active_with_domain()
                .with_the_prefix_taken()
                .when_expecting(expected, command.clone())
                .then(&Err(Rejection::RevisionMismatch { user_pool_id, expected, current: 2 }));
        }
    }
}

#[test]
fn a_rejection_has_cognitos_text() {
    let text = |rejection: Rejection| rejection.to_string();
    assert_eq!(text(not_found()), format!("User pool {ID} does not exist."));
    assert_eq!(text(was_deleted()), format!("User pool {ID} does not exist."));
    assert_eq!(text(no_such_domain("people-login")), "No such domain or user pool exists.");
    let (user_pool_id, domain) = (id(ID), "people-login".to_owned());
    assert_eq!(
        text(Rejection::HasDomain { user_pool_id, domain }),
        "User pool cannot be deleted. It has a domain configured that should be deleted first."
    );
    let (user_pool_id, domain) = (id(ID), "people-login".to_owned());
    assert_eq!(
        text(Rejection::DomainConfigured { user_pool_id, domain }),
        "User pool already has a domain configured."
    );
    assert_eq!(
        text(Rejection::DomainTaken { domain: prefix("people-login") }),
        "Domain already associated with another user pool."
    );
}

#[test]
fn a_domain_change_does_not_modify_the_user_pool() {
    let with = active_with_domain();
    assert_eq!(with.user_pool().domain.as_deref(), Some("people-login"));
    assert_eq!(with.user_pool().last_modified_date, Some(second(1)));
    let without = with.when(release("people-login")).evolved();
    assert_eq!(without.user_pool(), active().user_pool());
}

#[test]
fn only_its_creation_makes_a_user_pool_active() {
    for state in [UserPoolState::Absent, deleted().state] {
        for event in [assigned("people-login"), released("people-login")] {
            assert_eq!(evolve(state.clone(), event, Timestamp::default()), state);
        }
    }
}
