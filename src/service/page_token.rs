//! Tokens that say where the next page begins. Opaque to clients, bound to their
//! list, and good for as long as the log is: they name a place, not a cursor.

use data_encoding::BASE64URL_NOPAD;
use sha2::{Digest as _, Sha256};

use super::Error;

/// Enough to notice a token that was mistyped, cut, or made for another list.
const CHECK: usize = 6;

/// The token for the page of `list` that begins at `place`.
pub(super) fn encode(list: &str, place: &[u8]) -> String {
    BASE64URL_NOPAD.encode(&[&check(list, place), place].concat())
}

/// The place that a token of `list` names, or nothing where it is not one.
fn decode(list: &str, token: &str) -> Option<Vec<u8>> {
    let bytes = BASE64URL_NOPAD.decode(token.as_bytes()).ok()?;
    let (stated, place) = bytes.split_first_chunk::<CHECK>()?;
    (*stated == check(list, place)).then(|| place.to_vec())
}

/// The place that a token of `list` names, where places are numbers.
///
/// # Errors
/// It is not a token of this list.
pub(super) fn decode_number(list: &str, token: &str) -> Result<u64, Error> {
    let place = decode(list, token).and_then(|place| place.try_into().ok());
    place.map(u64::from_be_bytes).ok_or_else(Error::bad_page_token)
}

/// The place that a token of `list` names, where places are texts.
///
/// # Errors
/// It is not a token of this list.
pub(super) fn decode_text(list: &str, token: &str) -> Result<String, Error> {
    let place = decode(list, token).and_then(|place| String::from_utf8(place).ok());
    place.ok_or_else(Error::bad_page_token)
}

fn check(list: &str, place: &[u8]) -> [u8; CHECK] {
    let digest = Sha256::new().chain_update(list).chain_update([0]).chain_update(place).finalize();
    let mut check = [0; CHECK];
    check.iter_mut().zip(digest).for_each(|(byte, digest)| *byte = digest);
    check
}
