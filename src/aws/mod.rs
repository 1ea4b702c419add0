//! The AWS JSON door: the operations of Amazon Cognito over HTTP/1.1, for unmodified AWS
//! SDKs. Decodes requests, calls the operations, encodes their responses, and renders errors
//! as exceptions. Knows nothing of storage.
//!
//! The path of a request: [`Door`] checks its origin, finds its operation, reads its body and
//! verifies its signature. It passes the call through the same
//! [`CallLayer`](crate::transport::CallLayer) as a gRPC call of that method, to [`Gate`], which
//! decodes it and calls the operation. [`Door`] renders the answer.

mod answer;
mod api;
mod body;
mod call;
mod decode;
mod door;
mod encode;
mod error;
mod gate;
mod headers;
mod operation;
mod origins;
mod protocol;
mod shape;
mod unsupported;

use prost::{Message, Name};

use crate::proto::DESCRIPTORS;

use self::shape::Shape;
pub use self::{
    api::AwsApi,
    decode::SerializationError,
    door::{Door, DoorSettings},
    error::RESULTS,
    gate::Gate,
    operation::NAMES as OPERATIONS,
    origins::{InvalidOrigin, Origin},
    protocol::AwsJson,
};

/// Converts a message to AWS's JSON: times are numbers, and fields that AWS does not have are
/// left out. `None` if it has a field of a type that AWS's JSON does not have.
pub fn to_aws_json<M: Message + Name>(message: &M) -> Option<String> {
    encode::encode(&shape::<M>()?, &message.encode_to_vec()).ok()
}

/// Parses a message from AWS's JSON, as the body of a request. `None` for the names of enum
/// values that do not exist, and for messages that have no form in AWS's JSON.
///
/// # Errors
/// The text is not a JSON object, or a value does not have the type of its member.
pub fn from_aws_json<M: Message + Name + Default>(
    json: &[u8],
) -> Result<Option<M>, SerializationError> {
    let Some(shape) = shape::<M>() else { return Ok(None) };
    let decoded = decode::decode(&shape, json)?;
    Ok(M::decode(decoded.message.as_slice()).ok().filter(|_| decoded.unknown_names.is_empty()))
}

fn shape<M: Name>() -> Option<Shape> {
    Shape::of(&DESCRIPTORS.get_message_by_name(&M::full_name())?, AwsApi::Today, &[])
}
