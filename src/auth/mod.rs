//! The identity of callers, established by a certificate, a token or a socket, and what
//! they may do. Knows nothing of the protocols of their calls.

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
    grants::{CallerPattern, CallerPatternError, Grants, Role},
    identity::{COMMON_NAME, Identity},
    peer::{Peer, PeerAddress},
    token::{TokenAlgorithm, TokenKeys, TokenKeysError, TokenVerifier, UnknownAlgorithm},
    token_settings::{TokenSettings, TokenSettingsError},
};
pub(crate) use self::{
    authentication::Authentication,
    authorization::{Authorization, MissingRole},
    token::BadToken,
};
