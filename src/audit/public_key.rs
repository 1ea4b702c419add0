//! The public keys of checkpoints.

use std::{ffi::OsStr, fmt, fs};

use crate::event_log::Hash;

use super::ed25519;

/// The key that the signatures of checkpoints are verified with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PublicKey(pub [u8; 32]);

impl PublicKey {
    /// Reads 64 hexadecimal digits, or a file with a public key in PEM.
    ///
    /// # Errors
    /// The file cannot be read, or has no key.
    pub fn read(text: &OsStr) -> Result<Self, String> {
        // A key is as long as a hash, and is written as one.
        if let Some(Ok(Hash(key))) = text.to_str().map(str::parse) {
            return Ok(Self(key));
        }
        let pem = fs::read(text).map_err(|error| {
            format!("neither 64 hexadecimal digits nor a readable file: {error}")
        })?;
        let key = ed25519::public_key_from_pem(&pem);
        key.map(Self).ok_or_else(|| "the file has no Ed25519 public key in PEM".to_owned())
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Hash(self.0).fmt(f)
    }
}
