//! The root service of every connection: serves health from the start, and every other
//! service once the application is loaded.

use std::{
    convert::Infallible,
    sync::{Arc, OnceLock},
    task::{Context, Poll},
};

use http::{Request, Response};
use tokio::sync::watch;
use tonic::{Status, body::Body, server::NamedService as _};
use tonic_health::pb::health_server::HealthServer;
use tower::Service;

use crate::{
    service::Error,
    telemetry::metrics::{RefusalCounters, RefusalReason},
    transport::Phase,
};

use super::{
    Services,
    health::Health,
    message_limit::LimitedBody,
    services::{BoxResponse, service_name},
    unreadable::refuse_content_type,
};

/// Every service. Refuses calls of all but health until it is opened. Clones share its
/// state.
#[derive(Debug, Clone)]
pub struct StartupGate(Arc<Gate>);

#[derive(Debug)]
struct Gate {
    health: HealthServer<Health>,
    services: OnceLock<Services>,
    refused: RefusalCounters,
}

impl StartupGate {
    /// Creates a closed gate, which serves only health.
    #[must_use]
    pub fn new(phase: watch::Receiver<Phase>, refused: RefusalCounters) -> Self {
        let health = HealthServer::new(Health { phase });
        Self(Arc::new(Gate { health, services: OnceLock::new(), refused }))
    }

    /// Opens the gate to calls of `services`. A second call changes nothing.
    pub fn open(&self, services: Services) {
        let _ = self.0.services.set(services);
    }
}

impl Service<Request<Body>> for StartupGate {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxResponse;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> BoxResponse {
        let Gate { health, services, refused } = &*self.0;
        if let Some(refusal) = refuse_content_type(&request) {
            return Box::pin(async { Ok(refusal) });
        }
        let request = request.map(LimitedBody::wrap);
        if service_name(&request) == HealthServer::<Health>::NAME {
            return health.clone().call(request);
        }
        if let Some(services) = services.get() {
            return services.call(request);
        }
        refused.count(RefusalReason::Starting);
        Box::pin(async { Ok(Status::from(Error::starting()).into_http()) })
    }
}
