//! The business rules: a state and a command in, events or a refusal out.

use crate::proto::{
    UserPool, UserPoolCreated, UserPoolDeleted, UserPoolDomainCreated, UserPoolDomainDeleted,
    UserPoolUpdated,
};

use super::{
    Command, DomainPrefix, Event, Invalid, Limits, UpdateUserPool, UserPoolId, UserPoolState,
    check::Check, fields, paths, semantics, settle,
};

/// What the rules need to know beyond the user pool itself.
#[derive(Debug, Clone)]
pub struct Facts {
    /// The ID of the user pool, also of one that is to be created.
    pub user_pool_id: UserPoolId,
    /// How many events the user pool has.
    pub revision: i64,
    /// The user pool that has the domain prefix that the command names.
    pub domain_owner: Option<UserPoolId>,
    /// How many user pools there are.
    pub user_pool_count: u64,
    /// What Cognito limits.
    pub limits: Limits,
}

/// A business rule said no. Nothing was recorded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// There never was such a user pool. The same command may succeed once there is.
    #[error("User pool {user_pool_id} does not exist.")]
    NotFound {
        /// The ID that was asked for.
        user_pool_id: UserPoolId,
    },
    /// The user pool was deleted, for good.
    #[error("User pool {user_pool_id} does not exist.")]
    Deleted {
        /// The ID that was asked for.
        user_pool_id: UserPoolId,
        /// The last revision.
        revision: i64,
    },
    /// The ID of a new user pool is in use. Try again with a fresh one.
    #[error("the user pool ID {user_pool_id} is in use")]
    IdInUse {
        /// The ID.
        user_pool_id: UserPoolId,
    },
    /// The user pool is at another revision. Read it again, then decide again.
    #[error(
        "User pool {user_pool_id} is at revision {current}, but the request expects {expected}."
    )]
    RevisionMismatch {
        /// The user pool.
        user_pool_id: UserPoolId,
        /// The revision that the request names.
        expected: i64,
        /// The revision that it has.
        current: i64,
    },
    /// A user pool has one domain at most: delete it first.
    #[error("User pool already has a domain configured.")]
    DomainConfigured {
        /// The user pool.
        user_pool_id: UserPoolId,
        /// The domain that it has.
        domain: String,
    },
    /// Another user pool has the domain prefix. Choose another, or free that one.
    #[error("Domain already associated with another user pool.")]
    DomainTaken {
        /// The prefix.
        domain: DomainPrefix,
    },
    /// The domain prefix does not belong to this user pool.
    #[error("No such domain or user pool exists.")]
    DomainNotFound {
        /// The user pool.
        user_pool_id: UserPoolId,
        /// The prefix.
        domain: DomainPrefix,
    },
    /// A user pool with a domain cannot be deleted: delete the domain first.
    #[error(
        "User pool cannot be deleted. It has a domain configured that should be deleted first."
    )]
    HasDomain {
        /// The user pool.
        user_pool_id: UserPoolId,
        /// The domain that it has.
        domain: String,
    },
    /// There are as many user pools as the server allows.
    #[error("Maximum number of user pools exceeded: the limit is {limit}.")]
    TooManyUserPools {
        /// How many.
        limit: u64,
    },
    /// The settings that the change would lead to break rules.
    #[error(transparent)]
    Invalid(#[from] Invalid),
}

/// Decides which events a command leads to. An update that changes nothing leads
/// to none.
///
/// # Errors
/// The first business rule that says no.
pub fn decide(
    state: &UserPoolState,
    facts: &Facts,
    expected_revision: Option<i64>,
    command: Command,
) -> Result<Vec<Event>, Rejection> {
    let user_pool_id = facts.user_pool_id.clone();
    match (state, command) {
        (UserPoolState::Absent, Command::Create(create)) => {
            let limit = facts.limits.user_pools;
            if facts.user_pool_count >= limit {
                return Err(Rejection::TooManyUserPools { limit });
            }
            let id = Some(user_pool_id.to_string());
            let user_pool = Some(UserPool { id, ..settle::new_user_pool(*create.requested) });
            Ok(vec![Event::UserPoolCreated(Box::new(UserPoolCreated { user_pool }))])
        }
        (UserPoolState::Active(_) | UserPoolState::Deleted, Command::Create(_)) => {
            Err(Rejection::IdInUse { user_pool_id })
        }
        (UserPoolState::Active(pool), Command::Update(update)) => {
            expect_revision(facts, expected_revision)?;
            decide_update(pool, update, &facts.limits)
        }
        (UserPoolState::Active(pool), Command::Delete) => {
            expect_revision(facts, expected_revision)?;
            match &pool.domain {
                Some(domain) => Err(Rejection::HasDomain { user_pool_id, domain: domain.clone() }),
                None => Ok(vec![Event::UserPoolDeleted(UserPoolDeleted {})]),
            }
        }
        (UserPoolState::Active(pool), Command::CreateDomain(domain)) => {
            expect_revision(facts, expected_revision)?;
            if let Some(domain) = pool.domain.clone() {
                return Err(Rejection::DomainConfigured { user_pool_id, domain });
            }
            if facts.domain_owner.is_some() {
                return Err(Rejection::DomainTaken { domain });
            }
            let domain = domain.to_string();
            Ok(vec![Event::UserPoolDomainCreated(UserPoolDomainCreated { domain })])
        }
        (UserPoolState::Active(pool), Command::DeleteDomain(domain)) => {
            expect_revision(facts, expected_revision)?;
            if pool.domain.as_deref() != Some(domain.as_str()) {
                return Err(Rejection::DomainNotFound { user_pool_id, domain });
            }
            let domain = domain.to_string();
            Ok(vec![Event::UserPoolDomainDeleted(UserPoolDomainDeleted { domain })])
        }
        (UserPoolState::Absent | UserPoolState::Deleted, Command::DeleteDomain(domain)) => {
            Err(Rejection::DomainNotFound { user_pool_id, domain })
        }
        (
            UserPoolState::Absent,
            Command::Update(_) | Command::Delete | Command::CreateDomain(_),
        ) => Err(Rejection::NotFound { user_pool_id }),
        (
            UserPoolState::Deleted,
            Command::Update(_) | Command::Delete | Command::CreateDomain(_),
        ) => Err(Rejection::Deleted { user_pool_id, revision: facts.revision }),
    }
}

fn decide_update(
    current: &UserPool,
    update: UpdateUserPool,
    limits: &Limits,
) -> Result<Vec<Event>, Rejection> {
    let UpdateUserPool { requested, mask } = update;
    let merged = settle::merged(current, &requested, &mask);
    Check::run(|check| fields::merged_settings(check, &merged))?;
    Invalid::semantics(semantics::settings(&merged, limits))?;
    let changed_paths = paths::changed(current, &merged);
    if changed_paths.is_empty() {
        return Ok(Vec::new());
    }
    // When it was modified is when the event is recorded; see `evolve`.
    let user_pool = Some(UserPool { last_modified_date: None, ..merged });
    Ok(vec![Event::UserPoolUpdated(Box::new(UserPoolUpdated { changed_paths, user_pool }))])
}

fn expect_revision(facts: &Facts, expected: Option<i64>) -> Result<(), Rejection> {
    match expected {
        Some(expected) if expected != facts.revision => Err(Rejection::RevisionMismatch {
            user_pool_id: facts.user_pool_id.clone(),
            expected,
            current: facts.revision,
        }),
        Some(_) | None => Ok(()),
    }
}
