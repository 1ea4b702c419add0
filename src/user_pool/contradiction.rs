//! The events that no command could have recorded.

use crate::proto::UserPoolRestored;

use super::{
    DomainOwners, Event, UserPoolId,
    domain::{domain_names, is_custom, states_domain},
};

/// Why an event contradicts the events before it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Contradiction {
    /// A revision is missing or repeated.
    #[error("revision {found} of user pool {user_pool_id} follows revision {last}")]
    Revision {
        /// The user pool.
        user_pool_id: UserPoolId,
        /// The revision before the event.
        last: i64,
        /// The revision of the event.
        found: i64,
    },
    /// A user pool is created twice.
    #[error("user pool {0} is created again")]
    CreatedAgain(UserPoolId),
    /// A user pool is created with a domain, which only later events assign.
    #[error("user pool {0} is created with a domain")]
    CreatedWithDomain(UserPoolId),
    /// A user pool is changed that was never created.
    #[error("user pool {0} is changed, but was never created")]
    NeverCreated(UserPoolId),
    /// A user pool is changed after its deletion.
    #[error("user pool {0} is changed after its deletion")]
    ChangedAfterDeletion(UserPoolId),
    /// A user pool is deleted while it has a domain.
    #[error("user pool {0} is deleted while it has a domain")]
    DeletedWithDomain(UserPoolId),
    /// A user pool is deleted while it is protected from deletion.
    #[error("user pool {0} is deleted while it is protected from deletion")]
    DeletedWhileProtected(UserPoolId),
    /// The event has the settings of another user pool.
    #[error("the settings of user pool {0} have the ID of another one")]
    OtherId(UserPoolId),
    /// An update changes the domain.
    #[error("an update changes the domain of user pool {0}")]
    DomainUpdated(UserPoolId),
    /// A user pool gets a second domain.
    #[error("user pool {0} gets a second domain")]
    SecondDomain(UserPoolId),
    /// A domain gets a second owner.
    #[error("domain {domain} is assigned to user pool {user_pool_id}, but another one owns it")]
    DomainTaken {
        /// The user pool.
        user_pool_id: UserPoolId,
        /// The domain.
        domain: String,
    },
    /// The domain that is updated belongs to another user pool, or to none.
    #[error("domain {domain} of user pool {user_pool_id} is updated, which does not own it")]
    UpdatedDomainNotOwned {
        /// The user pool.
        user_pool_id: UserPoolId,
        /// The domain.
        domain: String,
    },
    /// The certificate of a domain prefix is set, or that of a custom domain is removed.
    #[error("an update of domain {domain} of user pool {user_pool_id} changes its kind")]
    DomainKindChanged {
        /// The user pool.
        user_pool_id: UserPoolId,
        /// The domain.
        domain: String,
    },
    /// A user pool loses a domain that it does not have.
    #[error("domain {domain} is removed from user pool {user_pool_id}, which does not own it")]
    DomainNotOwned {
        /// The user pool.
        user_pool_id: UserPoolId,
        /// The domain.
        domain: String,
    },
    /// The revision that is restored is not an earlier one, or is a deletion.
    #[error("user pool {user_pool_id} is restored to revision {restored}, which has no state")]
    RestoredRevision {
        /// The user pool.
        user_pool_id: UserPoolId,
        /// The revision that is restored.
        restored: i64,
    },
    /// An event that restores a user pool is wrong about whether it was deleted.
    #[error("the event that restores user pool {0} is wrong about whether it was deleted")]
    RestoredDeletion(UserPoolId),
    /// An event that restores a user pool names other domains than those that it changes.
    #[error("the event that restores user pool {0} names other domains than it changes")]
    RestoredDomains(UserPoolId),
}

/// The facts before an event.
#[derive(Debug)]
pub struct EventFacts<'a> {
    /// The user pool of the event.
    pub user_pool_id: &'a UserPoolId,
    /// The domain prefix of the user pool.
    pub domain: Option<&'a str>,
    /// Its custom domain.
    pub custom_domain: Option<&'a str>,
    /// Whether it is protected from deletion.
    pub is_protected: bool,
    /// Whether it was deleted.
    pub deleted: bool,
    /// Those of its revisions that are known to be deletions, beside the last one.
    pub deletions: &'a [i64],
    /// The revision of the user pool; 0 if it was never created.
    pub revision: i64,
    /// The revision of the event.
    pub event_revision: i64,
    /// The owners of the domains that the event assigns.
    pub domain_owners: DomainOwners,
}

/// Checks that a command could have recorded this event.
///
/// # Errors
/// The first contradiction.
pub fn check_event(facts: &EventFacts<'_>, event: &Event) -> Result<(), Contradiction> {
    let EventFacts { user_pool_id, domain, custom_domain, is_protected, deleted, .. } = *facts;
    let last = facts.revision;
    let owns = |name: &str| domain == Some(name) || custom_domain == Some(name);
    let id = || user_pool_id.clone();
    let found = facts.event_revision;
    if found != last.saturating_add(1) {
        return Err(Contradiction::Revision { user_pool_id: id(), last, found });
    }
    let has_other_id = |settings: Option<&str>| settings != Some(user_pool_id.as_str());
    let exists = last > 0;
    match event {
        Event::UserPoolCreated(_) if exists => return Err(Contradiction::CreatedAgain(id())),
        Event::UserPoolCreated(created) => {
            let settings = created.user_pool.as_ref();
            if has_other_id(settings.and_then(|pool| pool.id.as_deref())) {
                return Err(Contradiction::OtherId(id()));
            }
            if settings.is_some_and(states_domain) {
                return Err(Contradiction::CreatedWithDomain(id()));
            }
        }
        _ if !exists => return Err(Contradiction::NeverCreated(id())),
        Event::UserPoolRestored(restored) => check_restored(facts, restored)?,
        _ if deleted => return Err(Contradiction::ChangedAfterDeletion(id())),
        Event::UserPoolUpdated(updated) => {
            let settings = updated.user_pool.as_ref();
            if has_other_id(settings.and_then(|pool| pool.id.as_deref())) {
                return Err(Contradiction::OtherId(id()));
            }
            let domains = settings
                .map(|settings| (settings.domain.as_deref(), settings.custom_domain.as_deref()));
            if domains.unwrap_or_default() != (domain, custom_domain) {
                return Err(Contradiction::DomainUpdated(id()));
            }
        }
        Event::UserPoolDeleted(_) => {
            if is_protected {
                return Err(Contradiction::DeletedWhileProtected(id()));
            }
            if domain.or(custom_domain).is_some() {
                return Err(Contradiction::DeletedWithDomain(id()));
            }
        }
        Event::UserPoolDomainCreated(created) => {
            let is_custom = is_custom(created.settings.as_ref());
            if if is_custom { custom_domain } else { domain }.is_some() {
                return Err(Contradiction::SecondDomain(id()));
            }
            check_free(facts, &created.domain)?;
        }
        Event::UserPoolDomainUpdated(updated) => {
            if !owns(&updated.domain) {
                let domain = updated.domain.clone();
                return Err(Contradiction::UpdatedDomainNotOwned { user_pool_id: id(), domain });
            }
            let was_custom = custom_domain == Some(updated.domain.as_str());
            if is_custom(updated.settings.as_ref()) != was_custom {
                let domain = updated.domain.clone();
                return Err(Contradiction::DomainKindChanged { user_pool_id: id(), domain });
            }
        }
        Event::UserPoolDomainDeleted(deleted) => {
            if !owns(&deleted.domain) {
                let domain = deleted.domain.clone();
                return Err(Contradiction::DomainNotOwned { user_pool_id: id(), domain });
            }
        }
        Event::UserPoolTagged(_)
        | Event::UserPoolUntagged(_)
        | Event::CustomAttributesAdded(_)
        | Event::UserPoolMfaConfigSet(_) => (),
    }
    Ok(())
}

fn check_restored(
    facts: &EventFacts<'_>,
    restored: &UserPoolRestored,
) -> Result<(), Contradiction> {
    let EventFacts { user_pool_id, domain, custom_domain, deleted, revision: last, .. } = *facts;
    let id = || user_pool_id.clone();
    let revision = restored.restored_revision;
    let is_deletion = (deleted && revision == last) || facts.deletions.contains(&revision);
    if !(1..=last).contains(&revision) || is_deletion {
        let restored = revision;
        return Err(Contradiction::RestoredRevision { user_pool_id: id(), restored });
    }
    if restored.was_deleted != deleted {
        return Err(Contradiction::RestoredDeletion(id()));
    }
    let settings = restored.user_pool.as_ref();
    if settings.and_then(|pool| pool.id.as_deref()) != Some(user_pool_id.as_str()) {
        return Err(Contradiction::OtherId(id()));
    }
    let before: Vec<_> = [domain, custom_domain].into_iter().flatten().collect();
    let after: Vec<_> = settings.into_iter().flat_map(domain_names).collect();
    let has_twice = matches!(after.as_slice(), [prefix, custom] if prefix == custom);
    let assigned = after.iter().filter(|name| !before.contains(name)).copied();
    let removed = before.iter().filter(|name| !after.contains(name)).copied();
    if has_twice
        || !assigned.eq(restored.assigned_domains.iter().map(String::as_str))
        || !removed.eq(restored.removed_domains.iter().map(String::as_str))
    {
        return Err(Contradiction::RestoredDomains(id()));
    }
    restored.assigned_domains.iter().try_for_each(|domain| check_free(facts, domain))
}

fn check_free(facts: &EventFacts<'_>, domain: &str) -> Result<(), Contradiction> {
    if !facts.domain_owners.contains_key(domain) {
        return Ok(());
    }
    let (user_pool_id, domain) = (facts.user_pool_id.clone(), domain.to_owned());
    Err(Contradiction::DomainTaken { user_pool_id, domain })
}
