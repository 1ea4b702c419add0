//! Accepts connections up to a limit, and performs the TLS handshake where TLS is
//! configured.

use std::{io, net::SocketAddr, sync::Arc};

use futures_util::{Stream, stream};
use tokio::{
    task::JoinSet,
    time::{self, Instant},
};

use crate::{
    auth::{Peer, PeerAddress},
    fs::reload::Current,
    telemetry::{
        WarnLimiter,
        metrics::{Metrics, RefusalReason},
    },
};

use super::{
    abort::AbortSignal,
    connection::{Connection, PREFACE_TIMEOUT},
    fair_limit::{FairLimit, User},
    handshake::{HandshakeError, handshake},
    listen::{ACCEPT_PAUSE, AcceptedSocket, Listener, limit_connections},
    tls::LoadedTls,
    wire::Wire,
};

/// The limits on connections, and on the watches of each. Clones share the connections.
#[derive(Debug, Clone)]
pub(crate) struct ConnectionLimits {
    connections: Arc<FairLimit>,
    watches_per_connection: usize,
}

impl ConnectionLimits {
    /// At most this many connections, within the file descriptors of the process.
    pub(crate) fn new(connections: usize, watches_per_connection: usize) -> Self {
        let connections = FairLimit::new(limit_connections(connections));
        Self { connections, watches_per_connection }
    }
}

/// Accepts the connections of a listener. Excess connections are closed at once, so
/// that their clients try another server instead of waiting.
pub(crate) struct Acceptor {
    listener: Listener,
    tls: Option<Current<LoadedTls>>,
    wire: Wire,
    limits: ConnectionLimits,
    abort: AbortSignal,
    metrics: Arc<Metrics>,
    /// Each handshake has its own task, so that a slow client does not delay others.
    handshakes: JoinSet<Result<Connection, (SocketAddr, HandshakeError)>>,
    accept_warnings: WarnLimiter,
    handshake_warnings: WarnLimiter,
}

impl Acceptor {
    /// An acceptor that encrypts TCP connections if `tls` is given. Its connections end
    /// when `abort` says so.
    pub(crate) fn new(
        listener: Listener,
        tls: Option<Current<LoadedTls>>,
        wire: Wire,
        limits: ConnectionLimits,
        abort: AbortSignal,
        metrics: Arc<Metrics>,
    ) -> Self {
        Self {
            listener,
            tls,
            wire,
            limits,
            abort,
            metrics,
            handshakes: JoinSet::new(),
            accept_warnings: WarnLimiter::default(),
            handshake_warnings: WarnLimiter::default(),
        }
    }

    /// A stream of the connections that are ready for HTTP.
    pub(crate) fn into_stream(self) -> impl Stream<Item = io::Result<Connection>> {
        stream::unfold(self, |mut acceptor| async {
            let connection = acceptor.next().await;
            Some((Ok(connection), acceptor))
        })
    }

    async fn next(&mut self) -> Connection {
        loop {
            tokio::select! {
                accepted = self.listener.accept() => match accepted {
                    Ok((socket, who)) => {
                        if let Some(connection) = self.start_connection(socket, who) {
                            return connection;
                        }
                    }
                    Err(error) if is_connection_error(&error) => (),
                    Err(error) => {
                        if self.accept_warnings.allow() {
                            tracing::warn!(%error, "cannot accept connections");
                        }
                        time::sleep(ACCEPT_PAUSE).await;
                    }
                },
                Some(handshake) = self.handshakes.join_next() => match handshake {
                    Ok(Ok(connection)) => return connection,
                    Ok(Err((peer, error))) => self.handshake_failed(peer, &error),
                    // The task panicked, which is already logged.
                    Err(_) => (),
                },
            }
        }
    }

    /// Returns the connection if it needs no handshake, or else starts the handshake. Closes
    /// a connection over the limit.
    fn start_connection(&mut self, socket: AcceptedSocket, who: PeerAddress) -> Option<Connection> {
        let Some(place) = self.limits.connections.take(User::of_connection(who), 1) else {
            self.metrics.refused.count(RefusalReason::Connections);
            if self.accept_warnings.allow() {
                tracing::warn!("connection limit reached; excess connections are closed");
            }
            return None;
        };
        let permit = (place, self.metrics.server.connection());
        let deadline = Instant::now() + PREFACE_TIMEOUT;
        let (watches, abort) = (self.limits.watches_per_connection, self.abort.clone());
        let wire = self.wire;
        let connection = move |socket, identity| {
            let peer = Peer::new(who, identity, watches);
            Connection::new(socket, peer, wire, permit, abort, deadline)
        };
        match (socket, who, &self.tls) {
            (AcceptedSocket::Tcp(socket), PeerAddress::Tcp(address), Some(tls)) => {
                let config = Arc::clone(&tls.borrow().config);
                self.handshakes.spawn(async move {
                    let handshake = handshake(socket, config, wire, deadline).await;
                    let (socket, identity) = handshake.map_err(|error| (address, error))?;
                    Ok(connection(Box::new(socket), identity))
                });
                None
            }
            (socket, _, _) => Some(connection(socket.into_socket(), None)),
        }
    }

    fn handshake_failed(&mut self, peer: SocketAddr, error: &HandshakeError) {
        tracing::debug!(%peer, %error, "connection failed during setup");
        if !matches!(error, HandshakeError::Closed) {
            self.metrics.refused.count(RefusalReason::Handshake);
            if self.handshake_warnings.allow() {
                tracing::warn!(
                    "connection from {peer} failed during setup: {error} (further failures at debug)"
                );
            }
        }
    }
}

/// Whether one connection failed before it was accepted. The next one may succeed.
fn is_connection_error(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::NotConnected
            | io::ErrorKind::InvalidInput
    )
}
