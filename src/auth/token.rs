//! Bearer tokens: extraction, parsing and verification.

mod algorithm;
mod bad_token;
mod bearer;
mod jws;
mod keys;
mod verification_key;
mod verifier;

pub(crate) use self::bad_token::BadToken;
pub use self::{
    algorithm::{TokenAlgorithm, UnknownAlgorithm},
    keys::{TokenKeys, TokenKeysError},
    verifier::TokenVerifier,
};
pub(super) use self::{bearer::bearer, verifier::AcceptedToken};
