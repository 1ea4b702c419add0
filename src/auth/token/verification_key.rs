//! A public key that verifies signatures of tokens.

use ring::{
    agreement::{self, EphemeralPrivateKey, agree_ephemeral},
    error::Unspecified,
    rand::SystemRandom,
    signature::{self, RsaPublicKeyComponents, UnparsedPublicKey},
};
use x509_cert::{
    der::{self, Decode as _, Reader as _, SliceReader, asn1::UintRef, oid::ObjectIdentifier},
    spki::SubjectPublicKeyInfoRef,
};

use super::TokenAlgorithm::{self, EdDsa, Es256, Es384, Ps256, Ps384, Ps512, Rs256, Rs384, Rs512};

/// The size of an RSA modulus, in bytes: 2048 to 4096 bits.
const RSA_MODULUS_BYTES: std::ops::RangeInclusive<usize> = 256..=512;
/// The range of RSA exponents that ring accepts; they must be odd as well.
const RSA_EXPONENTS: std::ops::Range<u64> = 3..1 << 33;
/// The size of an Ed25519 key.
const ED25519_BYTES: usize = 32;

const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const EC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
const P384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.34");
const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");

/// A public key. The points on P-256 and P-384 are uncompressed.
#[derive(Debug)]
pub(super) enum VerificationKey {
    Rsa(RsaPublicKeyComponents<Vec<u8>>),
    P256(Vec<u8>),
    P384(Vec<u8>),
    Ed25519(Vec<u8>),
}

impl VerificationKey {
    /// Creates an RSA key from its modulus and exponent, which may have leading zeros.
    pub(super) fn rsa(n: &[u8], e: &[u8]) -> Self {
        Self::Rsa(RsaPublicKeyComponents { n: trim(n), e: trim(e) })
    }

    /// Reads a `SubjectPublicKeyInfo`.
    pub(super) fn from_der(der: &[u8]) -> Result<Self, &'static str> {
        const DAMAGED: &str = "its DER encoding is invalid";
        const UNSUPPORTED: &str = "expected an RSA, P-256, P-384 or Ed25519 key";
        let damaged = |_: der::Error| DAMAGED;
        let info = SubjectPublicKeyInfoRef::from_der(der).map_err(damaged)?;
        let key = info.subject_public_key.as_bytes().ok_or(DAMAGED)?;
        match (info.algorithm.oid, info.algorithm.parameters) {
            (RSA, _) => {
                let mut reader = SliceReader::new(key).map_err(damaged)?;
                let parts = reader.sequence(|reader| {
                    let parts = (UintRef::decode(reader)?, UintRef::decode(reader)?);
                    Ok::<_, der::Error>(parts)
                });
                let (n, e) = parts.map_err(damaged)?;
                Ok(Self::rsa(n.as_bytes(), e.as_bytes()))
            }
            (EC, Some(curve)) => match curve.decode_as().map_err(damaged)? {
                P256 => Ok(Self::P256(key.to_vec())),
                P384 => Ok(Self::P384(key.to_vec())),
                _ => Err(UNSUPPORTED),
            },
            (ED25519, _) => Ok(Self::Ed25519(key.to_vec())),
            (_, _) => Err(UNSUPPORTED),
        }
    }

    /// The algorithms that it can verify.
    pub(super) const fn algorithms(&self) -> &'static [TokenAlgorithm] {
        match self {
            Self::Rsa(_) => &[Rs256, Rs384, Rs512, Ps256, Ps384, Ps512],
            Self::P256(_) => &[Es256],
            Self::P384(_) => &[Es384],
            Self::Ed25519(_) => &[EdDsa],
        }
    }

    /// Refuses an invalid key, because [`Self::verify`] does not distinguish it from an
    /// invalid signature. ring cannot check whether an Ed25519 key is a point on the curve.
    pub(super) fn check(&self) -> Result<(), &'static str> {
        let (problem, usable) = match self {
            Self::Rsa(RsaPublicKeyComponents { n, .. })
                if !RSA_MODULUS_BYTES.contains(&n.len()) =>
            {
                ("an RSA key must have 2048 to 4096 bits", false)
            }
            Self::Rsa(RsaPublicKeyComponents { n, e }) => {
                let is_odd = |number: &[u8]| number.last().is_some_and(|byte| byte % 2 == 1);
                let exponent = e.iter().try_fold(0_u64, |value, byte| {
                    Some(value.checked_mul(256)? | u64::from(*byte))
                });
                let in_range = exponent.is_some_and(|value| RSA_EXPONENTS.contains(&value));
                ("the modulus or exponent is invalid", is_odd(n) && is_odd(e) && in_range)
            }
            Self::P256(point) => {
                ("the point is not on the curve", is_on_curve(&agreement::ECDH_P256, point))
            }
            Self::P384(point) => {
                ("the point is not on the curve", is_on_curve(&agreement::ECDH_P384, point))
            }
            Self::Ed25519(key) => ("an Ed25519 key must have 32 bytes", key.len() == ED25519_BYTES),
        };
        if usable { Ok(()) } else { Err(problem) }
    }

    /// Verifies a signature of the message.
    pub(super) fn verify(
        &self,
        algorithm: TokenAlgorithm,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), Unspecified> {
        let rsa = |key: &RsaPublicKeyComponents<Vec<u8>>, parameters| {
            key.verify(parameters, message, signature)
        };
        let other =
            |key, algorithm| UnparsedPublicKey::new(algorithm, key).verify(message, signature);
        match (self, algorithm) {
            (Self::Rsa(key), Rs256) => rsa(key, &signature::RSA_PKCS1_2048_8192_SHA256),
            (Self::Rsa(key), Rs384) => rsa(key, &signature::RSA_PKCS1_2048_8192_SHA384),
            (Self::Rsa(key), Rs512) => rsa(key, &signature::RSA_PKCS1_2048_8192_SHA512),
            (Self::Rsa(key), Ps256) => rsa(key, &signature::RSA_PSS_2048_8192_SHA256),
            (Self::Rsa(key), Ps384) => rsa(key, &signature::RSA_PSS_2048_8192_SHA384),
            (Self::Rsa(key), Ps512) => rsa(key, &signature::RSA_PSS_2048_8192_SHA512),
            (Self::P256(key), Es256) => other(key, &signature::ECDSA_P256_SHA256_FIXED),
            (Self::P384(key), Es384) => other(key, &signature::ECDSA_P384_SHA384_FIXED),
            (Self::Ed25519(key), EdDsa) => other(key, &signature::ED25519),
            (_, _) => Err(Unspecified),
        }
    }
}

/// Removes leading zeros, which ring refuses.
fn trim(number: &[u8]) -> Vec<u8> {
    number.iter().copied().skip_while(|byte| *byte == 0).collect()
}

/// Whether a point is on its curve: ring's key agreement refuses one that is not.
fn is_on_curve(curve: &'static agreement::Algorithm, point: &[u8]) -> bool {
    let own = EphemeralPrivateKey::generate(curve, &SystemRandom::new());
    let point = agreement::UnparsedPublicKey::new(curve, point);
    own.and_then(|own| agree_ephemeral(own, &point, |_| ())).is_ok()
}
