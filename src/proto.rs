//! The generated messages: the schema of everything that is stored and served.

use std::sync::LazyLock;

use chrono::{DateTime, SecondsFormat, Utc};
use prost::{Message, Name};
use prost_reflect::{
    DescriptorPool, DynamicMessage, Kind, MessageDescriptor, ReflectMessage as _, SerializeOptions,
};
use prost_types::Timestamp;

#[expect(
    unused_qualifications,
    unreachable_pub,
    clippy::pedantic,
    clippy::as_conversions,
    clippy::clone_on_ref_ptr,
    clippy::allow_attributes,
    clippy::allow_attributes_without_reason,
    reason = "generated code; its comments are those of `proto/`"
)]
mod generated {
    tonic::include_proto!("userpool.v1");

    /// The servers, which answer with user pools and events as they are encoded.
    pub(crate) mod served {
        include!(concat!(env!("OUT_DIR"), "/served/userpool.v1.rs"));
    }
}

pub use generated::*;

/// The files of `proto/` and what they import, as an encoded `FileDescriptorSet`.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/userpool.bin"));

/// The same, to look up messages and fields by name.
pub static DESCRIPTORS: LazyLock<DescriptorPool> = LazyLock::new(|| {
    #[expect(clippy::expect_used, reason = "build.rs wrote these bytes; every test reads them")]
    DescriptorPool::decode(FILE_DESCRIPTOR_SET).expect("a file descriptor set")
});

/// A time as messages have it.
#[must_use]
pub fn timestamp(at: DateTime<Utc>) -> Timestamp {
    let nanos = i32::try_from(at.timestamp_subsec_nanos()).unwrap_or_default();
    Timestamp { seconds: at.timestamp(), nanos }
}

/// A time as it is computed with; nothing where it is none.
#[must_use]
pub fn date_time(at: Timestamp) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp(at.seconds, u32::try_from(at.nanos).ok()?)
}

/// A time as it is compared with others.
#[must_use]
pub const fn order(at: Timestamp) -> (i64, i32) {
    (at.seconds, at.nanos)
}

/// A time as people read it.
#[must_use]
pub fn shown(at: Timestamp) -> String {
    let at = date_time(at).map(|at| at.to_rfc3339_opts(SecondsFormat::Millis, true));
    at.unwrap_or_default()
}

/// A message in protobuf's JSON form, as grpcurl prints it. Equal messages are equal
/// texts.
pub fn to_json<M: Message + Name>(message: &M) -> serde_json::Value {
    let options = SerializeOptions::new();
    let dynamic = dynamic::<M>().and_then(|mut dynamic| {
        dynamic.merge(message.encode_to_vec().as_slice()).ok()?;
        let mut json =
            dynamic.serialize_with_options(serde_json::value::Serializer, &options).ok()?;
        sort_maps(&mut json, &dynamic.descriptor());
        Some(json)
    });
    dynamic.unwrap_or_default()
}

/// Reads a message in that form.
///
/// # Errors
/// A member that does not exist, or a value that it cannot have.
pub fn from_json<M: Message + Name + Default>(json: &str) -> Result<M, serde_json::Error> {
    use serde::de::Error as _;
    let descriptor = dynamic::<M>().ok_or_else(|| serde_json::Error::custom("no such message"))?;
    let mut json = serde_json::Deserializer::from_str(json);
    let message = DynamicMessage::deserialize(descriptor.descriptor(), &mut json)?;
    json.end()?;
    message.transcode_to().map_err(serde_json::Error::custom)
}

/// Maps come in any order, and fields in theirs.
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

fn dynamic<M: Name>() -> Option<DynamicMessage> {
    DESCRIPTORS.get_message_by_name(&M::full_name()).map(DynamicMessage::new)
}
