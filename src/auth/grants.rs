//! Who was granted what: patterns of callers, by role.

use std::str::FromStr;

use regex::Regex;

use crate::proto::ActorKind;

use super::{COMMON_NAME, Identity};

/// What a caller may do. Whoever may do more may do less.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// To see: Describe, List, the history, and the proof of it.
    Reader,
    /// To change, too.
    Writer,
}

impl Role {
    /// As it is written in settings and refusals.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Reader => "reader",
            Self::Writer => "writer",
        }
    }
}

/// What callers were granted. With nothing in it, everybody may do everything; with
/// anything in it, whoever it does not name may do nothing.
#[derive(Debug, Clone, Default)]
pub struct Grants {
    /// Who may see.
    pub readers: Vec<Pattern>,
    /// Who may see and change.
    pub writers: Vec<Pattern>,
}

impl Grants {
    /// Whether nobody was granted anything.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        let Self { readers, writers } = self;
        readers.is_empty() && writers.is_empty()
    }

    /// Whether a caller has a role.
    #[must_use]
    pub fn give(&self, role: Role, caller: &Identity) -> bool {
        let named = |patterns: &[Pattern]| patterns.iter().any(|pattern| pattern.names(caller));
        match role {
            Role::Reader => named(&self.readers) || named(&self.writers),
            Role::Writer => named(&self.writers),
        }
    }
}

/// Callers of one kind: `certificate:SUBJECT`, `token:SUBJECT` or `local:uid=N`, where
/// in the subject `*` stands for anything without a slash, and `**` for anything; or
/// `anonymous`.
#[derive(Debug, Clone)]
pub struct Pattern {
    kind: ActorKind,
    subject: Regex,
    /// Whether certificates with nothing but a common name can be meant.
    common_names: bool,
}

/// A text that is no pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "expected certificate:SUBJECT, token:SUBJECT, local:uid=N or anonymous, where * in a subject \
     stands for anything without a slash, and ** for anything"
)]
pub struct PatternError;

impl Pattern {
    /// What the callers are that it names.
    #[must_use]
    pub const fn kind(&self) -> ActorKind {
        self.kind
    }

    /// Whether the caller is one of them. All of its subject has to fit.
    #[must_use]
    pub fn names(&self, caller: &Identity) -> bool {
        let common_name =
            caller.kind == ActorKind::Certificate && caller.subject.starts_with(COMMON_NAME);
        let meant = self.common_names || !common_name;
        self.kind == caller.kind && meant && self.subject.is_match(&caller.subject)
    }
}

impl FromStr for Pattern {
    type Err = PatternError;

    fn from_str(text: &str) -> Result<Self, PatternError> {
        if text == "anonymous" {
            return Self::of(ActorKind::Anonymous, "");
        }
        let (kind, subject) = text.split_once(':').ok_or(PatternError)?;
        let kind = match kind {
            "certificate" => ActorKind::Certificate,
            "token" => ActorKind::Token,
            // Nothing else is known of a process that could be trusted.
            "local" if subject.starts_with("uid=") || subject.starts_with('*') => {
                ActorKind::LocalProcess
            }
            _ => return Err(PatternError),
        };
        if subject.is_empty() { Err(PatternError) } else { Self::of(kind, subject) }
    }
}

impl Pattern {
    fn of(kind: ActorKind, subject: &str) -> Result<Self, PatternError> {
        let segment = |text: &str| {
            let parts: Vec<_> = text.split('*').map(regex::escape).collect();
            parts.join("[^/]*")
        };
        // "*.example" is not to mean whoever chose a common name that ends like that.
        let common_names = subject == "**" || subject.starts_with(COMMON_NAME);
        let parts: Vec<_> = subject.split("**").map(segment).collect();
        let expression = format!(r"(?s)\A{}\z", parts.join(".*"));
        let subject = Regex::new(&expression).map_err(|_| PatternError)?;
        Ok(Self { kind, subject, common_names })
    }
}
