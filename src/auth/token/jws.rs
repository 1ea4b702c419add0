//! A token in the compact form of JWS: header, claims and signature, each in base64url.

use data_encoding::BASE64URL_NOPAD;
use serde::{
    Deserialize,
    de::{DeserializeOwned, IgnoredAny},
};

/// A token that is split into its parts. Its claims must not be trusted before its
/// signature is verified.
pub(super) struct Jws<'a> {
    pub(super) header: Header,
    /// The signed text.
    pub(super) message: &'a str,
    claims: &'a str,
    pub(super) signature: Vec<u8>,
}

/// The header of a token, with the members that are used here.
#[derive(Deserialize)]
pub(super) struct Header {
    pub(super) alg: String,
    pub(super) kid: Option<String>,
    crit: Option<IgnoredAny>,
}

impl<'a> Jws<'a> {
    /// Splits a signed token. Returns `None` if it is malformed or not signed, or if its
    /// header has critical extensions, of which this server supports none.
    pub(super) fn parse(token: &'a str) -> Option<Self> {
        let (message, signature) = token.rsplit_once('.')?;
        let (header, claims) = message.split_once('.')?;
        let header: Header = decode(header)?;
        if header.crit.is_some() || header.alg == "none" {
            return None;
        }
        let signature = BASE64URL_NOPAD.decode(signature.as_bytes()).ok()?;
        Some(Self { header, message, claims, signature })
    }

    /// Decodes the claims.
    pub(super) fn claims<T: DeserializeOwned>(&self) -> Option<T> {
        decode(self.claims)
    }
}

fn decode<T: DeserializeOwned>(part: &str) -> Option<T> {
    let json = BASE64URL_NOPAD.decode(part.as_bytes()).ok()?;
    serde_json::from_slice(&json).ok()
}
