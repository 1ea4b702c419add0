//! Verification of bearer tokens: signed JWTs of one issuer, for this service, that have
//! not expired.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use chrono::{DateTime, Utc};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use tokio::sync::watch;

use crate::{
    auth::{Identity, spiffe_id},
    proto::ActorKind,
};

use super::{BadToken, TokenKeys, jws::Jws};

/// The accepted difference between the clocks of the issuer and of this machine.
const CLOCK_LEEWAY: Duration = Duration::from_secs(30);
/// The longest accepted subject, in bytes.
const MAX_SUBJECT_BYTES: usize = 1024;
/// How many verified tokens are cached. Verification takes longer than most calls.
const MAX_CACHED_TOKENS: usize = 4096;

/// Verifies the tokens of one issuer. Clones share a cache.
#[derive(Debug, Clone)]
pub struct TokenVerifier {
    issuer: String,
    audience: String,
    keys: watch::Receiver<Arc<TokenKeys>>,
    cache: Arc<Mutex<TokenCache>>,
}

/// Verified tokens by their hashes, and the keys that verified them.
#[derive(Debug, Default)]
struct TokenCache {
    keys: Option<Arc<TokenKeys>>,
    tokens: HashMap<[u8; 32], VerifiedToken>,
}

/// The subject of a token, and the times to check on each use.
#[derive(Debug, Clone)]
struct VerifiedToken {
    not_before: Duration,
    expires: Duration,
    subject: String,
}

/// A token that is accepted now.
#[derive(Debug)]
pub(crate) struct AcceptedToken {
    /// The identity of its subject.
    pub(crate) identity: Identity,
    /// How long it will be accepted.
    pub(crate) valid_for: Duration,
}

/// The claims that are checked. Each may be missing.
#[derive(Debug, Deserialize)]
struct Claims {
    iss: Option<String>,
    aud: Option<Audience>,
    exp: Option<f64>,
    nbf: Option<f64>,
    sub: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Several(Vec<String>),
}

impl TokenVerifier {
    /// Accepts the tokens of `issuer` for `audience` that one of the current `keys` signed.
    #[must_use]
    pub fn new(issuer: String, audience: String, keys: watch::Receiver<Arc<TokenKeys>>) -> Self {
        Self { issuer, audience, keys, cache: Arc::default() }
    }

    /// Verifies a token.
    pub(crate) fn verify(
        &self,
        token: &str,
        now: DateTime<Utc>,
    ) -> Result<AcceptedToken, BadToken> {
        let now = now.signed_duration_since(DateTime::UNIX_EPOCH).to_std().unwrap_or_default();
        let keys = Arc::clone(&self.keys.borrow());
        let hash = Sha256::digest(token).into();
        let cached = self.cached(&keys, &hash);
        let is_cached = cached.is_some();
        let token = cached.map_or_else(|| self.verify_except_times(token, &keys), Ok)?;
        let valid_for = token.expires.saturating_add(CLOCK_LEEWAY).saturating_sub(now);
        if valid_for.is_zero() {
            return Err(BadToken::Expired);
        }
        if token.not_before > now + CLOCK_LEEWAY {
            return Err(BadToken::NotYetValid);
        }
        let subject = token.subject.clone();
        if !is_cached {
            self.cache(keys, hash, token);
        }
        Ok(AcceptedToken { identity: Identity { kind: ActorKind::Token, subject }, valid_for })
    }

    /// Verifies everything that does not depend on the time.
    fn verify_except_times(
        &self,
        token: &str,
        keys: &TokenKeys,
    ) -> Result<VerifiedToken, BadToken> {
        let token = Jws::parse(token).ok_or(BadToken::Malformed)?;
        if !token.header.is_access_token() {
            return Err(BadToken::Type);
        }
        keys.verify(&token)?;
        let claims = token.claims().ok_or(BadToken::Malformed)?;
        let Claims { iss, aud, exp, nbf, sub } = claims;
        if iss.ok_or(BadToken::Missing("iss"))? != self.issuer {
            return Err(BadToken::Issuer);
        }
        let is_audience = match aud.ok_or(BadToken::Missing("aud"))? {
            Audience::One(audience) => audience == self.audience,
            Audience::Several(audiences) => audiences.contains(&self.audience),
        };
        if !is_audience {
            return Err(BadToken::Audience);
        }
        let expires = exp.ok_or(BadToken::Missing("exp"))?;
        let expires = Duration::try_from_secs_f64(expires).map_err(|_| BadToken::Malformed)?;
        let not_before = nbf.map(Duration::try_from_secs_f64).transpose();
        let not_before = not_before.map_err(|_| BadToken::Malformed)?.unwrap_or_default();
        let subject = sub.filter(|sub| !sub.is_empty()).ok_or(BadToken::Missing("sub"))?;
        if subject.len() > MAX_SUBJECT_BYTES || subject.chars().any(char::is_control) {
            return Err(BadToken::Subject);
        }
        if spiffe_id::has_scheme(&subject) {
            spiffe_id::check(&subject).map_err(BadToken::SpiffeId)?;
        }
        Ok(VerifiedToken { not_before, expires, subject })
    }

    fn cached(&self, keys: &Arc<TokenKeys>, hash: &[u8; 32]) -> Option<VerifiedToken> {
        let cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        cache.tokens.get(hash).filter(|_| cache.is_for(keys)).cloned()
    }

    fn cache(&self, keys: Arc<TokenKeys>, hash: [u8; 32], token: VerifiedToken) {
        let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        let is_full = cache.tokens.len() >= MAX_CACHED_TOKENS && !cache.tokens.contains_key(&hash);
        if is_full || !cache.is_for(&keys) {
            *cache = TokenCache { keys: Some(keys), tokens: HashMap::new() };
        }
        cache.tokens.insert(hash, token);
    }
}

impl TokenCache {
    /// Whether these keys verified the cached tokens.
    fn is_for(&self, keys: &Arc<TokenKeys>) -> bool {
        self.keys.as_ref().is_some_and(|cached| Arc::ptr_eq(cached, keys))
    }
}
