//! The connection as a service of gRPC.

use std::{
    mem,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use tonic::{
    body::Body,
    codegen::http::{Request, Response},
    metadata::MetadataMap,
    transport,
};
use tower::{Service, ServiceExt as _};

use super::transport::Transport;

/// The connection of a client, with its credentials, as a service for generated clients.
#[derive(Debug, Clone)]
pub struct AuthorizedChannel(pub(super) Arc<Transport>);

impl Service<Request<Body>> for AuthorizedChannel {
    type Response = Response<Body>;
    type Error = transport::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, transport::Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), transport::Error>> {
        // Each call waits for the connection itself, which may be a new one.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        let mut metadata = MetadataMap::from_headers(mem::take(request.headers_mut()));
        self.0.authorize(&mut metadata);
        *request.headers_mut() = metadata.into_headers();
        Box::pin(self.0.channel().oneshot(request))
    }
}
