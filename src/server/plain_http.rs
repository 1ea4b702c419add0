//! HTTP/1.1 without TLS and authentication, for what is not confidential: monitoring, and witnesses.

use std::{collections::VecDeque, convert::Infallible, time::Duration};

use axum::Router;
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
    service::TowerToHyperService,
};
use tokio::{
    task::{AbortHandle, JoinSet},
    time::{sleep, timeout},
};

use crate::transport::{Listener, listen::ACCEPT_PAUSE};

/// The maximum number of open connections. A further one replaces the oldest, so that a
/// probe is answered however many silent connections there are. The log needs the other file
/// descriptors.
const MAX_CONNECTIONS: usize = 32;
/// The maximum lifetime of a connection. Clients reconnect.
const CONNECTION_TIMEOUT: Duration = Duration::from_mins(2);
/// How long a connection may be idle.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);

/// Serves these routes on every connection.
pub(super) async fn serve(listener: Listener, routes: Router) -> Infallible {
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
