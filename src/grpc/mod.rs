//! Messages in, commands through, messages out. Knows nothing of storage.

mod access_record;
mod admission;
mod authentication;
mod authorisation;
mod context;
mod deadline;
mod door;
mod expiry;
mod fingerprint;
mod grants;
mod health;
mod history;
mod identity;
mod layer;
mod message_count;
mod methods;
mod page_token;
mod peer;
mod request_body;
mod response_body;
mod services;
mod status;
mod token;
mod traceparent;
mod user_pools;

pub use self::{
    admission::Capacity,
    door::Door,
    grants::{Grants, Pattern, PatternError, Role},
    health::Phase,
    identity::{COMMON_NAME, Identity},
    layer::RpcLayer,
    methods::methods,
    peer::{Peer, Who},
    services::Services,
    token::{TokenAlgorithm, TokenKeys, TokenKeysError, Tokens, UnknownAlgorithm},
};

/// The largest request that is read, in bytes. The largest legal one is far below.
const REQUEST_BYTES: usize = 1024 * 1024;
