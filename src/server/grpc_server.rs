//! The gRPC listener: accepts connections from the start of the server. At shutdown, it
//! drains them and aborts those that remain.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::{oneshot, watch},
    task::JoinHandle,
    time,
};
use tonic::transport::{Error as TransportError, Server};

use crate::{
    app::Source,
    auth::Access,
    fs::reload::Current,
    grpc::{Grpc, StartupGate},
    telemetry::{metrics::Metrics, spans::Tracer},
    transport::{
        CallLayer, Listener, LoadedTls, Phase,
        acceptor::{Acceptor, ConnectionLimits},
    },
};

use super::config::Config;

/// How long a client may be silent before it is sent a PING.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(30);
/// How long a client may take to answer a PING.
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(10);
/// The maximum number of concurrent calls per connection; further ones wait in the client.
const MAX_STREAMS: u32 = 128;
/// The maximum size of the headers of a call.
const MAX_HEADER_BYTES: u32 = 16 * 1024;

/// How long running calls may take after the shutdown begins.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a connection without calls may take to close. Some clients never close it.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// How callers are identified and authorized.
pub(super) struct Security {
    pub(super) tls: Option<Current<LoadedTls>>,
    pub(super) access: Access,
}

/// A running gRPC server. Dropping it stops it at once.
#[derive(Debug)]
pub(super) struct GrpcServer {
    task: JoinHandle<Result<(), TransportError>>,
    phase: watch::Sender<Phase>,
    drain: Option<oneshot::Sender<()>>,
    abort: watch::Sender<bool>,
    calls: CallLayer,
}

impl GrpcServer {
    /// Starts accepting connections. Until the gate is opened, only health is served.
    pub(super) fn start(
        listener: Listener,
        security: Security,
        config: &Config,
        source: Arc<dyn Source>,
        metrics: Arc<Metrics>,
        tracer: Tracer,
    ) -> (Self, StartupGate) {
        let (phase, phases) = watch::channel(Phase::Starting);
        let (drain, drained) = oneshot::channel();
        let (abort, aborted) = watch::channel(false);
        let gate = StartupGate::new(phases.clone(), metrics.refused.clone());
        let capacity = config.capacity;
        let limits = ConnectionLimits {
            connections: config.connections,
            watches_per_connection: capacity.watches_per_connection,
        };
        let Security { tls, access } = security;
        let acceptor = Acceptor::new(listener, tls, limits, aborted, Arc::clone(&metrics));
        let calls = CallLayer::new(&Grpc, source, access, capacity, phases, metrics, tracer);
        let server = Server::builder()
            .http2_keepalive_interval(Some(KEEPALIVE_INTERVAL))
            .http2_keepalive_timeout(Some(KEEPALIVE_TIMEOUT))
            .max_concurrent_streams(MAX_STREAMS)
            .http2_max_header_list_size(MAX_HEADER_BYTES)
            .layer(calls.clone())
            .serve_with_incoming_shutdown(gate.clone(), acceptor.into_stream(), async {
                // An error means that this server was dropped.
                let _ = drained.await;
            });
        let task = tokio::spawn(server);
        (Self { task, phase, drain: Some(drain), abort, calls }, gate)
    }

    /// The phase, as health and the metrics report it.
    pub(super) fn phase(&self) -> watch::Receiver<Phase> {
        self.phase.subscribe()
    }

    /// Enters a phase.
    pub(super) fn set_phase(&self, phase: Phase) {
        self.phase.send_replace(phase);
    }

    /// Accepts no more connections, waits for the running calls, and closes. Returns
    /// whether calls had to be aborted.
    pub(super) async fn drain(&mut self) -> Result<bool, TransportError> {
        if let Some(drain) = self.drain.take() {
            // An error means that the task has already ended.
            let _ = drain.send(());
        }
        let calls = self.calls.clone();
        let drained = time::timeout(DRAIN_TIMEOUT, async {
            tokio::select! {
                result = self.join() => result,
                () = wait_idle(&calls) => Ok(()),
            }
        });
        let has_aborted = match drained.await {
            Ok(result) => {
                result?;
                false
            }
            Err(_) => true,
        };
        self.abort.send_replace(true);
        if !self.task.is_finished() {
            self.join().await?;
        }
        Ok(has_aborted)
    }

    /// Waits until all connections are closed.
    pub(super) async fn join(&mut self) -> Result<(), TransportError> {
        // The task does not panic, and is not aborted while this waits.
        (&mut self.task).await.unwrap_or(Ok(()))
    }
}

impl Drop for GrpcServer {
    fn drop(&mut self) {
        self.task.abort();
        self.abort.send_replace(true);
    }
}

/// Waits until no call runs and none begins while the connections close.
async fn wait_idle(calls: &CallLayer) {
    loop {
        calls.wait_idle().await;
        time::sleep(CLOSE_TIMEOUT).await;
        if calls.is_idle() {
            return;
        }
    }
}
