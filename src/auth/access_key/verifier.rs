//! Verifies who signed a request, with the current keys.

use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use http::{HeaderMap, HeaderValue, Method};

use crate::{auth::Identity, fs::reload::Current, proto::ActorKind};

use super::{
    BadSignature,
    keys::{AccessKey, AccessKeys},
    signature::Authorization,
};

/// The service in the scope of signatures.
const SERVICE: &str = "cognito-idp";
/// How much the clocks may differ.
const TOLERANCE: TimeDelta = TimeDelta::minutes(15);
/// The form of times in signatures.
const TIME_FORMAT: &str = "%Y%m%dT%H%M%SZ";
const DATE: &str = "x-amz-date";
const SECURITY_TOKEN: &str = "x-amz-security-token";

/// Verifies signatures with the current keys. Clones share them.
#[derive(Debug, Clone)]
pub struct AccessKeyVerifier {
    region: String,
    keys: Current<AccessKeys>,
}

/// A request whose signature is verified. It has no query, and the path "/".
#[derive(Debug, Clone, Copy)]
pub(crate) struct SignedRequest<'a> {
    pub(crate) method: &'a Method,
    pub(crate) headers: &'a HeaderMap,
    pub(crate) body: &'a [u8],
}

impl AccessKeyVerifier {
    /// A verifier of signatures for this region.
    pub(super) const fn new(region: String, keys: Current<AccessKeys>) -> Self {
        Self { region, keys }
    }

    /// The identity of the key that signed the request: its name in the settings.
    pub(crate) fn verify(
        &self,
        request: SignedRequest<'_>,
        now: DateTime<Utc>,
    ) -> Result<Identity, BadSignature> {
        let SignedRequest { method, headers, body } = request;
        let authorization = Authorization::read(headers)?;
        let at = headers.get(DATE).and_then(|at| at.to_str().ok());
        let at = at.ok_or(BadSignature::Malformed("the header X-Amz-Date is missing"))?;
        let time = NaiveDateTime::parse_from_str(at, TIME_FORMAT)
            .map_err(|_| BadSignature::Malformed("the header X-Amz-Date is not a time"))?;
        self.check_scope(&authorization, at)?;
        for name in ["host", DATE, "x-amz-target", SECURITY_TOKEN] {
            if headers.contains_key(name) && !authorization.signs(name) {
                return Err(BadSignature::Unsigned(name));
            }
        }
        check_time(time.and_utc(), now)?;
        let keys = self.keys.borrow().clone();
        let key = keys.get(authorization.key_id).ok_or(BadSignature::UnknownKey)?;
        let AccessKey { name, secret, session_token, .. } = key;
        let token = headers.get(SECURITY_TOKEN).map(HeaderValue::as_bytes);
        // Compared after the signature, which a caller without the secret cannot make.
        authorization.verify(secret, at, method.as_str(), headers, body)?;
        if token != session_token.as_ref().map(String::as_bytes) {
            return Err(BadSignature::UnknownKey);
        }
        Ok(Identity { kind: ActorKind::AccessKey, subject: name.clone() })
    }

    fn check_scope(&self, signed: &Authorization<'_>, at: &str) -> Result<(), BadSignature> {
        check_region(&self.region, signed.region)?;
        if signed.service != SERVICE {
            return Err(BadSignature::Service);
        }
        let day: String = at.chars().take(8).collect();
        if signed.day != day {
            let scope = signed.day.chars().take(8).collect();
            return Err(BadSignature::Day { scope, request: day });
        }
        Ok(())
    }
}

/// Refuses a signature for another region. Otherwise the client would create user pools in a
/// region that it did not choose.
pub(crate) fn check_region(expected: &str, found: &str) -> Result<(), BadSignature> {
    if found == expected {
        return Ok(());
    }
    let found = found.chars().take(64).collect();
    Err(BadSignature::Region { expected: expected.to_owned(), found })
}

fn check_time(at: DateTime<Utc>, now: DateTime<Utc>) -> Result<(), BadSignature> {
    let show = |time: DateTime<Utc>| time.format(TIME_FORMAT).to_string();
    let (earliest, latest) = (now - TOLERANCE, now + TOLERANCE);
    if at < earliest {
        return Err(BadSignature::Expired {
            at: show(at),
            earliest: show(earliest),
            now: show(now),
        });
    }
    if at > latest {
        return Err(BadSignature::Early { at: show(at), latest: show(latest), now: show(now) });
    }
    Ok(())
}
