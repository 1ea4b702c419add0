//! Domain prefixes, and the words that they must not contain.

use std::fmt;

use crate::proto::DescribeUserPoolDomainRequest;

use super::{
    InvalidRequest,
    check::Check,
    fields,
    violation::{Rule, Violation},
};

/// The prefix of the hosted domain of a user pool, in the form that Cognito allows.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DomainPrefix(String);

impl DomainPrefix {
    /// Checks a request to describe a domain.
    ///
    /// # Errors
    /// The field rules that it breaks.
    pub fn parse(request: DescribeUserPoolDomainRequest) -> Result<Self, InvalidRequest> {
        Check::run(|check| fields::domain(check, request.domain.as_ref()))?;
        Ok(Self::new(request.domain.unwrap_or_default()))
    }

    /// Trusts a prefix that was checked.
    pub(super) const fn new(prefix: String) -> Self {
        Self(prefix)
    }

    /// The prefix as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The violation for a reserved word in the prefix, if there is one.
    ///
    /// Source: refusals observed on AWS, which refuses `newcognito` and accepts `awsome`.
    /// So "aws" is reserved as a whole word between hyphens, the other words anywhere.
    pub(super) fn reserved_word(&self) -> Option<Violation> {
        let substring = ["cognito", "amazon"].into_iter().find(|word| self.0.contains(word));
        let word = substring.or_else(|| self.0.split('-').find(|word| *word == "aws"))?;
        Some(Violation::new(
            "domain",
            Rule::Reserved,
            format!("must not contain \"{word}\""),
            format!("Domain cannot contain reserved word: {word}"),
        ))
    }
}

impl fmt::Display for DomainPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
