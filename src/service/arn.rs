//! The ARN in an encoded user pool. It is not recorded: the account is a setting of the server.

use bytes::{Buf as _, Bytes, BytesMut};
use prost::{
    DecodeError,
    encoding::{self, DecodeContext, decode_key, skip_field},
};

use crate::{proto::first_field, user_pool::UserPoolArns};

/// The number of the field `arn` of `UserPool`.
const ARN: u32 = 33;

/// Inserts the ARN into an encoded user pool, before the fields with higher numbers: protocol
/// adapters rely on the order.
pub(super) fn insert(user_pool: Bytes, arns: &UserPoolArns) -> Bytes {
    // The ID is the first field.
    let id = first_field(&user_pool).and_then(|id| str::from_utf8(id).ok());
    let (Some(id), Ok(place)) = (id, place(&user_pool)) else { return user_pool };
    let (before, after) = user_pool.split_at_checked(place).unwrap_or((&user_pool, &[]));
    let arn = arns.of(id);
    let mut bytes =
        BytesMut::with_capacity(user_pool.len() + encoding::string::encoded_len(ARN, &arn));
    bytes.extend_from_slice(before);
    encoding::string::encode(ARN, &arn, &mut bytes);
    bytes.extend_from_slice(after);
    bytes.freeze()
}

/// How many bytes the fields with numbers below that of the ARN have.
fn place(user_pool: &[u8]) -> Result<usize, DecodeError> {
    let mut rest = user_pool;
    while rest.has_remaining() {
        let place = user_pool.len() - rest.len();
        let (number, wire_type) = decode_key(&mut rest)?;
        if number > ARN {
            return Ok(place);
        }
        skip_field(wire_type, number, &mut rest, DecodeContext::default())?;
    }
    Ok(user_pool.len())
}
