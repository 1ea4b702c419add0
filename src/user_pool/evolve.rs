//! State from events. Nothing here can fail, because the events have happened.

use prost_types::Timestamp;

use crate::proto::UserPool;

use super::Event;

/// The state of a user pool.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum UserPoolState {
    /// It was never created.
    #[default]
    Absent,
    /// It exists.
    Active(Box<UserPool>),
    /// It was deleted. It cannot be restored.
    Deleted,
}

impl UserPoolState {
    /// The user pool, if it exists.
    #[must_use]
    pub fn user_pool(&self) -> Option<&UserPool> {
        match self {
            Self::Active(pool) => Some(pool),
            Self::Absent | Self::Deleted => None,
        }
    }
}

/// Returns the state after `event`, which was recorded at `at`.
#[must_use]
pub fn evolve(state: UserPoolState, event: Event, at: Timestamp) -> UserPoolState {
    match event {
        Event::UserPoolCreated(created) => {
            let (creation_date, last_modified_date) = (Some(at), Some(at));
            let pool = created.user_pool.unwrap_or_default();
            UserPoolState::Active(Box::new(UserPool { creation_date, last_modified_date, ..pool }))
        }
        Event::UserPoolUpdated(updated) => {
            let last_modified_date = Some(at);
            let pool = updated.user_pool.unwrap_or_default();
            UserPoolState::Active(Box::new(UserPool { last_modified_date, ..pool }))
        }
        Event::UserPoolDeleted(_) => UserPoolState::Deleted,
        Event::UserPoolDomainCreated(created) => {
            change_pool(state, |pool| pool.domain = Some(created.domain))
        }
        Event::UserPoolDomainDeleted(_) => change_pool(state, |pool| pool.domain = None),
    }
}

fn change_pool(mut state: UserPoolState, change: impl FnOnce(&mut UserPool)) -> UserPoolState {
    if let UserPoolState::Active(pool) = &mut state {
        change(pool);
    }
    state
}
