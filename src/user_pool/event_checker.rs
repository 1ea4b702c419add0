//! Checks the events of a log, or of a range of it, against the rules, without the settings
//! of user pools.

use std::{
    collections::{HashMap, HashSet},
    mem,
};

use crate::proto::{UserPool, UserPoolDomainDeleted, UserPoolDomainUpdated};

use super::{
    Contradiction, Event, EventFacts, UserPoolId, assigned_domains,
    assumptions::{Assumption, Assumptions},
    check_event,
    domain::{domain_names, is_custom, is_custom_name},
    is_protected, removed_domains,
};

/// Takes the events of a log one after another, and finds the first that no command could
/// have recorded.
#[derive(Debug, Clone, Default)]
pub struct EventChecker {
    user_pools: HashMap<UserPoolId, UserPoolFacts>,
    /// The owners of domains, by name.
    domains: HashMap<String, UserPoolId>,
    /// What is known of a log whose first events are missing.
    range: Option<RangeFacts>,
}

/// What the rules need to know of a user pool.
#[derive(Debug, Clone, Default)]
struct UserPoolFacts {
    revision: i64,
    is_deleted: bool,
    /// The revisions that are deletions.
    deletions: Vec<i64>,
    is_protected: bool,
    domain: Option<String>,
    custom_domain: Option<String>,
    unknown: UnknownFacts,
}

/// The facts of a user pool that only the events before the range show.
#[derive(Debug, Clone, Copy, Default)]
struct UnknownFacts {
    protection: bool,
    domain: bool,
    custom_domain: bool,
}

/// What the check of a range knows beside the user pools.
#[derive(Debug, Clone, Default)]
struct RangeFacts {
    /// The domains that an event of the range removed.
    free_domains: HashSet<String>,
    assumptions: Assumptions,
}

impl EventChecker {
    /// A checker for a range whose earlier events are missing. It assumes of them what the
    /// events of the range require.
    #[must_use]
    pub fn for_range() -> Self {
        Self { range: Some(RangeFacts::default()), ..Self::default() }
    }

    /// What was assumed of the events before the range; `None` if there are none.
    #[must_use]
    pub fn assumptions(&self) -> Option<&Assumptions> {
        self.range.as_ref().map(|range| &range.assumptions)
    }

    /// Takes the next event.
    ///
    /// # Errors
    /// The event contradicts those before it, and is not taken.
    pub fn check(&mut self, id: &str, revision: i64, event: &Event) -> Result<(), Contradiction> {
        let id = UserPoolId::from_trusted(id.to_owned());
        self.assume(&id, revision, event);
        let before = self.user_pools.get(&id);
        let owner = |name: &String| Some((name.clone(), self.domains.get(name)?.clone()));
        let domain_owners = assigned_domains(event).iter().filter_map(owner).collect();
        let facts = EventFacts {
            user_pool_id: &id,
            domain: before.and_then(|before| before.domain.as_deref()),
            custom_domain: before.and_then(|before| before.custom_domain.as_deref()),
            is_protected: before.is_some_and(|before| before.is_protected),
            deleted: before.is_some_and(|before| before.is_deleted),
            deletions: before.map_or(&[], |before| before.deletions.as_slice()),
            revision: before.map_or(0, |before| before.revision),
            event_revision: revision,
            domain_owners,
        };
        check_event(&facts, event)?;
        for name in removed_domains(event) {
            self.domains.remove(name);
            if let Some(range) = &mut self.range {
                range.free_domains.insert(name.clone());
            }
        }
        for name in assigned_domains(event) {
            self.domains.insert(name.clone(), id.clone());
        }
        let after = self.user_pools.entry(id).or_default();
        after.revision = revision;
        match event {
            Event::UserPoolDomainCreated(created) => {
                let domain = if is_custom(created.settings.as_ref()) {
                    &mut after.custom_domain
                } else {
                    &mut after.domain
                };
                *domain = Some(created.domain.clone());
            }
            Event::UserPoolDomainDeleted(deleted) => {
                for domain in [&mut after.domain, &mut after.custom_domain] {
                    domain.take_if(|domain| *domain == deleted.domain);
                }
            }
            Event::UserPoolDeleted(_) => {
                after.is_deleted = true;
                after.deletions.push(revision);
            }
            Event::UserPoolCreated(created) => after.set(created.user_pool.as_ref()),
            Event::UserPoolUpdated(updated) => after.set(updated.user_pool.as_ref()),
            Event::UserPoolRestored(restored) => after.set(restored.user_pool.as_ref()),
            Event::UserPoolDomainUpdated(_)
            | Event::UserPoolTagged(_)
            | Event::UserPoolUntagged(_)
            | Event::CustomAttributesAdded(_)
            | Event::UserPoolMfaConfigSet(_) => (),
        }
        Ok(())
    }

    /// If the events before this one are missing, fills the unknown facts that it depends on
    /// with those under which a command could record it.
    fn assume(&mut self, id: &UserPoolId, revision: i64, event: &Event) {
        let Self { user_pools, domains, range: Some(range) } = self else { return };
        let RangeFacts { free_domains, assumptions } = range;
        if !user_pools.contains_key(id) {
            // A creation, or a first revision, needs no earlier event.
            if revision > 1 && !matches!(event, Event::UserPoolCreated(_)) {
                assumptions.add(Assumption::Exists, id.as_str());
                let was_deleted =
                    matches!(event, Event::UserPoolRestored(restored) if restored.was_deleted);
                let facts = UserPoolFacts {
                    revision: revision.saturating_sub(1),
                    is_deleted: was_deleted,
                    // A deleted user pool has no protection and no domain.
                    unknown: UnknownFacts {
                        protection: !was_deleted,
                        domain: !was_deleted,
                        custom_domain: !was_deleted,
                    },
                    ..UserPoolFacts::default()
                };
                user_pools.insert(id.clone(), facts);
            }
        }
        let Some(facts) = user_pools.get_mut(id) else { return };
        // A domain that an event of the range assigned or removed has the owner that this event
        // left, or none.
        let mut learn_domain = |facts: &mut UserPoolFacts, name: &str| {
            let is_unseen = !domains.contains_key(name) && !free_domains.contains(name);
            let is_learned = is_unseen && facts.learn_domain(name);
            if is_learned {
                domains.insert(name.to_owned(), id.clone());
            }
            is_learned
        };
        match event {
            Event::UserPoolUpdated(updated) => {
                if facts.unknown.domain || facts.unknown.custom_domain {
                    assumptions.add(Assumption::KeepsDomain, id.as_str());
                }
                for name in updated.user_pool.iter().flat_map(domain_names) {
                    learn_domain(facts, name);
                }
                facts.unknown = UnknownFacts::default();
            }
            Event::UserPoolDeleted(_) => {
                let UnknownFacts { protection, domain, custom_domain } =
                    mem::take(&mut facts.unknown);
                if protection || domain || custom_domain {
                    assumptions.add(Assumption::IsDeletable, id.as_str());
                }
            }
            Event::UserPoolDomainCreated(created) => {
                let unknown = facts.unknown_domain(is_custom(created.settings.as_ref()));
                let is_free = free_domains.remove(&created.domain)
                    || self.domains.contains_key(&created.domain);
                if *unknown || !is_free {
                    assumptions.add(Assumption::DomainIsFree, &created.domain);
                }
                *unknown = false;
            }
            Event::UserPoolDomainUpdated(UserPoolDomainUpdated { domain, .. })
            | Event::UserPoolDomainDeleted(UserPoolDomainDeleted { domain }) => {
                if learn_domain(facts, domain) {
                    assumptions.add(Assumption::OwnsDomain, domain);
                }
            }
            Event::UserPoolRestored(restored) => {
                let kept = restored.user_pool.iter().flat_map(domain_names);
                let kept =
                    kept.filter(|name| !restored.assigned_domains.iter().any(|new| new == name));
                for name in kept.chain(restored.removed_domains.iter().map(String::as_str)) {
                    if learn_domain(facts, name) {
                        assumptions.add(Assumption::OwnsDomain, name);
                    }
                }
                for name in &restored.assigned_domains {
                    if !free_domains.remove(name) && !self.domains.contains_key(name) {
                        assumptions.add(Assumption::DomainIsFree, name);
                    }
                }
                facts.unknown = UnknownFacts::default();
            }
            Event::UserPoolCreated(_)
            | Event::UserPoolTagged(_)
            | Event::UserPoolUntagged(_)
            | Event::CustomAttributesAdded(_)
            | Event::UserPoolMfaConfigSet(_) => (),
        }
    }
}

impl UserPoolFacts {
    fn unknown_domain(&mut self, is_custom: bool) -> &mut bool {
        if is_custom { &mut self.unknown.custom_domain } else { &mut self.unknown.domain }
    }

    /// Sets the domain of this kind if it is unknown. Returns whether it was.
    fn learn_domain(&mut self, domain: &str) -> bool {
        let is_custom = is_custom_name(domain);
        let was_unknown = mem::take(self.unknown_domain(is_custom));
        if was_unknown {
            let learned = if is_custom { &mut self.custom_domain } else { &mut self.domain };
            *learned = Some(domain.to_owned());
        }
        was_unknown
    }

    /// Sets the facts that are in the settings of an event, after which the user pool exists.
    fn set(&mut self, settings: Option<&UserPool>) {
        self.is_deleted = false;
        self.is_protected = settings.is_some_and(is_protected);
        self.domain = settings.and_then(|settings| settings.domain.clone());
        self.custom_domain = settings.and_then(|settings| settings.custom_domain.clone());
    }
}
