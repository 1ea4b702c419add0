//! State from events. Nothing here can fail, because the events have happened.

use prost_types::Timestamp;

use crate::proto::{UserPool, deletion_protection};

use super::{Event, defaults, domain::is_custom};

/// The state of a user pool.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum UserPoolState {
    /// It was never created.
    #[default]
    Absent,
    /// It exists.
    Active(Box<UserPool>),
    /// It was deleted; this is its last state.
    Deleted(Box<UserPool>),
}

impl UserPoolState {
    /// The user pool, if it exists.
    #[must_use]
    pub fn user_pool(&self) -> Option<&UserPool> {
        match self {
            Self::Active(pool) => Some(pool),
            Self::Absent | Self::Deleted(_) => None,
        }
    }

    /// The user pool, or its last state if it was deleted.
    #[must_use]
    pub fn last_user_pool(&self) -> Option<&UserPool> {
        match self {
            Self::Active(pool) | Self::Deleted(pool) => Some(pool),
            Self::Absent => None,
        }
    }
}

/// Whether a user pool is protected from deletion.
#[must_use]
pub fn is_protected(pool: &UserPool) -> bool {
    pool.deletion_protection == Some(deletion_protection::Value::Active.into())
}

/// Returns the state after `event`, which was recorded at `at`.
#[must_use]
pub fn evolve(state: UserPoolState, event: Event, at: Timestamp) -> UserPoolState {
    match event {
        Event::UserPoolCreated(created) => {
            let (creation_date, last_modified_date) = (Some(at), Some(at));
            let pool = recorded(created.user_pool);
            UserPoolState::Active(Box::new(UserPool { creation_date, last_modified_date, ..pool }))
        }
        Event::UserPoolUpdated(updated) => replaced(updated.user_pool, at),
        Event::UserPoolRestored(restored) => replaced(restored.user_pool, at),
        Event::UserPoolDeleted(_) => match state {
            UserPoolState::Active(pool) => UserPoolState::Deleted(pool),
            UserPoolState::Absent | UserPoolState::Deleted(_) => state,
        },
        Event::UserPoolDomainCreated(created) => change_pool(state, |pool| {
            if is_custom(created.settings.as_ref()) {
                pool.custom_domain = Some(created.domain);
                pool.custom_domain_settings = created.settings;
            } else {
                pool.domain = Some(created.domain);
                pool.domain_settings = created.settings;
            }
        }),
        Event::UserPoolDomainUpdated(updated) => change_pool(state, |pool| {
            if pool.custom_domain.as_ref() == Some(&updated.domain) {
                pool.custom_domain_settings = updated.settings;
            } else {
                pool.domain_settings = updated.settings;
            }
        }),
        Event::UserPoolDomainDeleted(deleted) => change_pool(state, |pool| {
            if pool.custom_domain.as_ref() == Some(&deleted.domain) {
                (pool.custom_domain, pool.custom_domain_settings) = (None, None);
            } else {
                (pool.domain, pool.domain_settings) = (None, None);
            }
        }),
        Event::UserPoolTagged(tagged) => change_settings(state, at, |pool| {
            pool.user_pool_tags.extend(tagged.tags);
        }),
        Event::UserPoolUntagged(untagged) => change_settings(state, at, |pool| {
            pool.user_pool_tags.retain(|key, _| !untagged.tag_keys.contains(key));
        }),
        Event::CustomAttributesAdded(added) => change_settings(state, at, |pool| {
            pool.schema_attributes.extend(added.custom_attributes);
        }),
        Event::UserPoolMfaConfigSet(set) => change_settings(state, at, |pool| {
            pool.mfa_configuration = Some(set.mfa_configuration);
            pool.sms_configuration = set.sms_configuration;
            pool.sms_authentication_message = set.sms_authentication_message;
            pool.sms_mfa = set.sms_mfa;
            pool.software_token_mfa = set.software_token_mfa;
        }),
    }
}

fn change_settings(
    state: UserPoolState,
    at: Timestamp,
    change: impl FnOnce(&mut UserPool),
) -> UserPoolState {
    change_pool(state, |pool| {
        change(pool);
        pool.last_modified_date = Some(at);
    })
}

/// The state after an event with all settings.
fn replaced(settings: Option<UserPool>, at: Timestamp) -> UserPoolState {
    let last_modified_date = Some(at);
    UserPoolState::Active(Box::new(UserPool { last_modified_date, ..recorded(settings) }))
}

/// The settings in an event, with those that its version did not know.
fn recorded(settings: Option<UserPool>) -> UserPool {
    let mut pool = settings.unwrap_or_default();
    defaults::complete(&mut pool);
    pool
}

fn change_pool(mut state: UserPoolState, change: impl FnOnce(&mut UserPool)) -> UserPoolState {
    if let UserPoolState::Active(pool) = &mut state {
        change(pool);
    }
    state
}
