//! The ID of a user pool.

use std::fmt;

use crate::proto::DescribeUserPoolRequest;

use super::{InvalidRequest, check::Check, fields};

/// The ID of a user pool: `<region>_<nine letters and digits>`. It never changes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UserPoolId(String);

impl UserPoolId {
    /// Checks a request to describe a user pool.
    ///
    /// # Errors
    /// The field rules that it breaks.
    pub fn parse(request: DescribeUserPoolRequest) -> Result<Self, InvalidRequest> {
        Check::run(|check| {
            fields::user_pool_id(check, request.user_pool_id.as_ref());
            fields::min_position(check, request.min_position);
        })?;
        Ok(Self(request.user_pool_id.unwrap_or_default()))
    }

    /// Trusts an ID that this service generated, stored or checked.
    pub(crate) const fn from_trusted(id: String) -> Self {
        Self(id)
    }

    /// The ID as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for UserPoolId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
