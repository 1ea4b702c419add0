//! The access settings of the server.

use super::{Grants, TokenVerifier};

/// The settings that decide whether a call is allowed.
#[derive(Debug, Clone, Default)]
pub struct Access {
    /// Verifies tokens; if `None`, calls with a token are refused.
    pub tokens: Option<TokenVerifier>,
    /// The roles of callers.
    pub grants: Grants,
}
