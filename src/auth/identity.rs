//! The identity of a caller, as the server established it, never as the caller claims.

use std::fmt;

use crate::proto::{ActorKind, actor_prefix};

/// The prefix that marks a name as the common name of a certificate. Name constraints of
/// authorities do not apply to common names, so they must differ from other names.
pub const COMMON_NAME: &str = "CN=";

/// The identity of a caller. The call layer adds it to the extensions of every request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// How the server established it.
    pub kind: ActorKind,
    /// The name, unique within its kind; empty for an anonymous caller.
    pub subject: String,
}

impl Identity {
    /// The identity of a caller without credentials.
    #[must_use]
    pub const fn anonymous() -> Self {
        Self { kind: ActorKind::Anonymous, subject: String::new() }
    }

    /// Whether no certificate, token, access key or socket identifies the caller.
    pub(crate) fn is_anonymous(&self) -> bool {
        matches!(self.kind, ActorKind::Anonymous | ActorKind::Unspecified)
    }
}

/// `certificate:NAME`, `token:NAME`, `access-key:NAME`, `local:uid=N` or `anonymous`.
impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match actor_prefix(self.kind) {
            Some(prefix) => write!(f, "{prefix}:{}", self.subject),
            None => f.write_str("anonymous"),
        }
    }
}
