//! Restoring: sets a user pool back to what it was at an earlier revision.

use crate::proto::{
    KeptField, KeptFieldReason, RestoreUserPoolRequest, UserPool, UserPoolRestored,
};

use super::{
    DomainOwners, Event, InvalidRequest, Limits, UserPoolId, UserPoolState,
    check::Check,
    domain::domain_names,
    fields, paths, semantics,
    violation::{Rule, Violation},
};

/// The field of the request that names the revision.
const REVISION: &str = "revision";
/// The fields of the domains of a user pool.
const DOMAIN_FIELDS: [&str; 4] =
    ["domain", "custom_domain", "domain_settings", "custom_domain_settings"];

/// A revision of a user pool that a request names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RestorePoint {
    /// The user pool.
    pub user_pool_id: UserPoolId,
    /// The revision, from 1.
    pub revision: u64,
}

/// The state of a user pool at an earlier revision, which it gets again.
#[derive(Debug, Clone)]
pub struct RestoreUserPool {
    revision: i64,
    past: Box<UserPool>,
    restores_domains: bool,
}

impl RestorePoint {
    /// Checks a request to restore a user pool. Its past state is not needed for that.
    ///
    /// # Errors
    /// The field rules that it breaks.
    pub fn parse(request: &RestoreUserPoolRequest) -> Result<Self, InvalidRequest> {
        Check::run(|check| {
            fields::user_pool_id(check, request.user_pool_id.as_ref());
            check.required(REVISION, request.revision.as_ref());
            check.range(REVISION, request.revision, 1..=i64::MAX);
            fields::options(check, request.request_id.as_ref(), request.expected_revision);
        })?;
        let id = request.user_pool_id.clone().unwrap_or_default();
        let revision = u64::try_from(request.revision.unwrap_or_default()).unwrap_or_default();
        Ok(Self { user_pool_id: UserPoolId::from_trusted(id), revision })
    }
}

/// The violation of a request that names the revision of a deletion. The revision before it is
/// never a deletion, because only a restored user pool can be deleted again.
fn deletion_violation(revision: i64) -> Violation {
    let before = revision.saturating_sub(1);
    Violation::new(
        REVISION,
        Rule::Conflict,
        format!(
            "must not be {revision}, at which the user pool was deleted; {before} is the last \
             revision before that"
        ),
        format!(
            "The user pool was deleted at revision {revision}, so there is nothing to restore. \
             Restore revision {before}, the last one before that."
        ),
    )
}

impl RestoreUserPool {
    /// Restores the state `past`, which the user pool had at a revision.
    ///
    /// # Errors
    /// It was deleted at the revision.
    pub(super) fn new(
        revision: i64,
        past: UserPoolState,
        restores_domains: bool,
    ) -> Result<Self, InvalidRequest> {
        match past {
            UserPoolState::Active(past) => Ok(Self { revision, past, restores_domains }),
            UserPoolState::Deleted(_) | UserPoolState::Absent => {
                Err(deletion_violation(revision).into())
            }
        }
    }

    /// The revision.
    pub(super) const fn revision(&self) -> i64 {
        self.revision
    }

    /// The names of the domains that the user pool gets again.
    pub(super) fn domains(&self) -> impl Iterator<Item = &str> {
        domain_names(&self.past).filter(|_| self.restores_domains)
    }

    /// The first of these domains that another user pool owns, and its owner.
    pub(super) fn taken_domain(
        &self,
        user_pool_id: &UserPoolId,
        owners: &DomainOwners,
    ) -> Option<(String, UserPoolId)> {
        self.domains().find_map(|name| {
            let owner = owners.get(name).filter(|owner| *owner != user_pool_id)?;
            Some((name.to_owned(), owner.clone()))
        })
    }

    /// Decides what changes in a user pool, whose last state is `current` if it was deleted.
    ///
    /// # Errors
    /// What is kept makes the settings break a rule.
    pub(super) fn decide(
        &self,
        current: &UserPool,
        was_deleted: bool,
        limits: &Limits,
    ) -> Result<Vec<Event>, InvalidRequest> {
        let restored = self.merged(current);
        // A past state stays valid, even if a rule is newer.
        let mut violations = semantics::settings(&restored, None, limits);
        let accepted = semantics::settings(&self.past, None, limits);
        violations.retain(|violation| !accepted.contains(violation));
        InvalidRequest::semantics(violations)?;
        let changed_paths = paths::changed(current, &restored);
        if changed_paths.is_empty() && !was_deleted {
            return Ok(Vec::new());
        }
        Ok(vec![Event::UserPoolRestored(Box::new(UserPoolRestored {
            restored_revision: self.revision,
            changed_paths,
            was_deleted,
            assigned_domains: names_missing_in(current, &restored),
            removed_domains: names_missing_in(&restored, current),
            // `evolve` sets the modification date to the time of the event.
            user_pool: Some(UserPool { last_modified_date: None, ..restored }),
        }))])
    }

    /// The past state, with what is kept of the current one. The other fields that cannot change
    /// are equal in both.
    fn merged(&self, current: &UserPool) -> UserPool {
        let mut restored = UserPool {
            schema_attributes: current.schema_attributes.clone(),
            last_modified_date: current.last_modified_date,
            ..(*self.past).clone()
        };
        if !self.restores_domains {
            restored.domain.clone_from(&current.domain);
            restored.domain_settings.clone_from(&current.domain_settings);
            restored.custom_domain.clone_from(&current.custom_domain);
            restored.custom_domain_settings.clone_from(&current.custom_domain_settings);
        }
        restored
    }
}

/// The names of the domains of `owner` that `other` does not have.
fn names_missing_in(other: &UserPool, owner: &UserPool) -> Vec<String> {
    let is_missing = |name: &&str| domain_names(other).all(|known| known != *name);
    domain_names(owner).filter(is_missing).map(str::to_owned).collect()
}

/// What differs between the state at a revision and the user pool that was restored to it.
#[must_use]
pub fn kept_fields(past: &UserPool, restored: &UserPool) -> Vec<KeptField> {
    let timeless = |pool: &UserPool| UserPool { last_modified_date: None, ..pool.clone() };
    let paths = paths::changed(&timeless(past), &timeless(restored));
    paths.into_iter().map(kept_field).collect()
}

fn kept_field(path: String) -> KeptField {
    let field = path.split('.').next().unwrap_or_default();
    let (reason, description) = if DOMAIN_FIELDS.contains(&field) {
        let description = "domains are restored only if the request has restore_domain";
        (KeptFieldReason::DomainNotRequested, description)
    } else {
        let description = "custom attributes that were added later stay, because they can never \
                           be removed";
        (KeptFieldReason::Immutable, description)
    };
    KeptField { path, reason: reason.into(), description: description.to_owned() }
}
