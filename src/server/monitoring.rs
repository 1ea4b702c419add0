//! The monitoring listener: metrics, liveness and readiness over HTTP, from the start
//! of the server to its end.
//!
//! It has no TLS and no authorization, because it changes nothing and no response is
//! about a user pool. It listens only if it is configured.

use std::{convert::Infallible, sync::Arc};

use axum::{
    Router,
    extract::State,
    http::{StatusCode, header::CONTENT_TYPE},
    response::IntoResponse,
    routing::get,
};
use tokio::{
    sync::watch,
    task::{self, JoinHandle},
};

use crate::{
    telemetry::metrics::{self, Metrics},
    transport::{Endpoint, Listener, Phase},
};

use super::plain_http;

/// The maximum number of open connections. The log needs the other file descriptors.
const MAX_CONNECTIONS: usize = 32;

/// The monitoring listener; closes on drop.
#[derive(Debug)]
pub(super) struct Monitoring {
    pub(super) endpoint: Endpoint,
    task: JoinHandle<Infallible>,
}

#[derive(Debug, Clone)]
struct MonitoringState {
    phase: watch::Receiver<Phase>,
    metrics: Arc<Metrics>,
}

impl Monitoring {
    pub(super) fn start(
        listener: Listener,
        phase: watch::Receiver<Phase>,
        metrics: Arc<Metrics>,
    ) -> Self {
        let endpoint = listener.endpoint();
        tracing::info!(%endpoint, "serving metrics");
        let routes = Router::new()
            .route("/healthz", get(healthz))
            .route("/readyz", get(readyz))
            .route("/metrics", get(scrape))
            .with_state(MonitoringState { phase, metrics });
        let task = tokio::spawn(plain_http::serve(listener, routes, MAX_CONNECTIONS));
        Self { endpoint, task }
    }
}

impl Drop for Monitoring {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Whether the process runs.
async fn healthz() -> &'static str {
    "alive\n"
}

/// Whether calls are answered.
async fn readyz(State(state): State<MonitoringState>) -> (StatusCode, String) {
    let phase = *state.phase.borrow();
    let status = if phase.is_ready() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, format!("{}\n", phase.name()))
}

async fn scrape(State(state): State<MonitoringState>) -> impl IntoResponse {
    // This reads file sizes, which a failing disk can block.
    #[expect(clippy::disallowed_methods, reason = "a simulation has no monitoring")]
    let text = task::spawn_blocking(move || state.metrics.text()).await;
    let content = [(CONTENT_TYPE, metrics::CONTENT_TYPE)];
    match text {
        Ok(Ok(text)) => Ok((content, text)),
        Ok(Err(_)) | Err(_) => Err(StatusCode::INTERNAL_SERVER_ERROR),
    }
}
