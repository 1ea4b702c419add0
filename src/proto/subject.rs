//! Patterns of the subjects of actors.

use std::str::FromStr;

use regex::Regex;

/// A pattern that a whole subject must match: `*` matches any text without a slash, and `**`
/// any text.
#[derive(Debug, Clone)]
pub struct SubjectPattern(Regex);

/// The text is too long for a [`SubjectPattern`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the pattern is too long")]
pub struct SubjectPatternError;

impl SubjectPattern {
    /// Whether the whole subject matches.
    #[must_use]
    pub fn matches(&self, subject: &str) -> bool {
        self.0.is_match(subject)
    }
}

impl FromStr for SubjectPattern {
    type Err = SubjectPatternError;

    fn from_str(text: &str) -> Result<Self, SubjectPatternError> {
        let segment = |text: &str| {
            let parts: Vec<_> = text.split('*').map(regex::escape).collect();
            parts.join("[^/]*")
        };
        let parts: Vec<_> = text.split("**").map(segment).collect();
        let expression = format!(r"(?s)\A{}\z", parts.join(".*"));
        Regex::new(&expression).map(Self).map_err(|_| SubjectPatternError)
    }
}
