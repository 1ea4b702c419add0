//! The events that no command could have recorded.

use crate::proto::UserPool;

use super::{Event, UserPoolId};

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
    /// A user pool is changed that was never created.
    #[error("user pool {0} is changed, but was never created")]
    NeverCreated(UserPoolId),
    /// A user pool is changed after its deletion.
    #[error("user pool {0} is changed after its deletion")]
    ChangedAfterDeletion(UserPoolId),
    /// A user pool is deleted while it has a domain.
    #[error("user pool {0} is deleted while it has a domain")]
    DeletedWithDomain(UserPoolId),
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
        /// The prefix.
        domain: String,
    },
    /// A user pool loses a domain that it does not have.
    #[error("domain {domain} is removed from user pool {user_pool_id}, which does not own it")]
    DomainNotOwned {
        /// The user pool.
        user_pool_id: UserPoolId,
        /// The prefix.
        domain: String,
    },
}

/// The facts before an event.
#[derive(Debug)]
pub struct EventFacts<'a> {
    /// The user pool of the event.
    pub user_pool_id: &'a UserPoolId,
    /// The user pool, or its last state if it was deleted.
    pub user_pool: Option<&'a UserPool>,
    /// Whether it was deleted.
    pub deleted: bool,
    /// The revision of the user pool; 0 if it was never created.
    pub revision: i64,
    /// The revision of the event.
    pub event_revision: i64,
    /// The owner of the domain prefix in the event.
    pub domain_owner: Option<&'a UserPoolId>,
}

/// Checks that a command could have recorded this event.
///
/// # Errors
/// The first contradiction.
pub fn check_event(facts: &EventFacts<'_>, event: &Event) -> Result<(), Contradiction> {
    let EventFacts { user_pool_id, user_pool, deleted, .. } = *facts;
    let id = || user_pool_id.clone();
    let (last, found) = (facts.revision, facts.event_revision);
    if found != last.saturating_add(1) {
        return Err(Contradiction::Revision { user_pool_id: id(), last, found });
    }
    let has_other_id = |settings: Option<&str>| settings != Some(user_pool_id.as_str());
    match (user_pool, event) {
        (None, Event::UserPoolCreated(created)) => {
            let settings = created.user_pool.as_ref();
            if has_other_id(settings.and_then(|pool| pool.id.as_deref())) {
                return Err(Contradiction::OtherId(id()));
            }
        }
        (Some(_), Event::UserPoolCreated(_)) => return Err(Contradiction::CreatedAgain(id())),
        (None, _) => return Err(Contradiction::NeverCreated(id())),
        (Some(_), _) if deleted => return Err(Contradiction::ChangedAfterDeletion(id())),
        (Some(pool), Event::UserPoolUpdated(updated)) => {
            let settings = updated.user_pool.as_ref();
            if has_other_id(settings.and_then(|pool| pool.id.as_deref())) {
                return Err(Contradiction::OtherId(id()));
            }
            if settings.and_then(|settings| settings.domain.as_ref()) != pool.domain.as_ref() {
                return Err(Contradiction::DomainUpdated(id()));
            }
        }
        (Some(pool), Event::UserPoolDeleted(_)) => {
            if pool.domain.is_some() {
                return Err(Contradiction::DeletedWithDomain(id()));
            }
        }
        (Some(pool), Event::UserPoolDomainCreated(created)) => {
            if pool.domain.is_some() {
                return Err(Contradiction::SecondDomain(id()));
            }
            if facts.domain_owner.is_some() {
                let domain = created.domain.clone();
                return Err(Contradiction::DomainTaken { user_pool_id: id(), domain });
            }
        }
        (Some(pool), Event::UserPoolDomainDeleted(deleted)) => {
            if pool.domain.as_ref() != Some(&deleted.domain) {
                let domain = deleted.domain.clone();
                return Err(Contradiction::DomainNotOwned { user_pool_id: id(), domain });
            }
        }
    }
    Ok(())
}
