//! The generated messages: the schema of everything that is stored and served.

use std::sync::LazyLock;

use prost_reflect::DescriptorPool;

#[expect(
    unused_qualifications,
    clippy::pedantic,
    clippy::as_conversions,
    clippy::clone_on_ref_ptr,
    clippy::allow_attributes,
    clippy::allow_attributes_without_reason,
    reason = "generated code; its comments are those of `proto/`"
)]
mod generated {
    tonic::include_proto!("userpool.v1");
}

pub use generated::*;

/// The files of `proto/` and what they import, as an encoded `FileDescriptorSet`.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/userpool.bin"));

/// The same, to look up messages and fields by name.
pub static DESCRIPTORS: LazyLock<DescriptorPool> = LazyLock::new(|| {
    #[expect(clippy::expect_used, reason = "build.rs wrote these bytes; every test reads them")]
    DescriptorPool::decode(FILE_DESCRIPTOR_SET).expect("a file descriptor set")
});
