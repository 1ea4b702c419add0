//! The trace that a call is part of, as W3C's `traceparent` tells.

use http::HeaderMap;

/// The header, in the only form that W3C allows.
pub(super) fn of(headers: &HeaderMap) -> Option<&str> {
    let given = headers.get("traceparent")?.to_str().ok()?;
    let lengths = given.split('-').map(str::len);
    let hexadecimal =
        |byte: u8| byte == b'-' || byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    let legal = lengths.eq([2, 32, 16, 2]) && given.bytes().all(hexadecimal);
    legal.then_some(given)
}

/// What names the trace, of such a header.
pub(super) fn trace_id(traceparent: &str) -> Option<&str> {
    traceparent.split('-').nth(1)
}
