//! Every service except health, and the routing of calls to them.

use std::{convert::Infallible, sync::Arc};

use http::{Request, Response};
use tonic::{body::Body, codegen::BoxFuture, server::NamedService as _, service::Routes};
use tower::Service as _;

use crate::{
    proto::{
        FILE_DESCRIPTOR_SET,
        served::{
            user_pool_history_service_server::UserPoolHistoryServiceServer,
            user_pool_service_server::UserPoolServiceServer,
        },
    },
    service::Operations,
};

use super::{history::History, message_limit::MAX_REQUEST_BYTES, user_pools::UserPools};

/// The future of a response.
pub(super) type BoxResponse = BoxFuture<Response<Body>, Infallible>;

/// Every service except health, including reflection.
#[derive(Debug)]
pub struct Services {
    user_pools: UserPoolServiceServer<UserPools>,
    others: Routes,
}

impl Services {
    /// The services that call these operations.
    ///
    /// # Errors
    /// The descriptors cannot be read. Every test that starts a server reads them.
    pub fn new(operations: &Arc<Operations>) -> Result<Self, tonic_reflection::server::Error> {
        let user_pools = UserPoolServiceServer::new(UserPools(Arc::clone(operations)))
            .max_decoding_message_size(MAX_REQUEST_BYTES);
        let history = UserPoolHistoryServiceServer::new(History(Arc::clone(operations)))
            .max_decoding_message_size(MAX_REQUEST_BYTES);
        // Both versions: older clients know only v1alpha. Error details are included,
        // so that tools can show them.
        let reflection = || {
            tonic_reflection::server::Builder::configure()
                .register_encoded_file_descriptor_set(FILE_DESCRIPTOR_SET)
                .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
                .register_encoded_file_descriptor_set(tonic_types::pb::FILE_DESCRIPTOR_SET)
        };
        let others = Routes::new(history)
            .add_service(reflection().build_v1()?)
            .add_service(reflection().build_v1alpha()?);
        Ok(Self { user_pools, others: others.prepare() })
    }

    /// Hands the call to its service.
    pub(super) fn call(&self, request: Request<Body>) -> BoxResponse {
        // Most calls are for this service, and the router is slow compared to some of them.
        if service_name(&request) == UserPoolServiceServer::<UserPools>::NAME {
            return self.user_pools.clone().call(request);
        }
        Box::pin(self.others.clone().call(request))
    }
}

/// The name of the service that a call is for.
pub(super) fn service_name(request: &Request<Body>) -> &str {
    let path = request.uri().path().trim_start_matches('/');
    path.split_once('/').map_or(path, |(service, _)| service)
}
