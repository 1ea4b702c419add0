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
    reason = "generated code; its comments are those of `proto/`"
)]
mod generated {
    tonic::include_proto!("userpool.v1");

    /// The servers, which answer with user pools and events as they are encoded.
    #[cfg(feature = "server")]
    #[expect(unreachable_pub, reason = "generated code")]
    pub(crate) mod served {
        include!(concat!(env!("OUT_DIR"), "/served/userpool.v1.rs"));
    }
}

#[cfg(feature = "server")]
pub use self::{
    json::{DESCRIPTORS, FILE_DESCRIPTOR_SET, from_json, to_json},
    time::{date_time, order, shown, timestamp},
};
pub use generated::*;
