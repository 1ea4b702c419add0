//! Who calls, established by a certificate, a token or a socket, and what they may do.
//! Knows nothing of the doors they come through.

mod access;
mod authentication;
mod authorization;
pub(crate) mod certificate;
mod grants;
mod identity;
mod peer;
mod token;
mod token_settings;

pub use self::{
    access::Access,
    grants::{Grants, Pattern, PatternError, Role},
    identity::{COMMON_NAME, Identity},
    peer::{Peer, Who},
    token::{TokenAlgorithm, TokenKeys, TokenKeysError, Tokens, UnknownAlgorithm},
    token_settings::{TokenSettings, TokensError},
};
pub(crate) use self::{
    authentication::Authentication,
    authorization::{Authorization, MissingRole},
    token::BadToken,
};
