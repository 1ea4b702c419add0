//! Messages in the JSON format of protobuf.

mod difference;
mod problem;

use std::{io, sync::LazyLock};

use prost::{Message, Name};
use prost_reflect::{
    DescriptorPool, DynamicMessage, Kind, MessageDescriptor, ReflectMessage as _, SerializeOptions,
};

use serde::de::Error as _;

pub use self::{
    difference::{Difference, comparable, difference_document, difference_item, differences},
    problem::{JsonError, JsonScope},
};

/// A byte order mark in UTF-8.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// The encoded `FileDescriptorSet` of the files in `proto/` and their imports.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/userpool.bin"));

/// The descriptors of all messages, for finding messages and fields by name.
pub static DESCRIPTORS: LazyLock<DescriptorPool> = LazyLock::new(|| {
    #[expect(clippy::expect_used, reason = "build.rs wrote these bytes, and every test reads them")]
    DescriptorPool::decode(FILE_DESCRIPTOR_SET).expect("a file descriptor set")
});

/// A message has no JSON form, such as one with a time after the year 9999.
#[derive(Debug, thiserror::Error)]
#[error("a value of {message} cannot be written as JSON: {source}")]
pub struct UnwritableMessage {
    message: String,
    source: serde_json::Error,
}

impl From<UnwritableMessage> for io::Error {
    fn from(error: UnwritableMessage) -> Self {
        Self::other(error)
    }
}

/// Converts a message to the JSON format of protobuf. Equal messages have equal texts.
///
/// # Errors
/// See [`UnwritableMessage`].
pub fn to_json<M: Message + Name>(message: &M) -> Result<serde_json::Value, UnwritableMessage> {
    let unwritable = |source| UnwritableMessage { message: M::full_name(), source };
    let dynamic = new_dynamic::<M>().and_then(|mut dynamic| {
        dynamic.merge(message.encode_to_vec().as_slice()).ok()?;
        Some(dynamic)
    });
    let unknown = || serde_json::Error::custom("the schema does not have it");
    let dynamic = dynamic.ok_or_else(unknown).map_err(unwritable)?;
    let options = SerializeOptions::new();
    let mut json = dynamic
        .serialize_with_options(serde_json::value::Serializer, &options)
        .map_err(unwritable)?;
    sort_maps(&mut json, &dynamic.descriptor());
    Ok(json)
}

/// Parses a message from the JSON format of protobuf.
///
/// # Errors
/// The text is not JSON, a member does not exist, or a value does not fit its field. The
/// error names the member, its place and what is allowed.
pub fn from_json<M: Message + Name + Default>(json: &str) -> Result<M, JsonError> {
    parse(json).map_err(|error| {
        find_json_problem::<M>(json, JsonScope::default()).unwrap_or_else(|| error.into())
    })
}

/// Decodes the bytes of a JSON document: UTF-8, with or without a byte order mark.
///
/// # Errors
/// The bytes are not UTF-8.
pub fn decode_json(mut bytes: Vec<u8>) -> Result<String, JsonError> {
    // An ASCII character in UTF-16 has a zero byte, which a JSON document never has.
    let is_utf16 =
        matches!(bytes.as_slice(), [0xff, 0xfe, ..] | [0xfe, 0xff, ..] | [0, _, ..] | [_, 0, ..]);
    if is_utf16 {
        let problem = "the document is UTF-16; convert it to UTF-8".to_owned();
        return Err(JsonError { line: 0, column: 0, problem });
    }
    if bytes.starts_with(BYTE_ORDER_MARK) {
        bytes.drain(..BYTE_ORDER_MARK.len());
    }
    String::from_utf8(bytes).map_err(|error| {
        let valid = error.as_bytes().get(..error.utf8_error().valid_up_to()).unwrap_or_default();
        let line_start = valid.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let line = valid.split(|byte| *byte == b'\n').count();
        let column = valid.len() - line_start + 1;
        JsonError { line, column, problem: "the document is not UTF-8".to_owned() }
    })
}

/// Returns the first problem of a document in which a message is, if the schema shows one.
#[must_use]
pub fn find_json_problem<M: Name>(json: &str, scope: JsonScope<'_>) -> Option<JsonError> {
    problem::find(json, new_dynamic::<M>()?.descriptor(), scope)
}

fn parse<M: Message + Name + Default>(json: &str) -> Result<M, serde_json::Error> {
    let dynamic = new_dynamic::<M>().ok_or_else(|| serde_json::Error::custom("no such message"))?;
    let mut json = serde_json::Deserializer::from_str(json);
    let message = DynamicMessage::deserialize(dynamic.descriptor(), &mut json)?;
    json.end()?;
    message.transcode_to().map_err(serde_json::Error::custom)
}

/// Sorts the members of maps, which have no order.
fn sort_maps(json: &mut serde_json::Value, descriptor: &MessageDescriptor) {
    let Some(object) = json.as_object_mut() else { return };
    for field in descriptor.fields() {
        let Some(value) = object.get_mut(field.json_name()) else { continue };
        let Kind::Message(message) = field.kind() else { continue };
        if field.is_map() {
            value.sort_all_objects();
        } else if let Some(items) = value.as_array_mut() {
            for item in items {
                sort_maps(item, &message);
            }
        } else {
            sort_maps(value, &message);
        }
    }
}

fn new_dynamic<M: Name>() -> Option<DynamicMessage> {
    DESCRIPTORS.get_message_by_name(&M::full_name()).map(DynamicMessage::new)
}
