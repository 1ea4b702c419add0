//! Numbers that are at least 1.

use std::num::ParseIntError;

/// Parses such a number.
pub(super) fn positive(text: &str) -> Result<u64, String> {
    match text.parse().map_err(|error: ParseIntError| error.to_string())? {
        0 => Err("must be at least 1".to_owned()),
        number => Ok(number),
    }
}
