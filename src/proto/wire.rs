//! Reading an encoded message without decoding it, and the numbers in a message.

use prost::encoding::{WireType, decode_key, decode_varint};

/// The content of the first field of a message, if that is number 1 and has a length.
pub(crate) fn first_field(mut message: &[u8]) -> Option<&[u8]> {
    let key = decode_key(&mut message).ok()?;
    let length = decode_varint(&mut message).ok()?;
    let field = message.get(..usize::try_from(length).ok()?)?;
    (key == (1, WireType::LengthDelimited)).then_some(field)
}

/// A number that is signed in messages, but never negative: a revision, a position or a size.
/// 0 if it is negative.
pub(crate) fn to_unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or_default()
}
