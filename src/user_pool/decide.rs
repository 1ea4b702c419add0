//! The business rules: decide which events a command leads to, or why it is refused.

use crate::proto::{
    UserPool, UserPoolCreated, UserPoolDeleted, UserPoolDomainDeleted, UserPoolUpdated,
};

use super::{
    Command, DomainName, DomainOwners, Event, InvalidRequest, Limits, RestoreUserPool,
    UpdateUserPool, UserPoolId, UserPoolState, check::Check, custom_attributes, defaults, domain,
    fields, is_protected, mfa, paths, semantics, tags,
};

/// The facts that the rules need beyond the state of the user pool.
#[derive(Debug, Clone)]
pub struct Facts {
    /// The ID of the user pool, also for a new one.
    pub user_pool_id: UserPoolId,
    /// The revision of the user pool; 0 for a new one.
    pub revision: i64,
    /// The owners of the domains that the command [assigns](Command::assigned_domains).
    pub domain_owners: DomainOwners,
    /// How many user pools there are.
    pub user_pool_count: u64,
    /// The limits.
    pub limits: Limits,
}

/// Why a command is refused. Nothing was recorded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// The user pool never existed. The command may succeed after it is created.
    #[error("User pool {user_pool_id} does not exist.")]
    NotFound {
        /// The ID in the request.
        user_pool_id: UserPoolId,
    },
    /// The user pool was deleted. `RestoreUserPool` brings it back.
    #[error("User pool {user_pool_id} does not exist.")]
    Deleted {
        /// The ID in the request.
        user_pool_id: UserPoolId,
        /// The last revision.
        revision: i64,
    },
    /// The generated ID of a new user pool is in use. Try again with another one.
    #[error("the user pool ID {user_pool_id} is in use")]
    IdInUse {
        /// The ID.
        user_pool_id: UserPoolId,
    },
    /// The user pool has another revision than expected. Read it again, then try again.
    #[error(
        "User pool {user_pool_id} is at revision {current}, but the request expects {expected}."
    )]
    RevisionMismatch {
        /// The user pool.
        user_pool_id: UserPoolId,
        /// The revision that the request expects.
        expected: i64,
        /// The revision of the user pool.
        current: i64,
    },
    /// The user pool has a domain of this kind, and cannot have a second one. Delete that one
    /// first.
    #[error("User pool already has a domain configured.")]
    DomainConfigured {
        /// The user pool.
        user_pool_id: UserPoolId,
        /// The domain that it has.
        domain: String,
    },
    /// Another user pool owns the domain. Choose another one.
    #[error("Domain already associated with another user pool.")]
    DomainTaken {
        /// The domain.
        domain: DomainName,
    },
    /// Another user pool owns a domain of the revision to restore. Restore without the domains,
    /// or delete the domain there first.
    #[error(
        "Domain {domain} of revision {revision} is now associated with user pool {owner}. Delete \
         it there first, or restore without the domains (restore_domain)."
    )]
    RestoredDomainTaken {
        /// The domain.
        domain: String,
        /// The revision to restore.
        revision: i64,
        /// The user pool that owns the domain.
        owner: UserPoolId,
    },
    /// The user pool does not own the domain.
    #[error("No such domain or user pool exists.")]
    DomainNotFound {
        /// The user pool.
        user_pool_id: UserPoolId,
        /// The domain.
        domain: DomainName,
    },
    /// The user pool has a domain. Delete the domain first.
    #[error(
        "User pool cannot be deleted. It has a domain configured that should be deleted first."
    )]
    HasDomain {
        /// The user pool.
        user_pool_id: UserPoolId,
        /// The domain that it has.
        domain: String,
    },
    /// The user pool is protected from deletion. Deactivate the protection first.
    #[error(
        "The user pool cannot be deleted because deletion protection is activated. Deletion \
         protection must be inactivated first."
    )]
    DeletionProtected {
        /// The user pool.
        user_pool_id: UserPoolId,
    },
    /// The server has the maximum number of user pools.
    #[error("Maximum number of user pools exceeded: the limit is {limit}.")]
    TooManyUserPools {
        /// The maximum.
        limit: u64,
    },
    /// The settings after the update would break rules.
    #[error(transparent)]
    Invalid(#[from] InvalidRequest),
}

impl Facts {
    /// Checks that there is space for one more user pool.
    fn check_user_pool_count(&self) -> Result<(), Rejection> {
        let limit = self.limits.user_pools;
        if self.user_pool_count < limit {
            Ok(())
        } else {
            Err(Rejection::TooManyUserPools { limit })
        }
    }
}

/// Decides which events a command leads to. One that changes nothing leads to none.
///
/// # Errors
/// The first business rule that the command breaks.
pub fn decide(
    state: &UserPoolState,
    facts: &Facts,
    expected_revision: Option<i64>,
    command: Command,
) -> Result<Vec<Event>, Rejection> {
    let user_pool_id = facts.user_pool_id.clone();
    match (state, command) {
        (UserPoolState::Absent, Command::Create(create)) => {
            facts.check_user_pool_count()?;
            let id = Some(user_pool_id.to_string());
            let user_pool = Some(UserPool { id, ..defaults::new_user_pool(*create.requested) });
            Ok(vec![Event::UserPoolCreated(Box::new(UserPoolCreated { user_pool }))])
        }
        (UserPoolState::Active(_) | UserPoolState::Deleted(_), Command::Create(_)) => {
            Err(Rejection::IdInUse { user_pool_id })
        }
        (UserPoolState::Active(pool), Command::Update(update)) => {
            expect_revision(facts, expected_revision)?;
            decide_update(pool, update, &facts.limits)
        }
        (UserPoolState::Active(pool), Command::Delete) => {
            expect_revision(facts, expected_revision)?;
            if is_protected(pool) {
                return Err(Rejection::DeletionProtected { user_pool_id });
            }
            match pool.domain.as_ref().or(pool.custom_domain.as_ref()) {
                Some(domain) => Err(Rejection::HasDomain { user_pool_id, domain: domain.clone() }),
                None => Ok(vec![Event::UserPoolDeleted(UserPoolDeleted {})]),
            }
        }
        (UserPoolState::Active(pool), Command::CreateDomain(create)) => {
            expect_revision(facts, expected_revision)?;
            if let Some(domain) = create.configured(pool).cloned() {
                return Err(Rejection::DomainConfigured { user_pool_id, domain });
            }
            if facts.domain_owners.contains_key(create.name().as_str()) {
                return Err(Rejection::DomainTaken { domain: create.name().clone() });
            }
            Ok(vec![create.event()])
        }
        (UserPoolState::Active(pool), Command::UpdateDomain(update)) => {
            expect_revision(facts, expected_revision)?;
            match domain::domain_settings(pool, update.name.as_str()) {
                Some(settings) => Ok(update.decide(&settings)?),
                None => Err(Rejection::DomainNotFound { user_pool_id, domain: update.name }),
            }
        }
        (UserPoolState::Active(pool), Command::DeleteDomain(domain)) => {
            expect_revision(facts, expected_revision)?;
            if domain::domain_settings(pool, domain.as_str()).is_none() {
                return Err(Rejection::DomainNotFound { user_pool_id, domain });
            }
            let domain = domain.to_string();
            Ok(vec![Event::UserPoolDomainDeleted(UserPoolDomainDeleted { domain })])
        }
        (UserPoolState::Active(pool), Command::Tag(tags)) => {
            expect_revision(facts, expected_revision)?;
            Ok(tags::decide_tag(pool, tags, &facts.limits)?)
        }
        (UserPoolState::Active(pool), Command::Untag(tag_keys)) => {
            expect_revision(facts, expected_revision)?;
            Ok(tags::decide_untag(pool, tag_keys))
        }
        (UserPoolState::Active(pool), Command::AddCustomAttributes(attributes)) => {
            expect_revision(facts, expected_revision)?;
            Ok(custom_attributes::decide(pool, attributes, &facts.limits)?)
        }
        (UserPoolState::Active(pool), Command::SetMfaConfig(set)) => {
            expect_revision(facts, expected_revision)?;
            Ok(mfa::decide(pool, set)?)
        }
        (UserPoolState::Active(pool) | UserPoolState::Deleted(pool), Command::Restore(restore)) => {
            expect_revision(facts, expected_revision)?;
            decide_restore(pool, state.user_pool().is_none(), &restore, facts)
        }
        (UserPoolState::Absent | UserPoolState::Deleted(_), Command::DeleteDomain(domain)) => {
            Err(Rejection::DomainNotFound { user_pool_id, domain })
        }
        (
            UserPoolState::Absent,
            Command::Update(_)
            | Command::Delete
            | Command::CreateDomain(_)
            | Command::UpdateDomain(_)
            | Command::Tag(_)
            | Command::Untag(_)
            | Command::AddCustomAttributes(_)
            | Command::SetMfaConfig(_)
            | Command::Restore(_),
        ) => Err(Rejection::NotFound { user_pool_id }),
        (
            UserPoolState::Deleted(_),
            Command::Update(_)
            | Command::Delete
            | Command::CreateDomain(_)
            | Command::UpdateDomain(_)
            | Command::Tag(_)
            | Command::Untag(_)
            | Command::AddCustomAttributes(_)
            | Command::SetMfaConfig(_),
        ) => Err(Rejection::Deleted { user_pool_id, revision: facts.revision }),
    }
}

fn decide_update(
    current: &UserPool,
    update: UpdateUserPool,
    limits: &Limits,
) -> Result<Vec<Event>, Rejection> {
    let UpdateUserPool { requested, mask } = update;
    let merged = defaults::merged(current, &requested, &mask);
    Check::run(|check| fields::merged_settings(check, &merged))?;
    let mut violations = semantics::settings(&merged, Some(current), limits);
    violations.extend(semantics::update(&requested, &merged));
    InvalidRequest::semantics(violations)?;
    let changed_paths = paths::changed(current, &merged);
    if changed_paths.is_empty() {
        return Ok(Vec::new());
    }
    // `evolve` sets the modification date to the time of the event.
    let user_pool = Some(UserPool { last_modified_date: None, ..merged });
    Ok(vec![Event::UserPoolUpdated(Box::new(UserPoolUpdated { changed_paths, user_pool }))])
}

fn decide_restore(
    current: &UserPool,
    was_deleted: bool,
    restore: &RestoreUserPool,
    facts: &Facts,
) -> Result<Vec<Event>, Rejection> {
    if was_deleted {
        facts.check_user_pool_count()?;
    }
    if let Some((domain, owner)) = restore.taken_domain(&facts.user_pool_id, &facts.domain_owners) {
        let revision = restore.revision();
        return Err(Rejection::RestoredDomainTaken { domain, revision, owner });
    }
    Ok(restore.decide(current, was_deleted, &facts.limits)?)
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
