//! Who calls, as the server established it, and never as the caller claims it.

use std::fmt;

use crate::proto::ActorKind;

use super::Who;

/// What marks the common name of a certificate. Authorities that may vouch only for
/// some names are not held to them there, so it must not pass for another name.
pub const COMMON_NAME: &str = "CN=";

/// Who a caller is, as the server established it.
///
/// The layer puts it into the extensions of every request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// How it was established.
    pub kind: ActorKind,
    /// The name, within its kind; empty for an anonymous caller.
    pub subject: String,
}

impl Identity {
    /// Nobody vouches for the caller.
    #[must_use]
    pub const fn anonymous() -> Self {
        Self { kind: ActorKind::Anonymous, subject: String::new() }
    }

    /// Whether no certificate, token or socket says who the caller is.
    pub(crate) fn is_anonymous(&self) -> bool {
        matches!(self.kind, ActorKind::Anonymous | ActorKind::Unspecified)
    }

    /// What a connection without a certificate says of its other end.
    pub(crate) fn of(who: Who) -> Self {
        match who {
            Who::Process(Some(process)) => {
                let subject = format!("uid={}", process.uid());
                Self { kind: ActorKind::LocalProcess, subject }
            }
            Who::Process(None) | Who::Address(_) => Self::anonymous(),
        }
    }
}

/// `certificate:NAME`, `token:NAME`, `local:uid=N` or `anonymous`.
impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            ActorKind::Certificate => "certificate",
            ActorKind::Token => "token",
            ActorKind::LocalProcess => "local",
            ActorKind::Anonymous | ActorKind::Unspecified => return f.write_str("anonymous"),
        };
        write!(f, "{kind}:{}", self.subject)
    }
}
