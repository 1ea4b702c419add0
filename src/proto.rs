//! The generated messages: the schema of the API and of the events in the log.

#[cfg(feature = "server")]
mod actor;
#[cfg(feature = "server")]
mod json;
#[cfg(feature = "server")]
mod point;
#[cfg(feature = "server")]
mod subject;
#[cfg(feature = "server")]
mod time;
#[cfg(feature = "server")]
mod wire;

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

    /// The generated servers, and a second form of four messages, in which the user pool or
    /// the event is encoded bytes, so that stored bytes are sent without decoding; see
    /// `build.rs`.
    #[cfg(feature = "server")]
    #[expect(unreachable_pub, reason = "generated code")]
    pub(crate) mod served {
        include!(concat!(env!("OUT_DIR"), "/served/userpool.v1.rs"));
    }
}

#[cfg(feature = "server")]
pub(crate) use self::wire::{first_field, to_unsigned};
#[cfg(feature = "server")]
pub use self::{
    actor::{ActorArg, actor_prefix, kind_of_prefix},
    json::{
        DESCRIPTORS, Difference, FILE_DESCRIPTOR_SET, JsonError, JsonScope, UnwritableMessage,
        comparable, decode_json, difference_document, difference_item, differences,
        find_json_problem, from_json, to_json,
    },
    point::{HistoryPoint, TimeArg},
    subject::{SubjectPattern, SubjectPatternError},
    time::{format_time, sort_key, to_date_time, to_timestamp},
};
pub use generated::*;
