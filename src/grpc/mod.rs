//! Messages in, commands through, messages out. Knows nothing of storage.

mod access_record;
mod admission;
mod authentication;
mod authorisation;
mod context;
mod deadline;
mod door;
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
mod status;
mod throttle;
mod token;
mod traceparent;
mod user_pools;

use std::sync::Arc;

use tonic::service::Routes;

use crate::{
    app::App,
    checkpoint::Signer,
    proto::{
        FILE_DESCRIPTOR_SET,
        served::{
            user_pool_history_service_server::UserPoolHistoryServiceServer,
            user_pool_service_server::UserPoolServiceServer,
        },
    },
};

pub(crate) use self::throttle::Throttle;
pub use self::{
    admission::Capacity,
    door::Door,
    grants::{Grants, Pattern, PatternError, Role},
    health::Phase,
    identity::{COMMON_NAME, Identity},
    layer::RpcLayer,
    methods::methods,
    peer::{Peer, Who},
    token::{TokenAlgorithm, TokenKeys, TokenKeysError, Tokens, UnknownAlgorithm},
};
use self::{history::History, user_pools::UserPools};

/// The largest request that is read, in bytes. The largest legal one is far below.
const REQUEST_BYTES: usize = 1024 * 1024;

/// Every service but health, with reflection.
///
/// # Errors
/// The descriptors cannot be read, which no build that passed its tests has.
pub fn routes(
    app: &Arc<App>,
    signer: &Arc<Signer>,
    account_id: &str,
) -> Result<Routes, tonic_reflection::server::Error> {
    let user_pools = UserPools { app: Arc::clone(app), account_id: account_id.to_owned() };
    let user_pools =
        UserPoolServiceServer::new(user_pools).max_decoding_message_size(REQUEST_BYTES);
    let history = History { app: Arc::clone(app), signer: Arc::clone(signer) };
    let history =
        UserPoolHistoryServiceServer::new(history).max_decoding_message_size(REQUEST_BYTES);
    // Both versions: older clients know only v1alpha. Error details are included,
    // so that tools can show them.
    let reflection = || {
        tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(FILE_DESCRIPTOR_SET)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
            .register_encoded_file_descriptor_set(tonic_types::pb::FILE_DESCRIPTOR_SET)
    };
    Ok(Routes::new(user_pools)
        .add_service(history)
        .add_service(reflection().build_v1()?)
        .add_service(reflection().build_v1alpha()?))
}
