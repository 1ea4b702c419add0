//! The public keys of checkpoints.

use std::fmt;

use crate::event_log::Hash;

/// The key that the signatures of checkpoints are verified with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PublicKey(pub [u8; 32]);

/// Writes 64 hexadecimal digits: a key is as long as a hash, and is written as one.
impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Hash(self.0).fmt(f)
    }
}
