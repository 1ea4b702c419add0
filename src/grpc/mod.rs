//! Messages in, commands through, messages out. Knows nothing of storage.

mod access_record;
mod admission;
mod context;
mod deadline;
mod door;
mod expiry;
mod fingerprint;
mod health;
mod history;
mod layer;
mod message_count;
mod methods;
mod page_token;
mod request_body;
mod response_body;
mod services;
mod status;
mod traceparent;
mod user_pools;

pub use self::{
    admission::Capacity, door::Door, health::Phase, layer::RpcLayer, methods::methods,
    services::Services,
};

/// The largest request that is read, in bytes. The largest legal one is far below.
const REQUEST_BYTES: usize = 1024 * 1024;
