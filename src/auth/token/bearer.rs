//! The token in the metadata of a call.

use http::{
    HeaderMap, HeaderValue,
    header::{AUTHORIZATION, Entry},
};

use super::BadToken;

/// Returns the token of a call, if it has one. Marks the header as sensitive, so that no
/// debug output contains it.
pub(crate) fn bearer(headers: &mut HeaderMap) -> Result<Option<String>, BadToken> {
    let Entry::Occupied(mut entry) = headers.entry(AUTHORIZATION) else { return Ok(None) };
    for value in entry.iter_mut() {
        value.set_sensitive(true);
    }
    let mut values = entry.iter();
    let token = values.next().and_then(token).filter(|_| values.next().is_none());
    token.map(|token| Some(token.to_owned())).ok_or(BadToken::NotBearer)
}

fn token(value: &HeaderValue) -> Option<&str> {
    let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
    Some(token.trim()).filter(|_| scheme.eq_ignore_ascii_case("Bearer"))
}
