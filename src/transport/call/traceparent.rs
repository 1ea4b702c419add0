//! The W3C trace that a call is part of, from its header `traceparent`.

use http::HeaderMap;

/// The header, if it has the form that W3C specifies.
pub(super) fn header(headers: &HeaderMap) -> Option<&str> {
    let given = headers.get("traceparent")?.to_str().ok()?;
    let lengths = given.split('-').map(str::len);
    let is_allowed =
        |byte: u8| byte == b'-' || byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    let is_valid = lengths.eq([2, 32, 16, 2]) && given.bytes().all(is_allowed);
    is_valid.then_some(given)
}

/// The trace ID in such a header.
pub(super) fn trace_id(traceparent: &str) -> Option<&str> {
    traceparent.split('-').nth(1)
}
