//! Ed25519 for checkpoints: keys in PEM, and strict verification.

use data_encoding::BASE64;
use ring::{
    error::Unspecified,
    rand::{SecureRandom as _, SystemRandom},
    signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey},
};
use tokio_rustls::rustls::pki_types::{
    PrivatePkcs8KeyDer, SubjectPublicKeyInfoDer, pem::PemObject as _,
};

/// The DER before the 32 bytes of a private key in PKCS #8. Every version of openssl reads
/// version 1, which is without the public key.
const PKCS8_PREFIX: [u8; 16] =
    [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];
/// The DER before the 32 bytes of a public key in a `SubjectPublicKeyInfo`.
const SPKI_PREFIX: [u8; 12] = [0x30, 0x2a, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 3, 0x21, 0];

/// A private key and its public key.
#[derive(Debug)]
pub(super) struct KeyPair {
    pair: Ed25519KeyPair,
    pub(super) public_key: [u8; 32],
}

impl KeyPair {
    fn new(pair: Ed25519KeyPair) -> Option<Self> {
        let public_key = pair.public_key().as_ref().try_into().ok()?;
        Some(Self { pair, public_key })
    }

    /// Creates a key pair, and its PEM. Returns `None` if there are no random bytes.
    pub(super) fn generate() -> Option<(Self, String)> {
        let mut seed = [0; 32];
        SystemRandom::new().fill(&mut seed).ok()?;
        let pair = Ed25519KeyPair::from_seed_unchecked(&seed).ok()?;
        Some((Self::new(pair)?, pem("PRIVATE KEY", &[PKCS8_PREFIX.as_slice(), &seed].concat())))
    }

    /// Reads a private key in PKCS #8, with or without its public key.
    pub(super) fn from_pem(text: &[u8]) -> Option<Self> {
        let der = PrivatePkcs8KeyDer::from_pem_slice(text).ok()?;
        Self::new(Ed25519KeyPair::from_pkcs8_maybe_unchecked(der.secret_pkcs8_der()).ok()?)
    }

    /// Signs a text.
    pub(super) fn sign(&self, text: &str) -> Vec<u8> {
        self.pair.sign(text.as_bytes()).as_ref().to_vec()
    }
}

/// The public key in PEM, as openssl reads it.
pub(super) fn public_key_to_pem(key: [u8; 32]) -> String {
    pem("PUBLIC KEY", &[SPKI_PREFIX.as_slice(), &key].concat())
}

/// Reads a public key in PEM.
pub(crate) fn public_key_from_pem(text: &[u8]) -> Option<[u8; 32]> {
    let der = SubjectPublicKeyInfoDer::from_pem_slice(text).ok()?;
    der.strip_prefix(SPKI_PREFIX.as_slice())?.try_into().ok()
}

/// Verifies a signature strictly. ring refuses an S or R that is not canonical, but
/// accepts a key or R of small order, with which one signature fits many texts.
pub(super) fn verify(key: [u8; 32], text: &str, signature: [u8; 64]) -> Result<(), Unspecified> {
    let [r, _] = signature.as_chunks().0 else { return Err(Unspecified) };
    if has_small_order(key) || has_small_order(*r) {
        return Err(Unspecified);
    }
    UnparsedPublicKey::new(&ED25519, key).verify(text.as_bytes(), &signature)
}

/// Whether an encoded point is one of the eight whose order divides 8.
fn has_small_order(mut point: [u8; 32]) -> bool {
    const POINTS: [[u8; 32]; 7] = [
        // y = 0 and y = 1.
        filled(0, 0, 0),
        filled(1, 0, 0),
        // The y of the four points of order 8.
        [
            0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef,
            0x98, 0xf0, 0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88,
            0x6d, 0x53, 0xfc, 0x05,
        ],
        [
            0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10,
            0x67, 0x0f, 0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77,
            0x92, 0xac, 0x03, 0x7a,
        ],
        // y = p - 1; and y = p and y = p + 1, which encode 0 and 1 again.
        filled(0xec, 0xff, 0x7f),
        filled(0xed, 0xff, 0x7f),
        filled(0xee, 0xff, 0x7f),
    ];
    // The highest bit is the sign of x.
    if let Some(last) = point.last_mut() {
        *last &= 0x7f;
    }
    POINTS.contains(&point)
}

/// Returns 32 bytes, of which the 30 in the middle are equal.
const fn filled(first: u8, middle: u8, last: u8) -> [u8; 32] {
    let mut bytes = [middle; 32];
    bytes[0] = first;
    bytes[31] = last;
    bytes
}

/// Encodes at most 48 bytes, which fit on one line, as PEM.
fn pem(label: &str, der: &[u8]) -> String {
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", BASE64.encode(der))
}
