//! The gRPC listener: accepts connections from the start of the server.

use std::{sync::Arc, time::Duration};

use hyper_util::{
    rt::{TokioExecutor, TokioTimer},
    server::conn::auto,
};
use tokio::{sync::watch, task::JoinError, time};
use tower::Layer as _;

use crate::{
    app::Source,
    auth::Access,
    fs::reload::Current,
    grpc::{Grpc, StartupGate},
    telemetry::{metrics::Metrics, spans::Tracer},
    transport::{
        CallLayer, Listener, LoadedTls, Phase,
        abort::WriteProgress,
        acceptor::{Acceptor, ConnectionLimits},
        http2::Http2Server,
        wire::Wire,
    },
};

use super::{
    accept_task::{AcceptTask, ShutdownSignals},
    config::Config,
};

/// How long a client may be silent before it is sent a PING.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(30);
/// How long a client may take to answer a PING.
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(10);
/// The maximum number of concurrent calls per connection; further ones wait in the client.
const MAX_STREAMS: u32 = 128;
/// The maximum size of the headers of a call.
const MAX_HEADER_BYTES: u32 = 16 * 1024;

/// How long a connection without calls may take to close while nothing is written. Some clients
/// never close it.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(3);
/// How often it is checked whether something was written.
const CLOSE_INTERVAL: Duration = Duration::from_millis(100);

/// How callers are identified and authorized.
pub(super) struct Security {
    pub(super) tls: Option<Current<LoadedTls>>,
    pub(super) access: Access,
}

/// A running gRPC server. Dropping it stops it at once.
#[derive(Debug)]
pub(super) struct GrpcServer {
    pub(super) accept: AcceptTask,
    phase: watch::Sender<Phase>,
    calls: CallLayer,
}

impl GrpcServer {
    /// Starts accepting connections. Until the gate is opened, only health is served.
    pub(super) fn start(
        listener: Listener,
        security: Security,
        config: &Config,
        limits: ConnectionLimits,
        source: Arc<dyn Source>,
        metrics: Arc<Metrics>,
        tracer: Tracer,
    ) -> (Self, StartupGate) {
        let (phase, phases) = watch::channel(Phase::Starting);
        let gate = StartupGate::new(phases.clone(), metrics.refused.clone());
        let capacity = config.capacity;
        let Security { tls, access } = security;
        let shared_metrics = Arc::clone(&metrics);
        let calls = CallLayer::new(&Grpc, source, access, capacity, phases, metrics, tracer);
        let mut http = auto::Builder::new(TokioExecutor::new()).http2_only();
        http.http2()
            .timer(TokioTimer::new())
            .keep_alive_interval(KEEPALIVE_INTERVAL)
            .keep_alive_timeout(KEEPALIVE_TIMEOUT)
            .max_concurrent_streams(MAX_STREAMS)
            .max_header_list_size(MAX_HEADER_BYTES);
        let service = calls.layer(gate.clone());
        let max_age = config.max_connection_age;
        let accept = AcceptTask::spawn(|ShutdownSignals { drain, abort }| {
            let wire = Wire::Http2;
            let acceptor = Acceptor::new(listener, tls, wire, limits, abort, shared_metrics);
            Http2Server { http, service, max_age, drain }.serve(acceptor)
        });
        (Self { accept, phase, calls }, gate)
    }

    /// The steps of its calls, for calls of another protocol as well.
    pub(super) const fn calls(&self) -> &CallLayer {
        &self.calls
    }

    /// The phase, as health and the metrics report it.
    pub(super) fn phase(&self) -> watch::Receiver<Phase> {
        self.phase.subscribe()
    }

    /// Changes the phase while the server serves.
    pub(super) fn phase_sender(&self) -> watch::Sender<Phase> {
        self.phase.clone()
    }

    /// Enters a phase.
    pub(super) fn set_phase(&self, phase: Phase) {
        self.phase.send_replace(phase);
    }

    /// Accepts no more connections, waits for the running calls, and closes. Returns
    /// whether calls had to be aborted.
    ///
    /// # Errors
    /// The accept task panicked.
    pub(super) async fn drain(&mut self) -> Result<bool, JoinError> {
        let idle = wait_idle(&self.calls, self.accept.progress());
        self.accept.drain(idle).await
    }
}

/// Waits until no call runs, and none begins and nothing is written while the connections close.
async fn wait_idle(calls: &CallLayer, progress: Arc<WriteProgress>) {
    let (mut quiet, mut writes) = (Duration::ZERO, progress.writes());
    while quiet < CLOSE_TIMEOUT {
        calls.wait_idle().await;
        time::sleep(CLOSE_INTERVAL).await;
        // What has ended can still be on its way to a client that reads slowly.
        let is_quiet = calls.is_idle() && progress.writes() == writes;
        quiet = if is_quiet { quiet + CLOSE_INTERVAL } else { Duration::ZERO };
        writes = progress.writes();
    }
}
