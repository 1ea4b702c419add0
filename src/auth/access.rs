//! Who may call what, as the settings say it.

use super::{Grants, Tokens};

/// What decides whether a call is allowed.
#[derive(Debug, Clone, Default)]
pub struct Access {
    /// The tokens that are accepted; absent where calls with a token are refused.
    pub tokens: Option<Tokens>,
    /// What callers are granted.
    pub grants: Grants,
}
