//! AWS access keys: the file of them, and the verification of their signatures.

mod bad_signature;
mod keys;
mod settings;
mod signature;
mod verifier;

pub(crate) use self::{
    bad_signature::BadSignature,
    signature::claimed_credential,
    verifier::{SignedRequest, check_region},
};
pub use self::{
    keys::AccessKeys,
    settings::{AccessKeySettings, AccessKeysError},
    verifier::AccessKeyVerifier,
};
