//! Every service but health.

use std::{convert::Infallible, sync::Arc};

use http::{Request, Response};
use tonic::{body::Body, codegen::BoxFuture, server::NamedService as _, service::Routes};
use tower::Service as _;

use crate::{
    app::App,
    audit::checkpoint::Signer,
    proto::{
        FILE_DESCRIPTOR_SET,
        served::{
            user_pool_history_service_server::UserPoolHistoryServiceServer,
            user_pool_service_server::UserPoolServiceServer,
        },
    },
};

use super::{REQUEST_BYTES, history::History, user_pools::UserPools};

/// Every service but health, with reflection.
#[derive(Debug)]
pub struct Services {
    user_pools: UserPoolServiceServer<UserPools>,
    others: Routes,
}

impl Services {
    /// The services of this application.
    ///
    /// # Errors
    /// The descriptors cannot be read, which no build that passed its tests has.
    pub fn new(
        app: &Arc<App>,
        signer: &Arc<Signer>,
        account_id: &str,
    ) -> Result<Self, tonic_reflection::server::Error> {
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
        let others = Routes::new(history)
            .add_service(reflection().build_v1()?)
            .add_service(reflection().build_v1alpha()?);
        Ok(Self { user_pools, others: others.prepare() })
    }

    /// Hands the call to its service.
    pub(super) fn call(&self, request: Request<Body>) -> BoxFuture<Response<Body>, Infallible> {
        // Most calls are for this one, and the way through a router costs as much as
        // some of them.
        if service(&request) == UserPoolServiceServer::<UserPools>::NAME {
            return self.user_pools.clone().call(request);
        }
        Box::pin(self.others.clone().call(request))
    }
}

/// The name of the service that a call is for.
pub(super) fn service(request: &Request<Body>) -> &str {
    let path = request.uri().path().trim_start_matches('/');
    path.split_once('/').map_or(path, |(service, _)| service)
}
