//! User pools: commands, rules and state, as pure functions over plain data.
//! Knows nothing of the log, of time, of randomness, or of async.
//!
//! A request is **parsed** into a checked [`Command`], **decided** into events,
//! and state is **evolved** from those.

mod check;
mod command;
mod copy;
mod decide;
mod domain;
mod evolve;
mod fields;
mod paths;
mod patterns;
mod query;
mod schema;
mod semantics;
mod settle;
mod tags;
mod violation;

use std::fmt;

use crate::proto::user_pool_event::Payload;

pub use self::{
    command::{Checked, Command, CreateUserPool, Options, Target, UpdateUserPool},
    copy::creation_of,
    decide::{Facts, Rejection, decide},
    domain::DomainPrefix,
    evolve::{UserPoolState, evolve},
    query::{AsOf, EventFilter, EventQuery, Noted, Page, Replay, Watch},
    violation::{AwsError, Invalid, Reason, Violation},
};

/// What happened to a user pool: the payload of a recorded event.
pub type Event = Payload;

/// The name of a user pool for good: `<region>_<nine letters and digits>`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UserPoolId(String);

impl UserPoolId {
    /// An ID that was made by this service or checked in a request.
    #[must_use]
    pub const fn new(id: String) -> Self {
        Self(id)
    }

    /// The ID as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for UserPoolId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What Cognito limits and has raised over the years.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Custom attributes in one user pool: 25 in 2017, 50 today.
    pub custom_attributes: usize,
    /// User pools in all: 1,000 in an AWS account and region, more on request.
    pub user_pools: u64,
    /// Tags on one user pool.
    pub tags: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { custom_attributes: 50, user_pools: 10_000_000, tags: 50 }
    }
}
