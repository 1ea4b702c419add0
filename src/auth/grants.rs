//! Grants: the roles, and patterns of the callers that have them.

use std::str::FromStr;

use crate::proto::{ActorKind, SubjectPattern, kind_of_prefix};

use super::{COMMON_NAME, Identity};

/// A role of a caller. A writer may do everything that a reader may.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Read: Describe, List, the history and its proof.
    Reader,
    /// Read and change.
    Writer,
}

impl Role {
    /// The name of the role in settings and error messages.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Reader => "reader",
            Self::Writer => "writer",
        }
    }
}

/// The roles of callers. Without any pattern, everyone may do everything. Otherwise,
/// callers that match no pattern have no role.
#[derive(Debug, Clone, Default)]
pub struct Grants {
    /// The callers that may read.
    pub readers: Vec<CallerPattern>,
    /// The callers that may read and change.
    pub writers: Vec<CallerPattern>,
}

impl Grants {
    /// Whether there are no grants.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        let Self { readers, writers } = self;
        readers.is_empty() && writers.is_empty()
    }

    /// Whether a caller has a role.
    #[must_use]
    pub fn allows(&self, role: Role, caller: &Identity) -> bool {
        let matches = |all: &[CallerPattern]| all.iter().any(|pattern| pattern.matches(caller));
        match role {
            Role::Reader => matches(&self.readers) || matches(&self.writers),
            Role::Writer => matches(&self.writers),
        }
    }
}

/// A pattern of callers of one kind: `certificate:SUBJECT`, `token:SUBJECT`,
/// `access-key:NAME` or `local:uid=N`, where `*` in the subject matches any text without a
/// slash, and `**` any text; or `anonymous`.
#[derive(Debug, Clone)]
pub struct CallerPattern {
    kind: ActorKind,
    subject: SubjectPattern,
    /// Whether it matches certificates that have only a common name.
    matches_common_names: bool,
}

/// The text is not a [`CallerPattern`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "expected certificate:SUBJECT, token:SUBJECT, access-key:NAME, local:uid=N or anonymous, where \
     * in a subject matches any text without a slash, and ** any text"
)]
pub struct CallerPatternError;

impl CallerPattern {
    /// The kind of callers that it matches.
    #[must_use]
    pub const fn kind(&self) -> ActorKind {
        self.kind
    }

    /// Whether the caller matches; the pattern must match the whole subject.
    #[must_use]
    pub fn matches(&self, caller: &Identity) -> bool {
        let common_name =
            caller.kind == ActorKind::Certificate && caller.subject.starts_with(COMMON_NAME);
        let possible = self.matches_common_names || !common_name;
        self.kind == caller.kind && possible && self.subject.matches(&caller.subject)
    }
}

impl FromStr for CallerPattern {
    type Err = CallerPatternError;

    fn from_str(text: &str) -> Result<Self, CallerPatternError> {
        if text == "anonymous" {
            return Self::new(ActorKind::Anonymous, "");
        }
        let (kind, subject) = text.split_once(':').ok_or(CallerPatternError)?;
        let kind = kind_of_prefix(kind).ok_or(CallerPatternError)?;
        // The user ID is the only part that a process cannot choose.
        let is_possible = kind != ActorKind::LocalProcess
            || subject.starts_with("uid=")
            || subject.starts_with('*');
        if subject.is_empty() || !is_possible {
            return Err(CallerPatternError);
        }
        Self::new(kind, subject)
    }
}

impl CallerPattern {
    fn new(kind: ActorKind, subject: &str) -> Result<Self, CallerPatternError> {
        // "*.example" must not match a common name, which its owner may have chosen.
        let matches_common_names = subject == "**" || subject.starts_with(COMMON_NAME);
        let subject = subject.parse().map_err(|_| CallerPatternError)?;
        Ok(Self { kind, subject, matches_common_names })
    }
}
