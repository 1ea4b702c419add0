//! The public keys that tokens are signed with: a JWK set, or PEM.

use std::str::FromStr as _;

use data_encoding::BASE64URL_NOPAD;
use serde::Deserialize;
use tokio_rustls::rustls::pki_types::{SubjectPublicKeyInfoDer, pem::PemObject as _};

use super::{BadToken, TokenAlgorithm, jws::Jws, public_key::PublicKey};

/// Keys, each with what it may be used for.
#[derive(Debug)]
pub struct TokenKeys {
    allowed: Vec<TokenAlgorithm>,
    keys: Vec<Key>,
}

#[derive(Debug)]
struct Key {
    /// What tokens call it.
    id: Option<String>,
    public: PublicKey,
    algorithms: Vec<TokenAlgorithm>,
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
        let keys = match text.trim_ascii_start().first() {
            Some(b'{') => jwk_set(text, algorithms)?,
            Some(_) | None => pem(text, algorithms)?,
        };
        if keys.is_empty() {
            return Err(TokenKeysError::NoneUsable);
        }
        Ok(Self { allowed: algorithms.to_vec(), keys })
    }

    /// Whether one of the keys signed the token.
    pub(super) fn verify(&self, token: &Jws<'_>) -> Result<(), BadToken> {
        let algorithm = token.header.alg.parse().map_err(|_| BadToken::Algorithm)?;
        if !self.allowed.contains(&algorithm) {
            return Err(BadToken::Algorithm);
        }
        let id = token.header.kid.as_deref();
        let mut keys = self.keys.iter().filter(|key| key.is_for(algorithm, id)).peekable();
        if keys.peek().is_none() {
            return Err(BadToken::UnknownKey);
        }
        let message = token.message.as_bytes();
        let signed =
            keys.any(|key| key.public.verify(algorithm, message, &token.signature).is_ok());
        if signed { Ok(()) } else { Err(BadToken::Signature) }
    }
}

impl Key {
    /// Nothing where it is for none of the algorithms that are allowed.
    fn new(
        id: Option<String>,
        public: PublicKey,
        allowed: impl Fn(TokenAlgorithm) -> bool,
    ) -> Result<Option<Self>, &'static str> {
        let mut algorithms = public.algorithms().to_vec();
        algorithms.retain(|algorithm| allowed(*algorithm));
        if algorithms.is_empty() {
            return Ok(None);
        }
        public.check()?;
        Ok(Some(Self { id, public, algorithms }))
    }

    /// Whether a token that is signed like this, and names this key, may be signed with it.
    fn is_for(&self, algorithm: TokenAlgorithm, id: Option<&str>) -> bool {
        let named = match (self.id.as_deref(), id) {
            (Some(own), Some(id)) => own == id,
            (None, _) | (_, None) => true,
        };
        named && self.algorithms.contains(&algorithm)
    }
}

fn jwk_set(text: &[u8], allowed: &[TokenAlgorithm]) -> Result<Vec<Key>, TokenKeysError> {
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
        let key = Key::new(jwk.kid, public, |algorithm| {
            let pinned = pinned.is_none_or(|pinned| pinned.is_ok_and(|it| it == algorithm));
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
            ("RSA", _) => Some(PublicKey::rsa(&member(&self.n)?, &member(&self.e)?)),
            ("EC", Some("P-256")) => Some(PublicKey::P256(point(&self.x, &self.y)?)),
            ("EC", Some("P-384")) => Some(PublicKey::P384(point(&self.x, &self.y)?)),
            ("OKP", Some("Ed25519")) => Some(PublicKey::Ed25519(member(&self.x)?)),
            (_, _) => None,
        })
    }
}

fn pem(text: &[u8], allowed: &[TokenAlgorithm]) -> Result<Vec<Key>, TokenKeysError> {
    const BEGIN: &str = "-----BEGIN ";
    let text_of_keys = str::from_utf8(text).map_err(|_| TokenKeysError::Unreadable)?;
    let mut labels = text_of_keys.lines().filter_map(|line| line.strip_prefix(BEGIN)).peekable();
    if labels.peek().is_none() {
        return Err(TokenKeysError::Unreadable);
    }
    for label in labels {
        if label.contains("PRIVATE KEY-----") {
            return Err(TokenKeysError::Private);
        }
        if !label.starts_with("PUBLIC KEY-----") {
            return Err(TokenKeysError::Unreadable);
        }
    }
    let mut keys = Vec::new();
    for (number, der) in (1..).zip(SubjectPublicKeyInfoDer::pem_slice_iter(text)) {
        let der = der.map_err(|_| TokenKeysError::Unreadable)?;
        let key = PublicKey::from_der(&der)
            .and_then(|public| Key::new(None, public, |algorithm| allowed.contains(&algorithm)));
        keys.extend(key.map_err(|problem| TokenKeysError::Key { number, problem })?);
    }
    Ok(keys)
}
