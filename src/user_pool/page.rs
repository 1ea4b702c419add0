//! A page of a list.

use crate::proto::{ListUserPoolDomainsRequest, ListUserPoolsRequest};

use super::{Invalid, check::Check, fields};

/// A page of a list: how many items at most, and after which token.
#[derive(Debug, Clone)]
pub struct Page {
    /// How many items at most.
    pub max_results: usize,
    /// The token of the page before.
    pub next_token: Option<String>,
}

impl Page {
    /// Checks a request for a page of user pools.
    ///
    /// # Errors
    /// Every field rule that it breaks.
    pub fn of_user_pools(request: ListUserPoolsRequest) -> Result<Self, Invalid> {
        Self::parse(request.max_results, request.next_token)
    }

    /// Checks a request for a page of domains.
    ///
    /// # Errors
    /// Every field rule that it breaks.
    pub fn of_domains(request: ListUserPoolDomainsRequest) -> Result<Self, Invalid> {
        Self::parse(request.max_results, request.next_token)
    }

    fn parse(max_results: Option<i32>, next_token: Option<String>) -> Result<Self, Invalid> {
        Check::run(|check| fields::page(check, max_results, next_token.as_ref()))?;
        let max_results = max_results.and_then(|max| usize::try_from(max).ok()).unwrap_or(1);
        Ok(Self { max_results, next_token })
    }
}
