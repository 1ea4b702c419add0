//! A token in the compact form of JWS: header, claims and signature, each in base64url.

use data_encoding::BASE64URL_NOPAD;
use serde::{
    Deserialize, Deserializer,
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

/// The header of a token, with the members that are used here. Members that only help to find
/// the key, such as `jku` and `x5c`, are ignored: a token cannot bring its own key.
#[derive(Deserialize)]
pub(super) struct Header {
    pub(super) alg: String,
    pub(super) kid: Option<String>,
    typ: Option<String>,
    cty: Option<String>,
    #[serde(default, deserialize_with = "present")]
    crit: Option<IgnoredAny>,
    #[serde(default, deserialize_with = "present")]
    b64: Option<IgnoredAny>,
    #[serde(default, deserialize_with = "present")]
    zip: Option<IgnoredAny>,
    #[serde(default, deserialize_with = "present")]
    enc: Option<IgnoredAny>,
}

impl Header {
    /// Whether this is the header of a JWT whose claims are signed as they are: without
    /// critical extensions, of which this server supports none, and not unencoded,
    /// compressed, encrypted or nested.
    fn is_plain(&self) -> bool {
        let Self { alg, cty, crit, b64, zip, enc, kid: _, typ: _ } = self;
        let is_nested = cty.as_deref().is_some_and(|cty| is_media_type(cty, "jwt"));
        let others = [crit, b64, zip, enc];
        others.iter().all(|other| other.is_none()) && !is_nested && alg != "none"
    }

    /// Whether the type is that of an access token, or not given.
    ///
    /// An issuer signs tokens of other types with the same keys, and they have the same
    /// claims. RFC 8725 (3.11) asks for the check; RFC 9068 defines `at+jwt`.
    pub(super) fn is_access_token(&self) -> bool {
        let is_one = |typ: &str| is_media_type(typ, "jwt") || is_media_type(typ, "at+jwt");
        self.typ.as_deref().is_none_or(is_one)
    }
}

/// Compares the name of a media type, in any case and with or without `application/`.
fn is_media_type(name: &str, expected: &str) -> bool {
    const APPLICATION: &str = "application/";
    let name = match name.split_at_checked(APPLICATION.len()) {
        Some((prefix, rest)) if prefix.eq_ignore_ascii_case(APPLICATION) => rest,
        Some(_) | None => name,
    };
    name.eq_ignore_ascii_case(expected)
}

/// A member that is present, with any value, also `null`.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<IgnoredAny>, D::Error> {
    IgnoredAny::deserialize(deserializer).map(Some)
}

impl<'a> Jws<'a> {
    /// Splits a signed token. Returns `None` if it is malformed or not signed, or if its
    /// claims are not signed as they are.
    pub(super) fn parse(token: &'a str) -> Option<Self> {
        let (message, signature) = token.rsplit_once('.')?;
        let (header, claims) = message.split_once('.')?;
        let header: Header = decode(header)?;
        if !header.is_plain() {
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
