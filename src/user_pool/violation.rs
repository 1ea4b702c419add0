//! A broken rule about what a request says, and all of them together.

use std::fmt;

/// How much of the rules' texts goes into one message, in bytes as gRPC sends
/// them. Clients give up on headers of 8 KiB, and the details need room as well.
const MESSAGE_BYTES: usize = 2 * 1024;

/// The exception that Amazon Cognito would raise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AwsError {
    /// Most of what can be wrong with a request.
    InvalidParameter,
    /// A tag that cannot be set.
    UserPoolTagging,
}

impl AwsError {
    /// The name of the exception.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::InvalidParameter => "InvalidParameterException",
            Self::UserPoolTagging => "UserPoolTaggingException",
        }
    }
}

/// Why a field was refused, for programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// The field must be given.
    Required,
    /// The value has too few or too many characters, or the list too many items.
    Length,
    /// The number is too small or too large.
    Range,
    /// The value has characters, or a form, that are not allowed.
    Pattern,
    /// The value is not one of the enum's.
    Enum,
    /// The value excludes, or needs, another field.
    Conflict,
    /// The value is given twice.
    Duplicate,
    /// The value is reserved.
    Reserved,
    /// What the value asks for is not supported.
    Unsupported,
}

impl Reason {
    /// The reason as `BadRequest` shows it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Required => "REQUIRED",
            Self::Length => "LENGTH",
            Self::Range => "RANGE",
            Self::Pattern => "PATTERN",
            Self::Enum => "ENUM",
            Self::Conflict => "CONFLICT",
            Self::Duplicate => "DUPLICATE",
            Self::Reserved => "RESERVED",
            Self::Unsupported => "UNSUPPORTED",
        }
    }
}

/// One broken rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// The path in the request message: `schema[2].name`.
    pub field: String,
    /// Why, for programs.
    pub reason: Reason,
    /// What is allowed, for people.
    pub description: String,
    /// What Cognito says.
    pub text: String,
    /// The exception that Cognito would raise.
    pub aws_error: AwsError,
}

impl Violation {
    /// A broken rule about what a value means, with Cognito's text for it.
    pub(super) fn new(
        field: impl Into<String>,
        reason: Reason,
        description: impl Into<String>,
        text: impl Into<String>,
    ) -> Self {
        let (field, description, text) = (field.into(), description.into(), text.into());
        Self { field, reason, description, text, aws_error: AwsError::InvalidParameter }
    }
}

/// A request that breaks rules, in the order of the request: all that an answer
/// has room for, and how many there are.
///
/// Nothing was recorded; the same request will always be refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct Invalid {
    kind: Kind,
    violations: Vec<Violation>,
    found: usize,
}

/// Cognito looks at fields one by one first, and only then at what they mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Field,
    Semantic,
}

impl Invalid {
    /// Refuses where a field on its own breaks a rule. `found` counts also the
    /// violations that were not kept.
    pub(super) fn fields(violations: Vec<Violation>, found: usize) -> Result<(), Self> {
        Self::unless_empty(Kind::Field, violations, found)
    }

    /// Refuses where fields together, or their meaning, break a rule.
    pub(super) fn semantics(violations: Vec<Violation>) -> Result<(), Self> {
        let found = violations.len();
        Self::unless_empty(Kind::Semantic, violations, found)
    }

    fn unless_empty(kind: Kind, violations: Vec<Violation>, found: usize) -> Result<(), Self> {
        if violations.is_empty() { Ok(()) } else { Err(Self { kind, violations, found }) }
    }

    /// The broken rules; there is one at least.
    #[must_use]
    pub fn violations(&self) -> &[Violation] {
        &self.violations
    }

    /// How many rules are broken, which may be more than are kept.
    #[must_use]
    pub const fn found(&self) -> usize {
        self.found
    }

    /// The exception that Cognito would raise.
    #[must_use]
    pub fn aws_error(&self) -> AwsError {
        self.violations.first().map_or(AwsError::InvalidParameter, |first| first.aws_error)
    }
}

/// Cognito's own text, so that people find it when they search for it.
impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.found;
        if self.kind == Kind::Field {
            let plural = if count == 1 { "" } else { "s" };
            write!(f, "{count} validation error{plural} detected: ")?;
        }
        let mut room = MESSAGE_BYTES;
        for (index, violation) in self.violations.iter().enumerate() {
            let separator = if index == 0 { "" } else { "; " };
            let left = room.checked_sub(sent_bytes(separator) + sent_bytes(&violation.text));
            match left {
                Some(left) => room = left,
                None if index == 0 => room = 0,
                None => return write!(f, "; and {} more", count - index),
            }
            write!(f, "{separator}{}", violation.text)?;
        }
        match count.saturating_sub(self.violations.len()) {
            0 => Ok(()),
            more => write!(f, "; and {more} more"),
        }
    }
}

/// How many bytes gRPC sends for a text: it escapes, as "%E3", what is not plain.
fn sent_bytes(text: &str) -> usize {
    text.bytes().map(|byte| if byte.is_ascii_alphanumeric() { 1 } else { 3 }).sum()
}
