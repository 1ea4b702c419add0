//! Checks the events of a whole log against the rules, without the settings of user pools.

use std::collections::HashMap;

use super::{
    Contradiction, Event, EventFacts, UserPoolId, check_event, domain::is_custom, is_protected,
};

/// Takes the events of a log one after another, and finds the first that no command could
/// have recorded.
#[derive(Debug, Clone, Default)]
pub struct EventChecker {
    user_pools: HashMap<UserPoolId, UserPoolFacts>,
    /// The owners of domains, by name.
    domains: HashMap<String, UserPoolId>,
}

/// What the rules need to know of a user pool.
#[derive(Debug, Clone, Default)]
struct UserPoolFacts {
    revision: i64,
    is_deleted: bool,
    is_protected: bool,
    domain: Option<String>,
    custom_domain: Option<String>,
}

impl EventChecker {
    /// Takes the next event.
    ///
    /// # Errors
    /// The event contradicts those before it, and is not taken.
    pub fn check(&mut self, id: &str, revision: i64, event: &Event) -> Result<(), Contradiction> {
        let id = UserPoolId::from_trusted(id.to_owned());
        let before = self.user_pools.get(&id);
        let domain_owner = match event {
            Event::UserPoolDomainCreated(created) => self.domains.get(&created.domain),
            Event::UserPoolCreated(_)
            | Event::UserPoolUpdated(_)
            | Event::UserPoolDeleted(_)
            | Event::UserPoolDomainUpdated(_)
            | Event::UserPoolDomainDeleted(_)
            | Event::UserPoolTagged(_)
            | Event::UserPoolUntagged(_)
            | Event::CustomAttributesAdded(_)
            | Event::UserPoolMfaConfigSet(_) => None,
        };
        let facts = EventFacts {
            user_pool_id: &id,
            domain: before.and_then(|before| before.domain.as_deref()),
            custom_domain: before.and_then(|before| before.custom_domain.as_deref()),
            is_protected: before.is_some_and(|before| before.is_protected),
            deleted: before.is_some_and(|before| before.is_deleted),
            revision: before.map_or(0, |before| before.revision),
            event_revision: revision,
            domain_owner,
        };
        check_event(&facts, event)?;
        let after = self.user_pools.entry(id.clone()).or_default();
        after.revision = revision;
        match event {
            Event::UserPoolDomainCreated(created) => {
                self.domains.insert(created.domain.clone(), id);
                let domain = if is_custom(created.settings.as_ref()) {
                    &mut after.custom_domain
                } else {
                    &mut after.domain
                };
                *domain = Some(created.domain.clone());
            }
            Event::UserPoolDomainDeleted(deleted) => {
                self.domains.remove(&deleted.domain);
                for domain in [&mut after.domain, &mut after.custom_domain] {
                    domain.take_if(|domain| *domain == deleted.domain);
                }
            }
            Event::UserPoolDeleted(_) => after.is_deleted = true,
            Event::UserPoolCreated(created) => {
                after.is_protected = created.user_pool.as_ref().is_some_and(is_protected);
            }
            Event::UserPoolUpdated(updated) => {
                after.is_protected = updated.user_pool.as_ref().is_some_and(is_protected);
            }
            Event::UserPoolDomainUpdated(_)
            | Event::UserPoolTagged(_)
            | Event::UserPoolUntagged(_)
            | Event::CustomAttributesAdded(_)
            | Event::UserPoolMfaConfigSet(_) => (),
        }
        Ok(())
    }
}
