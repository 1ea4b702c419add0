//! Bearer tokens: signed JWTs, of one issuer, for this service, that have not expired.

mod algorithm;
mod jws;
mod keys;
mod public_key;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use chrono::{DateTime, Utc};
use http::{
    HeaderMap, HeaderValue,
    header::{AUTHORIZATION, Entry},
};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use tokio::sync::watch;

use crate::proto::ActorKind;

use self::jws::Jws;
pub use self::{
    algorithm::{TokenAlgorithm, UnknownAlgorithm},
    keys::{TokenKeys, TokenKeysError},
};
use super::Identity;

/// How far the clocks of the issuer and of this machine may be apart.
const LEEWAY: Duration = Duration::from_secs(30);
/// The longest subject that is taken, in bytes.
const SUBJECT_BYTES: usize = 1024;
/// How many tokens are known to be good at a time. To find that out takes longer than
/// most calls.
const KNOWN: usize = 4096;

/// Whose tokens are taken.
#[derive(Debug, Clone)]
pub struct Tokens {
    issuer: String,
    audience: String,
    keys: watch::Receiver<Arc<TokenKeys>>,
    known: Arc<Mutex<Known>>,
}

/// Tokens that were found to be good, by their hashes, and the keys that they were
/// found good with.
#[derive(Debug, Default)]
struct Known {
    keys: Option<Arc<TokenKeys>>,
    claims: HashMap<[u8; 32], Checked>,
}

/// What is still to be asked of a token each time, and whom it names.
#[derive(Debug, Clone)]
struct Checked {
    not_before: Duration,
    expires: Duration,
    subject: String,
}

/// Why a token is not taken. Nothing of the token is in the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadToken {
    #[error("this server takes no tokens; call without one")]
    NotTaken,
    #[error("the metadata \"authorization\" is to be one \"Bearer\" and a token")]
    NotBearer,
    #[error("the token is not a signed JWT with the claims that it needs")]
    Malformed,
    #[error("the token is signed with an algorithm that is not allowed here")]
    Algorithm,
    #[error("the token is signed with a key that is not known here")]
    UnknownKey,
    #[error("the signature of the token is wrong")]
    Signature,
    #[error("the token has no {0}")]
    Missing(&'static str),
    #[error("the token is not from the issuer whose tokens are taken here")]
    Issuer,
    #[error("the token is not for this service: its audience is another")]
    Audience,
    #[error("the token has expired; get a new one")]
    Expired,
    #[error("the token is not valid yet")]
    Early,
    #[error("the token has a subject that cannot be recorded")]
    Subject,
}

/// What is read of a token. Each may be missing.
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

impl Tokens {
    /// Those of `issuer` for `audience`, signed with one of the newest `keys`.
    #[must_use]
    pub fn new(issuer: String, audience: String, keys: watch::Receiver<Arc<TokenKeys>>) -> Self {
        Self { issuer, audience, keys, known: Arc::default() }
    }

    /// Whom the token names.
    pub(crate) fn identity(&self, token: &str, now: DateTime<Utc>) -> Result<Identity, BadToken> {
        let now = now.signed_duration_since(DateTime::UNIX_EPOCH).to_std().unwrap_or_default();
        let keys = Arc::clone(&self.keys.borrow());
        let hash = Sha256::digest(token).into();
        let recalled = self.recall(&keys, &hash);
        let known = recalled.is_some();
        let checked = recalled.map_or_else(|| self.check(token, &keys), Ok)?;
        if checked.expires + LEEWAY <= now {
            return Err(BadToken::Expired);
        }
        if checked.not_before > now + LEEWAY {
            return Err(BadToken::Early);
        }
        let subject = checked.subject.clone();
        if !known {
            self.remember(keys, hash, checked);
        }
        Ok(Identity { kind: ActorKind::Token, subject })
    }

    /// Everything that does not depend on the time.
    fn check(&self, token: &str, keys: &TokenKeys) -> Result<Checked, BadToken> {
        let token = Jws::parse(token).ok_or(BadToken::Malformed)?;
        keys.verify(&token)?;
        let claims = token.claims().ok_or(BadToken::Malformed)?;
        let Claims { iss, aud, exp, nbf, sub } = claims;
        if iss.ok_or(BadToken::Missing("iss"))? != self.issuer {
            return Err(BadToken::Issuer);
        }
        let intended = match aud.ok_or(BadToken::Missing("aud"))? {
            Audience::One(audience) => audience == self.audience,
            Audience::Several(audiences) => audiences.contains(&self.audience),
        };
        if !intended {
            return Err(BadToken::Audience);
        }
        let expires = exp.ok_or(BadToken::Missing("exp"))?;
        let expires = Duration::try_from_secs_f64(expires).map_err(|_| BadToken::Malformed)?;
        let not_before = nbf.map(Duration::try_from_secs_f64).transpose();
        let not_before = not_before.map_err(|_| BadToken::Malformed)?.unwrap_or_default();
        let subject = sub.filter(|sub| !sub.is_empty()).ok_or(BadToken::Missing("sub"))?;
        if subject.len() > SUBJECT_BYTES || subject.chars().any(char::is_control) {
            return Err(BadToken::Subject);
        }
        Ok(Checked { not_before, expires, subject })
    }

    fn recall(&self, keys: &Arc<TokenKeys>, hash: &[u8; 32]) -> Option<Checked> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let same = known.keys.as_ref().is_some_and(|known| Arc::ptr_eq(known, keys));
        known.claims.get(hash).filter(|_| same).cloned()
    }

    fn remember(&self, keys: Arc<TokenKeys>, hash: [u8; 32], checked: Checked) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let same = known.keys.as_ref().is_some_and(|known| Arc::ptr_eq(known, &keys));
        if !same || (known.claims.len() >= KNOWN && !known.claims.contains_key(&hash)) {
            *known = Known { keys: Some(keys), claims: HashMap::new() };
        }
        known.claims.insert(hash, checked);
    }
}

/// The token of a call, if it has one. From here on the header is a secret, which
/// nothing shows.
pub(crate) fn bearer(headers: &mut HeaderMap) -> Result<Option<String>, BadToken> {
    let Entry::Occupied(mut given) = headers.entry(AUTHORIZATION) else { return Ok(None) };
    for value in given.iter_mut() {
        value.set_sensitive(true);
    }
    let mut values = given.iter();
    let token = values.next().and_then(token).filter(|_| values.next().is_none());
    token.map(|token| Some(token.to_owned())).ok_or(BadToken::NotBearer)
}

fn token(value: &HeaderValue) -> Option<&str> {
    let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
    Some(token.trim()).filter(|_| scheme.eq_ignore_ascii_case("Bearer"))
}
