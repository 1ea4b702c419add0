//! Authorization: decides whether a caller may call a method, and logs refused calls.

use http::Extensions;

use crate::telemetry::{
    WarnLimiter,
    metrics::{self, RefusalReason},
};

use super::{Grants, Identity, Peer, Role};

/// The requirement of a method on its caller.
#[derive(Debug, Clone, Copy)]
enum Requirement {
    /// None: everyone may check the health of the server.
    Nothing,
    /// A role.
    Role(Role),
    /// The caller must be on this machine, or have the role reader.
    ///
    /// The peer's address decides, not the listener's. A local caller can read the binary,
    /// which contains everything that reflection returns.
    LocalOrReader,
}

/// The requirement of every method of every service.
const REQUIREMENTS: [(&str, Requirement); 31] = [
    ("grpc.health.v1.Health/Check", Requirement::Nothing),
    ("grpc.health.v1.Health/Watch", Requirement::Nothing),
    ("grpc.reflection.v1.ServerReflection/ServerReflectionInfo", Requirement::LocalOrReader),
    ("grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", Requirement::LocalOrReader),
    ("userpool.v1.UserPoolService/CreateUserPool", Requirement::Role(Role::Writer)),
    ("userpool.v1.UserPoolService/DescribeUserPool", Requirement::Role(Role::Reader)),
    ("userpool.v1.UserPoolService/UpdateUserPool", Requirement::Role(Role::Writer)),
    ("userpool.v1.UserPoolService/DeleteUserPool", Requirement::Role(Role::Writer)),
    ("userpool.v1.UserPoolService/ListUserPools", Requirement::Role(Role::Reader)),
    ("userpool.v1.UserPoolService/CreateUserPoolDomain", Requirement::Role(Role::Writer)),
    ("userpool.v1.UserPoolService/DescribeUserPoolDomain", Requirement::Role(Role::Reader)),
    ("userpool.v1.UserPoolService/DeleteUserPoolDomain", Requirement::Role(Role::Writer)),
    ("userpool.v1.UserPoolService/ListUserPoolDomains", Requirement::Role(Role::Reader)),
    ("userpool.v1.UserPoolService/UpdateUserPoolDomain", Requirement::Role(Role::Writer)),
    ("userpool.v1.UserPoolService/AddCustomAttributes", Requirement::Role(Role::Writer)),
    ("userpool.v1.UserPoolService/GetUserPoolMfaConfig", Requirement::Role(Role::Reader)),
    ("userpool.v1.UserPoolService/SetUserPoolMfaConfig", Requirement::Role(Role::Writer)),
    ("userpool.v1.UserPoolService/TagResource", Requirement::Role(Role::Writer)),
    ("userpool.v1.UserPoolService/UntagResource", Requirement::Role(Role::Writer)),
    ("userpool.v1.UserPoolService/ListTagsForResource", Requirement::Role(Role::Reader)),
    ("userpool.v1.UserPoolService/RestoreUserPool", Requirement::Role(Role::Writer)),
    ("userpool.v1.UserPoolHistoryService/ListUserPoolEvents", Requirement::Role(Role::Reader)),
    ("userpool.v1.UserPoolHistoryService/ReplayUserPool", Requirement::Role(Role::Reader)),
    ("userpool.v1.UserPoolHistoryService/WatchUserPoolEvents", Requirement::Role(Role::Reader)),
    ("userpool.v1.UserPoolHistoryService/VerifyUserPoolHistory", Requirement::Role(Role::Reader)),
    ("userpool.v1.UserPoolHistoryService/GetSignedCheckpoint", Requirement::Role(Role::Reader)),
    ("userpool.v1.UserPoolHistoryService/DescribeLog", Requirement::Role(Role::Reader)),
    ("userpool.v1.UserPoolHistoryService/GetCheckpointKey", Requirement::Role(Role::Reader)),
    ("userpool.v1.UserPoolHistoryService/CountUserPoolEvents", Requirement::Role(Role::Reader)),
    ("userpool.v1.UserPoolHistoryService/GetInclusionProof", Requirement::Role(Role::Reader)),
    ("userpool.v1.UserPoolHistoryService/GetConsistencyProof", Requirement::Role(Role::Reader)),
];

impl Requirement {
    /// Returns the requirement of a method. A method that is missing from the table has the
    /// strictest requirement.
    fn of(method: &str) -> Self {
        let row = REQUIREMENTS.iter().find(|(name, _)| *name == method);
        row.map_or(Self::Role(Role::Writer), |(_, requirement)| *requirement)
    }
}

/// The caller lacks the role that the method requires.
#[derive(Debug)]
pub(crate) struct MissingRole {
    pub(crate) method: String,
    pub(crate) role: Role,
    pub(crate) caller: Identity,
}

/// Decides by the grants of the settings.
#[derive(Debug)]
pub(crate) struct Authorization {
    grants: Grants,
    counts: metrics::RefusalCounters,
    /// Refusals beyond the rate limit are logged at debug.
    warnings: WarnLimiter,
}

impl Authorization {
    pub(crate) fn new(grants: Grants, counts: metrics::RefusalCounters) -> Self {
        Self { grants, counts, warnings: WarnLimiter::default() }
    }

    /// Checks that the authenticated caller may call this method.
    pub(crate) fn check(&self, method: &str, caller: &Extensions) -> Result<(), MissingRole> {
        if self.grants.is_empty() {
            return Ok(());
        }
        let role = match Requirement::of(method) {
            Requirement::Nothing => return Ok(()),
            Requirement::LocalOrReader if caller.get().is_some_and(Peer::is_local) => return Ok(()),
            Requirement::LocalOrReader => Role::Reader,
            Requirement::Role(role) => role,
        };
        let caller = caller.get().cloned().unwrap_or_else(Identity::anonymous);
        if self.grants.allows(role, &caller) {
            return Ok(());
        }
        let missing = MissingRole { method: method.to_owned(), role, caller };
        self.log_refusal(&missing);
        Err(missing)
    }

    fn log_refusal(&self, missing: &MissingRole) {
        let MissingRole { method, role, caller } = missing;
        let refusal = if caller.is_anonymous() {
            RefusalReason::Unauthenticated
        } else {
            RefusalReason::PermissionDenied
        };
        self.counts.count(refusal);
        let (role, caller) = (role.name(), caller.to_string());
        if self.warnings.allow() {
            tracing::warn!(method, role, caller, "call refused");
        } else {
            tracing::debug!(method, role, caller, "call refused");
        }
    }
}
