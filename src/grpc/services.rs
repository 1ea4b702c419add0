//! Every service except health, and the routing of calls to them.

use std::{convert::Infallible, sync::Arc};

use http::{HeaderName, HeaderValue, Request, Response};
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

/// The header with the name of the server, if servers share the log.
const REPLICA: HeaderName = HeaderName::from_static("x-userpool-replica");

/// Every service except health, including reflection.
#[derive(Debug)]
pub struct Services {
    user_pools: UserPoolServiceServer<UserPools>,
    others: Routes,
    replica: Option<HeaderValue>,
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
        let replica = operations.replica().and_then(|name| HeaderValue::from_str(name).ok());
        Ok(Self { user_pools, others: others.prepare(), replica })
    }

    /// Hands the call to its service, and says in the answer which server it is from.
    pub(super) fn call(&self, request: Request<Body>) -> BoxResponse {
        let answer = self.route(request);
        let Some(replica) = self.replica.clone() else { return answer };
        Box::pin(async move {
            let mut answer = answer.await?;
            answer.headers_mut().insert(REPLICA, replica);
            Ok(answer)
        })
    }

    fn route(&self, request: Request<Body>) -> BoxResponse {
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
