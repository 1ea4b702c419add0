//! Tokens for the start of the next page. A token is opaque to clients and valid only
//! for its list. It never expires, because it encodes a place and not a server-side cursor.

use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use sha2::{Digest as _, Sha256};

use super::Error;

/// The bytes of the checksum: enough to detect a token that was mistyped, truncated, or
/// made for another list.
const CHECK: usize = 6;

/// Cuts the entries to a page of `max_results`, and returns its last entry if there is a
/// next page. One entry more than a page holds must have been read to tell.
pub(super) fn end_page<T>(entries: &mut Vec<T>, max_results: usize) -> Option<&T> {
    let has_more = entries.len() > max_results;
    entries.truncate(max_results);
    entries.last().filter(|_| has_more)
}

/// The token for the page of `list` that begins at `place`.
pub(super) fn encode(list: &str, place: &[u8]) -> String {
    BASE64URL_NOPAD.encode(&[&check(list, place), place].concat())
}

/// The name of the list of what meets a condition: a token is valid only for a list with the
/// same condition, which may be encoded in any way.
pub(super) fn list_of(list: &str, condition: &[u8]) -> String {
    format!("{list} {}", HEXLOWER.encode(&Sha256::digest(condition)))
}

/// The place that a token of `list` encodes.
///
/// # Errors
/// It is not a token of this list.
pub(super) fn decode(list: &str, token: &str) -> Result<Vec<u8>, Error> {
    let place = || {
        let bytes = BASE64URL_NOPAD.decode(token.as_bytes()).ok()?;
        let (stated, place) = bytes.split_first_chunk::<CHECK>()?;
        (*stated == check(list, place)).then(|| place.to_vec())
    };
    place().ok_or_else(Error::bad_page_token)
}

/// The place that a token of `list` encodes, if places are numbers.
///
/// # Errors
/// It is not a token of this list.
pub(super) fn decode_number(list: &str, token: &str) -> Result<u64, Error> {
    let place = decode(list, token)?.try_into().map_err(|_| Error::bad_page_token())?;
    Ok(u64::from_be_bytes(place))
}

/// The place that a token of `list` encodes, if places are texts.
///
/// # Errors
/// It is not a token of this list.
pub(super) fn decode_text(list: &str, token: &str) -> Result<String, Error> {
    String::from_utf8(decode(list, token)?).map_err(|_| Error::bad_page_token())
}

fn check(list: &str, place: &[u8]) -> [u8; CHECK] {
    let digest = Sha256::new().chain_update(list).chain_update([0]).chain_update(place).finalize();
    let mut check = [0; CHECK];
    check.iter_mut().zip(digest).for_each(|(byte, digest)| *byte = digest);
    check
}
