//! User pools: commands, rules and state, as pure functions over plain data.
//! Knows nothing of the log, reads no clock, uses no randomness, and is not async.
//!
//! The functions of [`CheckedCommand`] check a request and make it a command. [`decide()`]
//! returns the events of the command, or why it is refused. [`evolve()`] computes the state
//! after an event.

mod arn;
mod assumptions;
mod changes;
mod check;
mod command;
mod contradiction;
mod create_request;
mod custom_attributes;
mod decide;
mod defaults;
mod domain;
mod event_checker;
mod evolve;
pub(crate) mod fields;
mod id;
mod messages;
mod mfa;
mod page;
mod paths;
mod patterns;
mod pool_filter;
mod requests;
mod restore;
mod schema;
mod semantics;
mod tags;
mod update_request;
mod violation;

use crate::proto::user_pool_event::Payload;

pub(crate) use self::check::{Check, lower_camel};
pub use self::{
    arn::UserPoolArns,
    assumptions::{Assumption, Assumptions, Subjects},
    changes::{DELETED, RESTORED_REVISION, changes, has_full_state, replaces_values, summarize},
    command::{CheckedCommand, Command, CommandOptions, CreateUserPool, Target, UpdateUserPool},
    contradiction::{Contradiction, EventFacts, check_event},
    create_request::to_create_request,
    decide::{Facts, Rejection, decide},
    domain::{
        CreateDomain, DOMAIN_EVENT_TYPES, DomainName, DomainOwners, UpdateDomain, assigned_domains,
        cloud_front_domain, domain_settings, removed_domains, touches_domain,
    },
    event_checker::EventChecker,
    evolve::{UserPoolState, evolve, is_protected},
    id::UserPoolId,
    mfa::{SetMfaConfig, factor_members, mfa_config, parse_mfa_config_request},
    page::PageRequest,
    paths::canonical_mask,
    pool_filter::{PoolFilter, PoolPageRequest},
    restore::{RestorePoint, RestoreUserPool, kept_fields},
    update_request::{to_update_request, unchangeable_differences},
    violation::{AwsError, InvalidRequest, Rule, Violation},
};

/// A change of a user pool: the payload of a recorded event.
pub type Event = Payload;

/// The limits that settings can change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Custom attributes in one user pool: 25 in 2017, 50 today.
    pub custom_attributes: usize,
    /// User pools: 1,000 in an AWS account and region, more on request.
    pub user_pools: u64,
    /// Tags of one user pool.
    pub tags: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { custom_attributes: 50, user_pools: 10_000_000, tags: 50 }
    }
}
