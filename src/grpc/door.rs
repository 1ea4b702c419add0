//! The door: from the first moment health answers, and everything else once the
//! application is there.

use std::{
    convert::Infallible,
    pin::Pin,
    sync::{Arc, OnceLock},
    task::{Context, Poll},
};

use http::{Request, Response};
use tokio::sync::watch;
use tonic::{body::Body, server::NamedService as _};
use tonic_health::pb::health_server::HealthServer;
use tower::Service;

use crate::telemetry::metrics::{Refusal, Refused};

use super::{
    Services,
    health::{Health, Phase},
    services::service,
    status,
};

/// Every service, for those whose application is there already.
#[derive(Debug, Clone)]
pub struct Door {
    health: HealthServer<Health>,
    open: Arc<OnceLock<Services>>,
    refused: Refused,
}

impl Door {
    /// A door behind which there is nothing yet.
    #[must_use]
    pub fn closed(phase: watch::Receiver<Phase>, refused: Refused) -> Self {
        let health = HealthServer::new(Health { phase });
        Self { health, open: Arc::default(), refused }
    }

    /// Opens the door to `services`, for good.
    pub fn open(&self, services: Services) {
        // It is opened once; a second time would change nothing.
        let _ = self.open.set(services);
    }
}

impl Service<Request<Body>> for Door {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        if service(&request) == HealthServer::<Health>::NAME {
            return self.health.call(request);
        }
        if let Some(services) = self.open.get() {
            return services.call(request);
        }
        self.refused.count(Refusal::Starting);
        Box::pin(async { Ok(status::starting().into_http()) })
    }
}
