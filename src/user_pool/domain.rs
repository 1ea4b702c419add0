//! Domain prefixes and the words that they may not contain.

use std::fmt;

use crate::proto::DescribeUserPoolDomainRequest;

use super::{
    Invalid,
    check::Check,
    fields,
    violation::{Reason, Violation},
};

/// The prefix of a user pool's hosted domain, in the form that Cognito allows.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DomainPrefix(String);

impl DomainPrefix {
    /// Checks a request to describe a domain.
    ///
    /// # Errors
    /// Every field rule that it breaks.
    pub fn parse(request: DescribeUserPoolDomainRequest) -> Result<Self, Invalid> {
        Check::run(|check| fields::domain(check, request.domain.as_ref()))?;
        Ok(Self::new(request.domain.unwrap_or_default()))
    }

    /// The prefix of a request that was checked.
    pub(super) const fn new(prefix: String) -> Self {
        Self(prefix)
    }

    /// The prefix as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The reserved word that the prefix contains, where it does.
    ///
    /// Source: refusals seen on AWS. `newcognito` is refused and `awsome` is not,
    /// so "aws" counts as a word between hyphens, the others anywhere.
    pub(super) fn reserved_word(&self) -> Option<Violation> {
        let anywhere = ["cognito", "amazon"].into_iter().find(|word| self.0.contains(word));
        let word = anywhere.or_else(|| self.0.split('-').find(|word| *word == "aws"))?;
        Some(Violation::new(
            "domain",
            Reason::Reserved,
            format!("may not contain \"{word}\""),
            format!("Domain cannot contain reserved word: {word}"),
        ))
    }
}

impl fmt::Display for DomainPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
