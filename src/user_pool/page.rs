//! Checked requests for one page of a list.

use crate::proto::ListUserPoolDomainsRequest;

use super::{InvalidRequest, check::Check, fields};

/// A request for one page of a list.
#[derive(Debug, Clone)]
pub struct PageRequest {
    /// The maximum number of items: 1 to 60.
    pub max_results: usize,
    /// The token of the previous page; absent for the first page.
    pub next_token: Option<String>,
}

impl PageRequest {
    /// Checks a request for a page of domains.
    ///
    /// # Errors
    /// The field rules that it breaks.
    pub fn of_domains(request: ListUserPoolDomainsRequest) -> Result<Self, InvalidRequest> {
        Self::parse(request.max_results, request.next_token, request.min_position, |_| ())
    }

    /// Checks the fields that every list has, and the `others` of this one.
    pub(super) fn parse(
        max_results: Option<i32>,
        next_token: Option<String>,
        min_position: Option<i64>,
        others: impl FnOnce(&mut Check),
    ) -> Result<Self, InvalidRequest> {
        Check::run(|check| {
            fields::page(check, max_results, next_token.as_ref());
            fields::min_position(check, min_position);
            others(check);
        })?;
        let max_results = max_results.and_then(|max| usize::try_from(max).ok()).unwrap_or(1);
        Ok(Self { max_results, next_token })
    }
}
