//! Who may call what: the one place where that is decided, and where a refusal is
//! told.

use http::Extensions;

use crate::telemetry::metrics::{self, Refusal};

use super::{Grants, Identity, Peer, Role, Who};
use crate::telemetry::WarnLimiter;

/// What a call needs.
#[derive(Debug, Clone, Copy)]
enum Need {
    /// Nothing: whoever asks whether the server is well is told.
    Nothing,
    /// A role.
    Role(Role),
    /// To be on this machine, or to read.
    ///
    /// The peer counts, not the listener: a server may listen on every address, and who
    /// is on its machine has its binary, and in that all that reflection tells.
    NearOrReader,
}

/// Every method of every service, and what it needs.
const NEEDS: [(&str, Need); 19] = [
    ("grpc.health.v1.Health/Check", Need::Nothing),
    ("grpc.health.v1.Health/Watch", Need::Nothing),
    ("grpc.reflection.v1.ServerReflection/ServerReflectionInfo", Need::NearOrReader),
    ("grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", Need::NearOrReader),
    ("userpool.v1.UserPoolService/CreateUserPool", Need::Role(Role::Writer)),
    ("userpool.v1.UserPoolService/DescribeUserPool", Need::Role(Role::Reader)),
    ("userpool.v1.UserPoolService/UpdateUserPool", Need::Role(Role::Writer)),
    ("userpool.v1.UserPoolService/DeleteUserPool", Need::Role(Role::Writer)),
    ("userpool.v1.UserPoolService/ListUserPools", Need::Role(Role::Reader)),
    ("userpool.v1.UserPoolService/CreateUserPoolDomain", Need::Role(Role::Writer)),
    ("userpool.v1.UserPoolService/DescribeUserPoolDomain", Need::Role(Role::Reader)),
    ("userpool.v1.UserPoolService/DeleteUserPoolDomain", Need::Role(Role::Writer)),
    ("userpool.v1.UserPoolService/ListUserPoolDomains", Need::Role(Role::Reader)),
    ("userpool.v1.UserPoolHistoryService/ListUserPoolEvents", Need::Role(Role::Reader)),
    ("userpool.v1.UserPoolHistoryService/ReplayUserPool", Need::Role(Role::Reader)),
    ("userpool.v1.UserPoolHistoryService/WatchUserPoolEvents", Need::Role(Role::Reader)),
    ("userpool.v1.UserPoolHistoryService/VerifyUserPoolHistory", Need::Role(Role::Reader)),
    ("userpool.v1.UserPoolHistoryService/GetSignedCheckpoint", Need::Role(Role::Reader)),
    ("userpool.v1.UserPoolHistoryService/GetCheckpointKey", Need::Role(Role::Reader)),
];

impl Need {
    /// What is not in the table, or not in the service, needs the most: a method that
    /// somebody forgets here is closed rather than open.
    fn of(method: &str) -> Self {
        let row = NEEDS.iter().find(|(name, _)| *name == method);
        row.map_or(Self::Role(Role::Writer), |(_, need)| *need)
    }
}

/// A call that its caller may not make.
#[derive(Debug)]
pub(crate) struct MissingRole {
    pub(crate) method: String,
    pub(crate) role: Role,
    pub(crate) caller: Identity,
}

/// Decides by what was granted.
#[derive(Debug)]
pub(crate) struct Authorization {
    grants: Grants,
    counts: metrics::Refused,
    /// The refusals that are no warnings are there for who asks for them.
    warnings: WarnLimiter,
}

impl Authorization {
    pub(crate) fn new(grants: Grants, counts: metrics::Refused) -> Self {
        Self { grants, counts, warnings: WarnLimiter::default() }
    }

    /// Whether the caller, whom the layer has established, may call this.
    pub(crate) fn check(&self, method: &str, caller: &Extensions) -> Result<(), MissingRole> {
        if self.grants.is_empty() {
            return Ok(());
        }
        let role = match Need::of(method) {
            Need::Nothing => return Ok(()),
            Need::NearOrReader if caller.get().is_some_and(is_near) => return Ok(()),
            Need::NearOrReader => Role::Reader,
            Need::Role(role) => role,
        };
        let caller = caller.get().cloned().unwrap_or_else(Identity::anonymous);
        if self.grants.give(role, &caller) {
            return Ok(());
        }
        let missing = MissingRole { method: method.to_owned(), role, caller };
        self.tell(&missing);
        Err(missing)
    }

    fn tell(&self, missing: &MissingRole) {
        let MissingRole { method, role, caller } = missing;
        let refusal = if caller.is_anonymous() {
            Refusal::Unauthenticated
        } else {
            Refusal::PermissionDenied
        };
        self.counts.count(refusal);
        let (role, caller) = (role.name(), caller.to_string());
        if self.warnings.allow() {
            tracing::warn!(method, role, caller, "a call is refused");
        } else {
            tracing::debug!(method, role, caller, "a call is refused");
        }
    }
}

/// Whether the peer is on this machine.
fn is_near(peer: &Peer) -> bool {
    match peer.who {
        Who::Address(address) => address.ip().to_canonical().is_loopback(),
        Who::Process(_) => true,
    }
}
