//! Authentication of callers by certificate, token, access key or socket, and their
//! authorization. Uses no protocol adapter, but knows the names of the methods and the header
//! `authorization`.

mod access;
mod access_key;
mod authentication;
mod authorization;
pub(crate) mod certificate;
mod grants;
mod identity;
mod peer;
mod spiffe_id;
mod token;
mod token_settings;

pub use self::{
    access::Access,
    access_key::{AccessKeySettings, AccessKeyVerifier, AccessKeys, AccessKeysError},
    grants::{CallerPattern, CallerPatternError, Grants, Role},
    identity::{COMMON_NAME, Identity},
    peer::{Peer, PeerAddress},
    token::{TokenAlgorithm, TokenKeys, TokenKeysError, TokenVerifier, UnknownAlgorithm},
    token_settings::{TokenSettings, TokenSettingsError},
};
pub(crate) use self::{
    access_key::{BadSignature, SignedRequest, check_region, claimed_credential},
    authentication::{Authentication, TokenExpiry},
    authorization::{Authorization, MissingRole},
    token::BadToken,
};
