//! The business rules are pure functions: every command on a user pool in every state
//! leads to the events, or the rejection, that is written here.

mod decisions;
mod defaults;
mod later;
mod recorded;
mod updates;

use prost_types::Timestamp;
use userpool::{
    proto::{
        CreateUserPoolRequest, DescribeUserPoolDomainRequest, DescribeUserPoolRequest,
        UpdateUserPoolRequest, UserPool,
    },
    user_pool::{
        CheckedCommand, Command, DomainName, DomainOwners, Event, Facts, Limits, Rejection,
        UserPoolId, UserPoolState, decide, evolve,
    },
};

use crate::support::domain;

const ID: &str = "us-east-1_AbCdEfGhI";

/// A user pool with a history, and the facts that the rules also use.
#[derive(Debug)]
struct Scenario {
    state: UserPoolState,
    facts: Facts,
}

/// The decision of the rules.
#[derive(Debug)]
struct Decision {
    scenario: Scenario,
    decided: Result<Vec<Event>, Rejection>,
}

/// The user pool after `commands`, with one event per second.
fn given(commands: impl IntoIterator<Item = Command>) -> Scenario {
    let facts = Facts {
        user_pool_id: id(ID),
        revision: 0,
        domain_owners: DomainOwners::new(),
        user_pool_count: 0,
        limits: Limits::default(),
    };
    let start = Scenario { state: UserPoolState::Absent, facts };
    commands.into_iter().fold(start, |scenario, command| scenario.when(command).evolved())
}

impl Scenario {
    /// The prefix in the command belongs to another user pool.
    fn with_the_prefix_taken(mut self) -> Self {
        let another = id("us-east-1_Another00");
        let names = ["people-login", "another", "a"].map(str::to_owned);
        self.facts.domain_owners = names.map(|name| (name, another.clone())).into();
        self
    }

    /// There are this many user pools, which is also the limit.
    fn with_user_pools(mut self, count: u64, limit: u64) -> Self {
        self.facts.user_pool_count = count;
        self.facts.limits.user_pools = limit;
        self
    }

    fn when(self, command: Command) -> Decision {
        self.decide(None, command)
    }

    /// The caller expects the user pool at `revision`.
    fn when_expecting(self, revision: i64, command: Command) -> Decision {
        self.decide(Some(revision), command)
    }

    fn decide(self, expected_revision: Option<i64>, command: Command) -> Decision {
        let decided = decide(&self.state, &self.facts, expected_revision, command);
        Decision { scenario: self, decided }
    }

    fn user_pool(&self) -> &UserPool {
        self.state.user_pool().expect("a user pool")
    }
}

impl Decision {
    fn then(self, expected: &Result<Vec<Event>, Rejection>) {
        assert_eq!(&self.decided, expected, "{:?}", self.scenario);
    }

    /// The user pool after the decided events.
    fn evolved(self) -> Scenario {
        let Scenario { mut state, mut facts } = self.scenario;
        for event in self.decided.expect("events") {
            facts.revision += 1;
            state = evolve(state, event, second(facts.revision));
        }
        Scenario { state, facts }
    }

    /// The settings in the single event.
    fn settings(self) -> UserPool {
        let mut events = self.decided.expect("events");
        assert_eq!(events.len(), 1, "{events:?}");
        match events.remove(0) {
            Event::UserPoolCreated(created) => created.user_pool.expect("a user pool"),
            Event::UserPoolUpdated(updated) => updated.user_pool.expect("a user pool"),
            Event::UserPoolRestored(restored) => restored.user_pool.expect("a user pool"),
            event @ (Event::UserPoolDeleted(_)
            | Event::UserPoolDomainCreated(_)
            | Event::UserPoolDomainUpdated(_)
            | Event::UserPoolDomainDeleted(_)
            | Event::UserPoolTagged(_)
            | Event::UserPoolUntagged(_)
            | Event::CustomAttributesAdded(_)
            | Event::UserPoolMfaConfigSet(_)) => unreachable!("{event:?} carries no settings"),
        }
    }

    /// The changed paths in the single update.
    fn changed_paths(self) -> Vec<String> {
        match self.decided.expect("events").as_slice() {
            [Event::UserPoolUpdated(updated)] => updated.changed_paths.clone(),
            events => unreachable!("{events:?} is not one update"),
        }
    }

    /// The fields that were refused.
    fn refused_fields(self) -> Vec<String> {
        let Err(Rejection::Invalid(invalid)) = self.decided else {
            unreachable!("{:?} names no fields", self.decided)
        };
        invalid.violations().iter().map(|violation| violation.field.clone()).collect()
    }
}

fn id(id: &str) -> UserPoolId {
    let user_pool_id = Some(id.to_owned());
    UserPoolId::parse(DescribeUserPoolRequest {
        user_pool_id,
        ..DescribeUserPoolRequest::default()
    })
    .expect("a legal ID")
}

fn second(seconds: i64) -> Timestamp {
    Timestamp { seconds, nanos: 0 }
}

fn prefix(text: &str) -> DomainName {
    DomainName::parse(DescribeUserPoolDomainRequest {
        domain: Some(text.to_owned()),
        ..DescribeUserPoolDomainRequest::default()
    })
    .expect("a prefix")
}

fn create(request: CreateUserPoolRequest) -> Command {
    CheckedCommand::create_user_pool(request, &Limits::default()).expect("a legal request").command
}

fn update(request: UpdateUserPoolRequest) -> Command {
    let request = UpdateUserPoolRequest { user_pool_id: Some(ID.to_owned()), ..request };
    CheckedCommand::update_user_pool(request).expect("a legal request").command
}

/// An update of only the named settings.
fn update_only(paths: &[&str], request: UpdateUserPoolRequest) -> Command {
    let update_mask = paths.iter().map(|path| (*path).to_owned()).collect();
    update(UpdateUserPoolRequest { update_mask, ..request })
}

fn assign(prefix_text: &str) -> Command {
    CheckedCommand::create_user_pool_domain(domain(prefix_text, ID))
        .expect("a legal request")
        .command
}

fn release(prefix_text: &str) -> Command {
    Command::DeleteDomain(prefix(prefix_text))
}
