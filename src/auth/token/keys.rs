//! The public keys that tokens are signed with: a JWK set, or PEM.

use std::{fmt, str::FromStr};

use data_encoding::BASE64URL_NOPAD;
use jsonwebtoken::{
    Algorithm, AlgorithmFamily, DecodingKey, Header, Validation, crypto, decode, errors::ErrorKind,
};
use serde::Deserialize;
use x509_parser::{
    pem::Pem, prelude::FromDer as _, public_key::PublicKey as Parsed, x509::SubjectPublicKeyInfo,
};

use super::{BadToken, Claims};

/// How many bytes the modulus of an RSA key may have: 2048 to 4096 bits.
const RSA_BYTES: std::ops::RangeInclusive<usize> = 256..=512;
/// How many bytes a key of Ed25519 has.
const ED25519_BYTES: usize = 32;

/// The algorithms that can be allowed. None of them has a secret that this server
/// would have to know.
const ALGORITHMS: [(&str, Algorithm); 9] = [
    ("RS256", Algorithm::RS256),
    ("RS384", Algorithm::RS384),
    ("RS512", Algorithm::RS512),
    ("PS256", Algorithm::PS256),
    ("PS384", Algorithm::PS384),
    ("PS512", Algorithm::PS512),
    ("ES256", Algorithm::ES256),
    ("ES384", Algorithm::ES384),
    ("EdDSA", Algorithm::EdDSA),
];

/// How a token may be signed, by the name that JWTs have for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TokenAlgorithm(Algorithm);

/// A name of no such algorithm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384 or EdDSA")]
pub struct UnknownAlgorithm;

impl FromStr for TokenAlgorithm {
    type Err = UnknownAlgorithm;

    fn from_str(text: &str) -> Result<Self, UnknownAlgorithm> {
        let known = ALGORITHMS.iter().find(|(name, _)| *name == text);
        known.map(|(_, algorithm)| Self(*algorithm)).ok_or(UnknownAlgorithm)
    }
}

impl fmt::Display for TokenAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known = ALGORITHMS.iter().find(|(_, algorithm)| *algorithm == self.0);
        f.write_str(known.map_or("", |(name, _)| name))
    }
}

/// Keys, each with what it may be used for.
#[derive(Debug)]
pub struct TokenKeys {
    allowed: Vec<Algorithm>,
    keys: Vec<Key>,
}

#[derive(Debug)]
struct Key {
    /// What tokens call it.
    id: Option<String>,
    decoding: DecodingKey,
    validation: Validation,
}

/// Why a text has no keys that can be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TokenKeysError {
    /// It is neither a JWK set nor PEM.
    #[error("it is neither a JWK set ({{\"keys\": [...]}}) nor public keys in PEM")]
    Unreadable,
    /// It has what nobody but the issuer should have.
    #[error("it has a private key; leave that with the issuer, and put only public keys here")]
    Private,
    /// It has a key that cannot be used.
    #[error("key {number} cannot be used: {problem}")]
    Key {
        /// Which one, from 1.
        number: usize,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// It has keys for other algorithms only.
    #[error("it has no key to verify signatures with, for any algorithm that is allowed")]
    NoneUsable,
}

/// A public key, however it was written.
enum PublicKey {
    Rsa { n: Vec<u8>, e: Vec<u8> },
    P256(Vec<u8>),
    P384(Vec<u8>),
    Ed25519(Vec<u8>),
}

/// One key of a JWK set. Members that are not here do not matter.
#[derive(Deserialize)]
struct Jwk {
    kty: String,
    crv: Option<String>,
    kid: Option<String>,
    alg: Option<String>,
    r#use: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
    d: Option<String>,
}

#[derive(Deserialize)]
struct JwkSet {
    keys: Vec<Jwk>,
}

impl TokenKeys {
    /// Reads keys, of which those are taken that are for one of the algorithms.
    ///
    /// # Errors
    /// See [`TokenKeysError`].
    pub fn parse(text: &[u8], algorithms: &[TokenAlgorithm]) -> Result<Self, TokenKeysError> {
        let allowed: Vec<_> = algorithms.iter().map(|algorithm| algorithm.0).collect();
        let keys = match text.trim_ascii_start().first() {
            Some(b'{') => jwk_set(text, &allowed)?,
            Some(_) | None => pem(text, &allowed)?,
        };
        if keys.is_empty() {
            return Err(TokenKeysError::NoneUsable);
        }
        Ok(Self { allowed, keys })
    }

    /// What a token says, if one of the keys signed it.
    pub(crate) fn verified(&self, token: &str, header: &Header) -> Result<Claims, BadToken> {
        if !self.allowed.contains(&header.alg) {
            return Err(BadToken::Algorithm);
        }
        let mut candidates = self.keys.iter().filter(|key| key.may_have_signed(header)).peekable();
        if candidates.peek().is_none() {
            return Err(BadToken::UnknownKey);
        }
        for key in candidates {
            match decode(token, &key.decoding, &key.validation) {
                Ok(token) => return Ok(token.claims),
                Err(error) if matches!(error.kind(), ErrorKind::InvalidSignature) => (),
                Err(_) => return Err(BadToken::Malformed),
            }
        }
        Err(BadToken::Signature)
    }
}

impl Key {
    /// Nothing where it is for none of the algorithms that are allowed.
    fn new(
        id: Option<String>,
        public: &PublicKey,
        allowed: impl Fn(Algorithm) -> bool,
    ) -> Result<Option<Self>, &'static str> {
        let mut algorithms = public.algorithms().to_vec();
        algorithms.retain(|algorithm| allowed(*algorithm));
        let Some(first) = algorithms.first() else { return Ok(None) };
        let decoding = public.decoding_key()?;
        // Points that are not on the curve show only here.
        crypto::verify("", &[], &decoding, *first).map_err(|_| "it is none of its kind")?;
        // What the claims say is checked with the time of this service, and not here.
        let mut validation = Validation::new(*first);
        validation.algorithms = algorithms;
        validation.required_spec_claims.clear();
        validation.validate_exp = false;
        validation.validate_aud = false;
        Ok(Some(Self { id, decoding, validation }))
    }

    fn may_have_signed(&self, header: &Header) -> bool {
        let named = match (&self.id, &header.kid) {
            (Some(id), Some(named)) => id == named,
            (None, _) | (_, None) => true,
        };
        named && self.validation.algorithms.contains(&header.alg)
    }
}

impl PublicKey {
    fn algorithms(&self) -> &'static [Algorithm] {
        match self {
            Self::Rsa { .. } => AlgorithmFamily::Rsa.algorithms(),
            Self::P256(_) => &[Algorithm::ES256],
            Self::P384(_) => &[Algorithm::ES384],
            Self::Ed25519(_) => &[Algorithm::EdDSA],
        }
    }

    fn decoding_key(&self) -> Result<DecodingKey, &'static str> {
        match self {
            Self::Rsa { n, e } => {
                let significant = n.iter().position(|byte| *byte != 0).unwrap_or(n.len());
                let n = n.get(significant..).unwrap_or_default();
                if !RSA_BYTES.contains(&n.len()) {
                    return Err("an RSA key is to have 2048 to 4096 bits");
                }
                Ok(DecodingKey::from_rsa_raw_components(n, e))
            }
            Self::P256(point) | Self::P384(point) => Ok(DecodingKey::from_ec_der(point)),
            // The library relies on the length.
            Self::Ed25519(key) if key.len() != ED25519_BYTES => Err("it is no key of Ed25519"),
            Self::Ed25519(key) => Ok(DecodingKey::from_ed_der(key)),
        }
    }
}

fn jwk_set(text: &[u8], allowed: &[Algorithm]) -> Result<Vec<Key>, TokenKeysError> {
    let set: JwkSet = serde_json::from_slice(text).map_err(|_| TokenKeysError::Unreadable)?;
    let mut keys = Vec::new();
    for (number, jwk) in (1..).zip(set.keys) {
        // A secret that is shared is private, too.
        if jwk.d.is_some() || jwk.kty == "oct" {
            return Err(TokenKeysError::Private);
        }
        let of_key = |problem| TokenKeysError::Key { number, problem };
        let Some(public) = jwk.public_key().map_err(of_key)? else { continue };
        let pinned = jwk.alg.as_deref().map(TokenAlgorithm::from_str);
        let key = Key::new(jwk.kid, &public, |algorithm| {
            let pinned = pinned.is_none_or(|pinned| pinned.is_ok_and(|it| it.0 == algorithm));
            pinned && allowed.contains(&algorithm)
        });
        keys.extend(key.map_err(of_key)?);
    }
    Ok(keys)
}

impl Jwk {
    /// Nothing where it is for something else, or of a kind that is not known here.
    fn public_key(&self) -> Result<Option<PublicKey>, &'static str> {
        if self.r#use.as_deref().is_some_and(|purpose| purpose != "sig") {
            return Ok(None);
        }
        let member = |text: &Option<String>| {
            let text = text.as_deref().ok_or("a member is missing")?;
            BASE64URL_NOPAD.decode(text.as_bytes()).map_err(|_| "a member is no base64url")
        };
        let point =
            |x, y| -> Result<_, &'static str> { Ok([vec![4], member(x)?, member(y)?].concat()) };
        Ok(match (self.kty.as_str(), self.crv.as_deref()) {
            ("RSA", _) => Some(PublicKey::Rsa { n: member(&self.n)?, e: member(&self.e)? }),
            ("EC", Some("P-256")) => Some(PublicKey::P256(point(&self.x, &self.y)?)),
            ("EC", Some("P-384")) => Some(PublicKey::P384(point(&self.x, &self.y)?)),
            ("OKP", Some("Ed25519")) => Some(PublicKey::Ed25519(member(&self.x)?)),
            (_, _) => None,
        })
    }
}

fn pem(text: &[u8], allowed: &[Algorithm]) -> Result<Vec<Key>, TokenKeysError> {
    let mut keys = Vec::new();
    for (number, block) in (1..).zip(Pem::iter_from_buffer(text)) {
        let block = block.map_err(|_| TokenKeysError::Unreadable)?;
        if block.label.ends_with("PRIVATE KEY") {
            return Err(TokenKeysError::Private);
        }
        if block.label != "PUBLIC KEY" {
            return Err(TokenKeysError::Unreadable);
        }
        let public = public_key(&block.contents);
        let key = public.and_then(|public| Key::new(None, &public, |it| allowed.contains(&it)));
        keys.extend(key.map_err(|problem| TokenKeysError::Key { number, problem })?);
    }
    if keys.is_empty() && !text.windows(10).any(|window| window == b"-----BEGIN") {
        return Err(TokenKeysError::Unreadable);
    }
    Ok(keys)
}

fn public_key(der: &[u8]) -> Result<PublicKey, &'static str> {
    const UNKNOWN: &str = "expected a key of RSA, P-256, P-384 or Ed25519";
    const ED25519: &str = "1.3.101.112";
    let (_, info) = SubjectPublicKeyInfo::from_der(der).map_err(|_| "it is damaged")?;
    match info.parsed() {
        Ok(Parsed::RSA(key)) => {
            Ok(PublicKey::Rsa { n: key.modulus.to_vec(), e: key.exponent.to_vec() })
        }
        Ok(Parsed::EC(point)) => match point.data().len() {
            65 => Ok(PublicKey::P256(point.data().to_vec())),
            97 => Ok(PublicKey::P384(point.data().to_vec())),
            _ => Err(UNKNOWN),
        },
        _ if info.algorithm.algorithm.to_id_string() == ED25519 => {
            Ok(PublicKey::Ed25519(info.subject_public_key.data.to_vec()))
        }
        Ok(_) => Err(UNKNOWN),
        Err(_) => Err("it is damaged"),
    }
}
