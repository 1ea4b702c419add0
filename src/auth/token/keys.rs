//! The public keys that verify tokens: read from a JWK set or from PEM.

use data_encoding::BASE64URL_NOPAD;
use serde::Deserialize;
use tokio_rustls::rustls::pki_types::{SubjectPublicKeyInfoDer, pem::PemObject as _};

use super::{BadToken, TokenAlgorithm, jws::Jws, verification_key::VerificationKey};

/// The public keys of an issuer.
#[derive(Debug)]
pub struct TokenKeys {
    allowed: Vec<TokenAlgorithm>,
    keys: Vec<IssuerKey>,
}

/// A key, and the allowed algorithms that it fits.
#[derive(Debug)]
struct IssuerKey {
    /// The `kid` of tokens that it signs.
    id: Option<String>,
    key: VerificationKey,
    algorithms: Vec<TokenAlgorithm>,
}

/// The text contains no usable keys.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TokenKeysError {
    /// It is neither a JWK set nor PEM.
    #[error("expected a JWK set ({{\"keys\": [...]}}) or public keys in PEM")]
    Unreadable,
    /// It contains a private key.
    #[error("it contains a private key; it must contain only public keys")]
    Private,
    /// It contains an invalid key.
    #[error("key {number} is invalid: {problem}")]
    Key {
        /// The number of the key, from 1.
        number: usize,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// It contains only keys for other algorithms.
    #[error("it contains no signature key for an allowed algorithm")]
    NoneUsable,
}

/// A key of a JWK set, with the members that are used here.
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
    /// Reads keys, and keeps those that fit one of the algorithms.
    ///
    /// # Errors
    /// See [`TokenKeysError`].
    pub fn parse(text: &[u8], algorithms: &[TokenAlgorithm]) -> Result<Self, TokenKeysError> {
        let keys = match text.trim_ascii_start().first() {
            Some(b'{') => jwk_set(text, algorithms)?,
            Some(_) | None => pem(text, algorithms)?,
        };
        if keys.is_empty() {
            return Err(TokenKeysError::NoneUsable);
        }
        Ok(Self { allowed: algorithms.to_vec(), keys })
    }

    /// Verifies that one of the keys signed the token.
    pub(super) fn verify(&self, token: &Jws<'_>) -> Result<(), BadToken> {
        let algorithm = token.header.alg.parse().map_err(|_| BadToken::Algorithm)?;
        if !self.allowed.contains(&algorithm) {
            return Err(BadToken::Algorithm);
        }
        let id = token.header.kid.as_deref();
        let mut keys = self.keys.iter().filter(|key| key.matches(algorithm, id)).peekable();
        if keys.peek().is_none() {
            return Err(BadToken::UnknownKey);
        }
        let message = token.message.as_bytes();
        let mut results = keys.map(|key| key.key.verify(algorithm, message, &token.signature));
        if results.any(|result| result.is_ok()) { Ok(()) } else { Err(BadToken::Signature) }
    }
}

impl IssuerKey {
    /// Returns `None` for a key that fits none of the allowed algorithms.
    fn new(
        id: Option<String>,
        key: VerificationKey,
        is_allowed: impl Fn(TokenAlgorithm) -> bool,
    ) -> Result<Option<Self>, &'static str> {
        let mut algorithms = key.algorithms().to_vec();
        algorithms.retain(|algorithm| is_allowed(*algorithm));
        if algorithms.is_empty() {
            return Ok(None);
        }
        key.check()?;
        Ok(Some(Self { id, key, algorithms }))
    }

    /// Whether it may have signed a token with this algorithm and key ID.
    fn matches(&self, algorithm: TokenAlgorithm, id: Option<&str>) -> bool {
        let same_id = match (self.id.as_deref(), id) {
            (Some(own), Some(id)) => own == id,
            (None, _) | (_, None) => true,
        };
        same_id && self.algorithms.contains(&algorithm)
    }
}

fn jwk_set(text: &[u8], allowed: &[TokenAlgorithm]) -> Result<Vec<IssuerKey>, TokenKeysError> {
    let set: JwkSet = serde_json::from_slice(text).map_err(|_| TokenKeysError::Unreadable)?;
    let mut keys = Vec::new();
    for (number, jwk) in (1..).zip(set.keys) {
        // A shared secret is also private.
        if jwk.d.is_some() || jwk.kty == "oct" {
            return Err(TokenKeysError::Private);
        }
        let invalid = |problem| TokenKeysError::Key { number, problem };
        let Some(key) = jwk.verification_key().map_err(invalid)? else { continue };
        let only: Option<Result<TokenAlgorithm, _>> = jwk.alg.as_deref().map(str::parse);
        let key = IssuerKey::new(jwk.kid, key, |algorithm| {
            only.is_none_or(|only| only == Ok(algorithm)) && allowed.contains(&algorithm)
        });
        keys.extend(key.map_err(invalid)?);
    }
    Ok(keys)
}

impl Jwk {
    /// Returns `None` for a key of another use or of an unknown type.
    fn verification_key(&self) -> Result<Option<VerificationKey>, &'static str> {
        if self.r#use.as_deref().is_some_and(|purpose| purpose != "sig") {
            return Ok(None);
        }
        let member = |text: &Option<String>| {
            let text = text.as_deref().ok_or("a required member is missing")?;
            BASE64URL_NOPAD.decode(text.as_bytes()).map_err(|_| "a member is not base64url")
        };
        let point =
            |x, y| -> Result<_, &'static str> { Ok([vec![4], member(x)?, member(y)?].concat()) };
        Ok(match (self.kty.as_str(), self.crv.as_deref()) {
            ("RSA", _) => Some(VerificationKey::rsa(&member(&self.n)?, &member(&self.e)?)),
            ("EC", Some("P-256")) => Some(VerificationKey::P256(point(&self.x, &self.y)?)),
            ("EC", Some("P-384")) => Some(VerificationKey::P384(point(&self.x, &self.y)?)),
            ("OKP", Some("Ed25519")) => Some(VerificationKey::Ed25519(member(&self.x)?)),
            (_, _) => None,
        })
    }
}

fn pem(text: &[u8], allowed: &[TokenAlgorithm]) -> Result<Vec<IssuerKey>, TokenKeysError> {
    // The reader skips sections with other labels.
    let lines = text.split(|byte| matches!(byte, b'\n' | b'\r'));
    let labels: Vec<_> = lines.filter_map(|line| line.strip_prefix(b"-----BEGIN ")).collect();
    if labels.iter().any(|label| label.trim_ascii_end().ends_with(b"PRIVATE KEY-----")) {
        return Err(TokenKeysError::Private);
    }
    if labels.is_empty() || !labels.iter().all(|label| label.starts_with(b"PUBLIC KEY-----")) {
        return Err(TokenKeysError::Unreadable);
    }
    let mut keys = Vec::new();
    for (number, der) in (1..).zip(SubjectPublicKeyInfoDer::pem_slice_iter(text)) {
        let der = der.map_err(|_| TokenKeysError::Unreadable)?;
        let key = VerificationKey::from_der(&der)
            .and_then(|key| IssuerKey::new(None, key, |algorithm| allowed.contains(&algorithm)));
        keys.extend(key.map_err(|problem| TokenKeysError::Key { number, problem })?);
    }
    Ok(keys)
}
