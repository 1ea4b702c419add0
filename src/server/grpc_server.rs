//! The server that runs: it takes connections from the first moment, drains, and
//! cuts off what does not end.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::{oneshot, watch},
    task::JoinHandle,
    time,
};
use tokio_rustls::rustls::ServerConfig;
use tonic::transport::{Error as TransportError, Server};

use crate::{
    app::Source,
    auth::Access,
    fs::reload::Current,
    grpc::{Grpc, StartupGate},
    telemetry::{metrics::Metrics, spans::Tracer},
    transport::{
        CallLayer, Listener, Phase,
        acceptor::{self, Room},
        listen,
    },
};

use super::Config;

/// A client that is silent for this long is asked whether it is still there.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(30);
/// And this is how long it may take to answer.
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(10);
/// Calls that one connection may have open; more wait in the client.
const STREAMS: u32 = 128;
/// Bytes of headers that one call may have.
const HEADER_BYTES: u32 = 16 * 1024;

/// How long running calls may take after the server was told to stop.
const DRAIN: Duration = Duration::from_secs(30);
/// How long a connection without calls may take to say goodbye. Some never do.
const GOODBYE: Duration = Duration::from_secs(1);

/// How it is established who calls, and what they may.
pub(super) struct Callers {
    pub(super) tls: Option<Current<ServerConfig>>,
    pub(super) access: Access,
}

/// A server on a listener. Dropped, it ends at once.
#[derive(Debug)]
pub(super) struct Serving {
    task: JoinHandle<Result<(), TransportError>>,
    phase: watch::Sender<Phase>,
    drain: Option<oneshot::Sender<()>>,
    cut: watch::Sender<bool>,
    calls: CallLayer,
}

impl Serving {
    /// Takes connections. Until `door` is opened only health answers.
    pub(super) fn start(
        listener: Listener,
        callers: Callers,
        config: &Config,
        source: Arc<dyn Source>,
        metrics: Arc<Metrics>,
        tracer: Tracer,
    ) -> (Self, StartupGate) {
        let (phase, phases) = watch::channel(Phase::Starting);
        let (drain, draining) = oneshot::channel();
        let (cut, cuts) = watch::channel(false);
        let door = StartupGate::new(phases.clone(), metrics.refused.clone());
        let connections = listen::connections_within_limits(config.connections);
        let capacity = config.capacity;
        let watches_per_connection = capacity.watches_per_connection;
        let Callers { tls, access } = callers;
        let room = Room { connections, watches_per_connection };
        let incoming = acceptor::connections(listener, tls, room, cuts, Arc::clone(&metrics));
        let calls = CallLayer::new(&Grpc, source, access, capacity, phases, metrics, tracer);
        let serving = Server::builder()
            .http2_keepalive_interval(Some(KEEPALIVE_INTERVAL))
            .http2_keepalive_timeout(Some(KEEPALIVE_TIMEOUT))
            .max_concurrent_streams(STREAMS)
            .http2_max_header_list_size(HEADER_BYTES)
            .layer(calls.clone())
            .serve_with_incoming_shutdown(door.clone(), incoming, async {
                // Where the sender is gone, so is this server.
                let _ = draining.await;
            });
        let task = tokio::spawn(serving);
        (Self { task, phase, drain: Some(drain), cut, calls }, door)
    }

    /// How far the server is.
    pub(super) fn phase(&self) -> watch::Receiver<Phase> {
        self.phase.subscribe()
    }

    /// Tells health how far the server is.
    pub(super) fn enter(&self, phase: Phase) {
        self.phase.send_replace(phase);
    }

    /// Takes no further connection, lets the calls that run finish, and closes.
    /// Says whether any had to be cut off.
    pub(super) async fn drain(&mut self) -> Result<bool, TransportError> {
        if let Some(drain) = self.drain.take() {
            // An error means that the server has ended already.
            let _ = drain.send(());
        }
        let calls = self.calls.clone();
        let done = time::timeout(DRAIN, async {
            tokio::select! {
                ended = self.ended() => ended,
                () = lingering(&calls) => Ok(()),
            }
        });
        let cut_off = match done.await {
            Ok(done) => {
                done?;
                false
            }
            Err(_) => true,
        };
        self.cut.send_replace(true);
        if !self.task.is_finished() {
            self.ended().await?;
        }
        Ok(cut_off)
    }

    /// Waits until all connections are closed.
    pub(super) async fn ended(&mut self) -> Result<(), TransportError> {
        // It is never aborted while this is waited for, and does not panic.
        (&mut self.task).await.unwrap_or(Ok(()))
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.task.abort();
        self.cut.send_replace(true);
    }
}

/// Waits until no call runs, nor comes while connections say goodbye.
async fn lingering(calls: &CallLayer) {
    loop {
        calls.wait_idle().await;
        time::sleep(GOODBYE).await;
        if calls.is_idle() {
            return;
        }
    }
}
