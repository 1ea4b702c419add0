//! The generated messages: the schema of everything that is stored and served.

#[cfg(feature = "server")]
mod json;
#[cfg(feature = "server")]
mod time;

#[expect(
    unused_qualifications,
    clippy::pedantic,
    clippy::as_conversions,
    clippy::clone_on_ref_ptr,
    clippy::allow_attributes,
    clippy::allow_attributes_without_reason,
    reason = "generated code with the comments of `proto/`"
)]
mod generated {
    tonic::include_proto!("userpool.v1");

    /// The servers. Their responses have user pools and events as encoded bytes.
    #[cfg(feature = "server")]
    #[expect(unreachable_pub, reason = "generated code")]
    pub(crate) mod served {
        include!(concat!(env!("OUT_DIR"), "/served/userpool.v1.rs"));
    }
}

#[cfg(feature = "server")]
pub use self::{
    json::{DESCRIPTORS, FILE_DESCRIPTOR_SET, from_json, to_json},
    time::{format_time, sort_key, to_date_time, to_timestamp},
};
pub use generated::*;
