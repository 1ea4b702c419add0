//! Violations: which rules a request breaks, and the message that lists them.

use std::fmt;

/// How many bytes of the message are violations, as gRPC encodes them. Clients reject
/// headers of more than 8 KiB, and the details need space as well.
const MAX_MESSAGE_BYTES: usize = 2 * 1024;

/// How many characters of the name of an unknown enum value a message repeats.
const MAX_NAME_CHARS: usize = 128;

/// The exception that Amazon Cognito raises.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AwsError {
    /// The request breaks a rule.
    InvalidParameter,
    /// The request breaks a rule for tags.
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

/// The kinds of rules, for programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// The field is required.
    Required,
    /// The number of characters or items is limited.
    Length,
    /// The number is limited.
    Range,
    /// The value must match a pattern.
    Pattern,
    /// The value must be one of an enum.
    Enum,
    /// The value depends on another field, or on the value before an update.
    Conflict,
    /// The value must be unique.
    Duplicate,
    /// The value must not be a reserved one.
    Reserved,
    /// The value must be a supported one.
    Unsupported,
}

impl Rule {
    /// The reason of the violation, as `BadRequest` has it.
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
    /// The path of the field in the request message: `schema[2].name`.
    pub field: String,
    /// The rule, for programs.
    pub rule: Rule,
    /// The rule, for people.
    pub description: String,
    /// The text of Cognito.
    pub text: String,
    /// The exception that Cognito raises.
    pub aws_error: AwsError,
}

impl Violation {
    pub(super) fn new(
        field: impl Into<String>,
        rule: Rule,
        description: impl Into<String>,
        text: impl Into<String>,
    ) -> Self {
        let (field, description, text) = (field.into(), description.into(), text.into());
        Self { field, rule, description, text, aws_error: AwsError::InvalidParameter }
    }
}

/// A request that breaks rules: the first violations, in the order of the request, and
/// their number.
///
/// Nothing was recorded. The same request is refused every time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct InvalidRequest {
    stage: CheckStage,
    violations: Vec<Violation>,
    violation_count: usize,
}

/// Cognito checks each field by itself first, in two places, and then what the fields mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum CheckStage {
    Fields,
    Semantics,
}

impl InvalidRequest {
    /// Fails when a field by itself breaks a rule. `violations` may omit some of them.
    pub(super) fn fields(violations: Vec<Violation>, violation_count: usize) -> Result<(), Self> {
        Self::unless_empty(CheckStage::Fields, violations, violation_count)
    }

    /// Fails when the meaning of the fields breaks a rule.
    pub(super) fn semantics(violations: Vec<Violation>) -> Result<(), Self> {
        let violation_count = violations.len();
        Self::unless_empty(CheckStage::Semantics, violations, violation_count)
    }

    fn unless_empty(
        stage: CheckStage,
        violations: Vec<Violation>,
        violation_count: usize,
    ) -> Result<(), Self> {
        if violations.is_empty() {
            Ok(())
        } else {
            Err(Self { stage, violations, violation_count })
        }
    }

    /// Shows these names instead of the numbers that stand for them: numbers of enum values
    /// that do not exist, in a request whose format has the names.
    #[must_use]
    pub(crate) fn with_enum_names(mut self, names: &[(i32, String)]) -> Self {
        let unknown = self.violations.iter_mut().filter(|violation| violation.rule == Rule::Enum);
        for violation in unknown {
            for (number, name) in names {
                let name: String = name.chars().take(MAX_NAME_CHARS).collect();
                violation.text = violation.text.replace(&number.to_string(), &name);
            }
        }
        self
    }

    /// Adds that a list is empty that must have an item, before the first violation that
    /// `is_after` it. `path` is the path of the field as Cognito writes it, and `other` are the
    /// other violations of the request.
    pub(crate) fn with_empty_list(
        other: Option<Self>,
        field: &str,
        path: &str,
        is_after: impl Fn(&Violation) -> bool,
    ) -> Self {
        let none = || Self { stage: CheckStage::Fields, violations: vec![], violation_count: 0 };
        // The other stage is reached only if no field by itself breaks a rule.
        let mut all = other.filter(|other| other.stage == CheckStage::Fields).unwrap_or_else(none);
        let text = format!(
            "Value '[]' at '{path}' failed to satisfy constraint: Member must have length greater \
             than or equal to 1"
        );
        let violation =
            Violation::new(field, Rule::Length, "must have at least 1 item, has 0", text);
        let place = all.violations.iter().position(is_after).unwrap_or(all.violations.len());
        all.violations.insert(place, violation);
        all.violation_count += 1;
        all
    }

    /// The violations: at least one, but not more than a response has space for.
    #[must_use]
    pub fn violations(&self) -> &[Violation] {
        &self.violations
    }

    /// How many rules the request breaks.
    #[must_use]
    pub const fn violation_count(&self) -> usize {
        self.violation_count
    }

    /// The exception that Cognito raises: that of the first violation.
    #[must_use]
    pub fn aws_error(&self) -> AwsError {
        self.violations.first().map_or(AwsError::InvalidParameter, |first| first.aws_error)
    }
}

/// A rule for the meaning of the fields that is broken.
impl From<Violation> for InvalidRequest {
    fn from(violation: Violation) -> Self {
        Self { stage: CheckStage::Semantics, violations: vec![violation], violation_count: 1 }
    }
}

/// The message of Cognito, which people search for.
impl fmt::Display for InvalidRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.violation_count;
        if self.stage == CheckStage::Fields {
            let plural = if count == 1 { "" } else { "s" };
            write!(f, "{count} validation error{plural} detected: ")?;
        }
        let mut left = MAX_MESSAGE_BYTES;
        for (index, violation) in self.violations.iter().enumerate() {
            let separator = if index == 0 { "" } else { "; " };
            match left.checked_sub(encoded_bytes(separator) + encoded_bytes(&violation.text)) {
                Some(rest) => left = rest,
                None if index == 0 => left = 0,
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

/// How many bytes of a gRPC header a text takes: each byte that is not a letter or a digit
/// may be escaped, as in "%E3".
fn encoded_bytes(text: &str) -> usize {
    text.bytes().map(|byte| if byte.is_ascii_alphanumeric() { 1 } else { 3 }).sum()
}
