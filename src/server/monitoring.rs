//! The monitoring listener: metrics, liveness and readiness over HTTP, from the start
//! of the server to its end.
//!
//! It has no TLS and no authorization, because it changes nothing and no response is
//! about a user pool. It listens only if it is configured.

use std::{collections::VecDeque, convert::Infallible, sync::Arc, time::Duration};

use axum::{
    Router,
    extract::State,
    http::{StatusCode, header::CONTENT_TYPE},
    response::IntoResponse,
    routing::get,
};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
    service::TowerToHyperService,
};
use tokio::{
    sync::watch,
    task::{self, AbortHandle, JoinHandle, JoinSet},
    time::{sleep, timeout},
};

use crate::{
    telemetry::metrics::{self, Metrics},
    transport::{Endpoint, Listener, Phase, listen::ACCEPT_PAUSE},
};

/// The maximum number of open connections. A further one replaces the oldest, so that a
/// probe is answered however many silent connections there are. The log needs the other file
/// descriptors.
const MAX_CONNECTIONS: usize = 32;
/// The maximum lifetime of a connection. Clients reconnect.
const CONNECTION_TIMEOUT: Duration = Duration::from_mins(2);
/// How long a connection may be idle.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);

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
        Self { endpoint, task: tokio::spawn(serve(listener, routes)) }
    }
}

impl Drop for Monitoring {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(listener: Listener, routes: Router) -> Infallible {
    let mut connections = JoinSet::new();
    // In the order in which they were accepted.
    let mut open: VecDeque<AbortHandle> = VecDeque::new();
    loop {
        let Ok((socket, _)) = listener.accept().await else {
            sleep(ACCEPT_PAUSE).await;
            continue;
        };
        let routes = TowerToHyperService::new(routes.clone());
        while connections.try_join_next().is_some() {}
        open.retain(|connection| !connection.is_finished());
        if open.len() >= MAX_CONNECTIONS
            && let Some(oldest) = open.pop_front()
        {
            oldest.abort();
        }
        open.push_back(connections.spawn(async move {
            let mut server = auto::Builder::new(TokioExecutor::new()).http1_only();
            server.http1().timer(TokioTimer::new()).header_read_timeout(REQUEST_TIMEOUT);
            let connection = server.serve_connection(TokioIo::new(socket.into_socket()), routes);
            // Errors are caused by the client.
            let _ = timeout(CONNECTION_TIMEOUT, connection).await;
        }));
    }
}

/// Whether the process runs.
async fn healthz() -> &'static str {
    "alive\n"
}

/// Whether calls are answered.
async fn readyz(State(state): State<MonitoringState>) -> (StatusCode, String) {
    let phase = *state.phase.borrow();
    let status = match phase {
        Phase::Serving => StatusCode::OK,
        Phase::Starting | Phase::Stopping => StatusCode::SERVICE_UNAVAILABLE,
    };
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
