//! The signature algorithms of tokens, by their names in JWTs.

use std::{fmt, str::FromStr};

/// A signature algorithm with a public key. Those with a shared secret are not supported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenAlgorithm {
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256,
    /// RSASSA-PKCS1-v1_5 with SHA-384.
    Rs384,
    /// RSASSA-PKCS1-v1_5 with SHA-512.
    Rs512,
    /// RSASSA-PSS with SHA-256.
    Ps256,
    /// RSASSA-PSS with SHA-384.
    Ps384,
    /// RSASSA-PSS with SHA-512.
    Ps512,
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// ECDSA on P-384 with SHA-384.
    Es384,
    /// Ed25519.
    EdDsa,
}

const NAMES: [(&str, TokenAlgorithm); 9] = [
    ("RS256", TokenAlgorithm::Rs256),
    ("RS384", TokenAlgorithm::Rs384),
    ("RS512", TokenAlgorithm::Rs512),
    ("PS256", TokenAlgorithm::Ps256),
    ("PS384", TokenAlgorithm::Ps384),
    ("PS512", TokenAlgorithm::Ps512),
    ("ES256", TokenAlgorithm::Es256),
    ("ES384", TokenAlgorithm::Es384),
    ("EdDSA", TokenAlgorithm::EdDsa),
];

/// The name is not one of a [`TokenAlgorithm`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384 or EdDSA")]
pub struct UnknownAlgorithm;

impl FromStr for TokenAlgorithm {
    type Err = UnknownAlgorithm;

    fn from_str(text: &str) -> Result<Self, UnknownAlgorithm> {
        let row = NAMES.iter().find(|(name, _)| *name == text);
        row.map(|(_, algorithm)| *algorithm).ok_or(UnknownAlgorithm)
    }
}

impl fmt::Display for TokenAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let row = NAMES.iter().find(|(_, algorithm)| algorithm == self);
        f.write_str(row.map_or("", |(name, _)| name))
    }
}
