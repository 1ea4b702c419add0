//! Who is let in through a listener: as many as there is room for, each through the
//! handshake of TLS where there is one.

use std::{io, net::SocketAddr, sync::Arc};

use futures_util::{Stream, stream};
use tokio::{
    sync::{Semaphore, watch},
    task::JoinSet,
    time::{self, Instant},
};
use tokio_rustls::rustls::ServerConfig;

use crate::{
    auth::{Peer, Who},
    fs::reload::Current,
    telemetry::{
        WarnLimiter,
        metrics::{Metrics, Refusal},
    },
};

use super::{
    connection::{Connection, PREFACE_TIMEOUT},
    handshake::{HandshakeError, shake_hands},
    listen::{ACCEPT_PAUSE, Accepted, Listener},
};

/// How many connections there may be, and what each of them may have.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Room {
    pub(crate) connections: usize,
    pub(crate) watches_per_connection: usize,
}

/// Every connection that there is room for; the others are closed at once, so that
/// their clients try elsewhere instead of waiting here. With `tls`, those over TCP are
/// encrypted first.
pub(crate) fn connections(
    listener: Listener,
    tls: Option<Current<ServerConfig>>,
    room: Room,
    cut: watch::Receiver<bool>,
    metrics: Arc<Metrics>,
) -> impl Stream<Item = io::Result<Connection>> {
    let arrivals = Arrivals {
        listener,
        tls,
        places: Arc::new(Semaphore::new(room.connections.min(Semaphore::MAX_PERMITS))),
        room,
        cut,
        metrics,
        handshakes: JoinSet::new(),
        refused: WarnLimiter::default(),
        failed: WarnLimiter::default(),
    };
    stream::unfold(arrivals, |mut arrivals| async {
        let connection = arrivals.next().await;
        Some((Ok(connection), arrivals))
    })
}

/// Where connections come from, and what they go through first.
struct Arrivals {
    listener: Listener,
    tls: Option<Current<ServerConfig>>,
    places: Arc<Semaphore>,
    room: Room,
    cut: watch::Receiver<bool>,
    metrics: Arc<Metrics>,
    /// Tasks of their own: a slow client must not hold up the next.
    handshakes: JoinSet<Result<Connection, (SocketAddr, HandshakeError)>>,
    /// Of connections that are refused, or cannot be accepted.
    refused: WarnLimiter,
    /// Of handshakes that fail.
    failed: WarnLimiter,
}

impl Arrivals {
    async fn next(&mut self) -> Connection {
        loop {
            tokio::select! {
                accepted = self.listener.accept() => match accepted {
                    Ok((socket, who)) => {
                        if let Some(connection) = self.admit(socket, who) {
                            return connection;
                        }
                    }
                    Err(error) if is_of_the_connection(&error) => (),
                    Err(error) => {
                        if self.refused.allow() {
                            tracing::warn!("a connection cannot be accepted: {error}");
                        }
                        time::sleep(ACCEPT_PAUSE).await;
                    }
                },
                Some(shaken) = self.handshakes.join_next() => match shaken {
                    Ok(Ok(connection)) => return connection,
                    Ok(Err((address, error))) => self.handshake_failed(address, &error),
                    // It panicked, which was told.
                    Err(_) => (),
                },
            }
        }
    }

    /// The connection, if it is one already and there is room for it.
    fn admit(&mut self, socket: Accepted, who: Who) -> Option<Connection> {
        let Ok(place) = Arc::clone(&self.places).try_acquire_owned() else {
            self.metrics.refused.count(Refusal::Connections);
            if self.refused.allow() {
                tracing::warn!("all connections are taken; more are refused");
            }
            return None;
        };
        let place = (place, self.metrics.server.connection());
        let late = Instant::now() + PREFACE_TIMEOUT;
        let (watches, cut) = (self.room.watches_per_connection, self.cut.clone());
        let connection = move |socket, identity| {
            Connection::new(socket, Peer::new(who, identity, watches), place, cut, late)
        };
        match (socket, who, &self.tls) {
            (Accepted::Tcp(socket), Who::Address(address), Some(tls)) => {
                let config = Arc::clone(&tls.borrow());
                self.handshakes.spawn(async move {
                    let shaken = shake_hands(socket, config, late).await;
                    let (socket, identity) = shaken.map_err(|error| (address, error))?;
                    Ok(connection(Box::new(socket), identity))
                });
                None
            }
            (socket, _, _) => Some(connection(socket.plain(), None)),
        }
    }

    fn handshake_failed(&mut self, peer: SocketAddr, error: &HandshakeError) {
        tracing::debug!(%peer, %error, "a connection did not begin");
        if !matches!(error, HandshakeError::Silent) {
            self.metrics.refused.count(Refusal::Handshake);
            if self.failed.allow() {
                tracing::warn!(
                    "a connection from {peer} did not begin: {error}; others are told at level debug"
                );
            }
        }
    }
}

/// The one connection failed before it was accepted; the next may be well.
fn is_of_the_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::NotConnected
            | io::ErrorKind::InvalidInput
    )
}
