//! Messages in the JSON format of protobuf.

use std::sync::LazyLock;

use prost::{Message, Name};
use prost_reflect::{
    DescriptorPool, DynamicMessage, Kind, MessageDescriptor, ReflectMessage as _, SerializeOptions,
};

/// The encoded `FileDescriptorSet` of the files in `proto/` and their imports.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/userpool.bin"));

/// The descriptors of all messages, for finding messages and fields by name.
pub static DESCRIPTORS: LazyLock<DescriptorPool> = LazyLock::new(|| {
    #[expect(clippy::expect_used, reason = "build.rs wrote these bytes, and every test reads them")]
    DescriptorPool::decode(FILE_DESCRIPTOR_SET).expect("a file descriptor set")
});

/// Converts a message to the JSON format of protobuf. Equal messages have equal texts.
pub fn to_json<M: Message + Name>(message: &M) -> serde_json::Value {
    let options = SerializeOptions::new();
    let json = new_dynamic::<M>().and_then(|mut dynamic| {
        dynamic.merge(message.encode_to_vec().as_slice()).ok()?;
        let mut json =
            dynamic.serialize_with_options(serde_json::value::Serializer, &options).ok()?;
        sort_maps(&mut json, &dynamic.descriptor());
        Some(json)
    });
    json.unwrap_or_default()
}

/// Parses a message from the JSON format of protobuf.
///
/// # Errors
/// The text is not JSON, a member does not exist, or a value does not fit its field.
pub fn from_json<M: Message + Name + Default>(json: &str) -> Result<M, serde_json::Error> {
    use serde::de::Error as _;
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
