//! HTTP/1.1 without TLS and authentication, for what is not confidential: monitoring, and witnesses.

use std::{
    collections::VecDeque,
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use axum::{
    Router,
    body::{Body, to_bytes},
    http::{Request, StatusCode},
    response::{IntoResponse as _, Response},
};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
};
use tokio::{
    task::{AbortHandle, JoinSet},
    time::{sleep, timeout},
};
use tower::ServiceExt as _;

use crate::transport::{Listener, listen::ACCEPT_PAUSE};

/// The maximum lifetime of a connection. Clients reconnect.
const CONNECTION_TIMEOUT: Duration = Duration::from_mins(2);
/// How long the headers of a request may take, also while the connection is idle.
const HEADER_TIMEOUT: Duration = Duration::from_secs(5);
/// More than any request has.
const MAX_BODY_BYTES: usize = 64 * 1024;

/// An open connection.
#[derive(Debug)]
struct OpenConnection {
    task: AbortHandle,
    /// Whether a request has arrived completely, and is being answered.
    is_answering: Arc<AtomicBool>,
}

/// Serves these routes on every connection. When so many are open, a further one replaces the
/// oldest that is not being answered, so that silent connections prevent no request; if all of them
/// are being answered, it is closed.
pub(super) async fn serve(
    listener: Listener,
    routes: Router,
    max_connections: usize,
) -> Infallible {
    let mut connections = JoinSet::new();
    // In the order in which they were accepted.
    let mut open: VecDeque<OpenConnection> = VecDeque::new();
    loop {
        let Ok((socket, _)) = listener.accept().await else {
            sleep(ACCEPT_PAUSE).await;
            continue;
        };
        while connections.try_join_next().is_some() {}
        open.retain(|connection| !connection.task.is_finished());
        if open.len() >= max_connections {
            let is_idle = |open: &OpenConnection| !open.is_answering.load(Ordering::Relaxed);
            let oldest = open.iter().position(is_idle).and_then(|index| open.remove(index));
            let Some(oldest) = oldest else { continue };
            oldest.task.abort();
        }
        let is_answering = Arc::new(AtomicBool::new(false));
        let (routes, answering) = (routes.clone(), Arc::clone(&is_answering));
        let service =
            service_fn(move |request| answer(routes.clone(), request, Arc::clone(&answering)));
        let task = connections.spawn(async move {
            let mut server = auto::Builder::new(TokioExecutor::new()).http1_only();
            server.http1().timer(TokioTimer::new()).header_read_timeout(HEADER_TIMEOUT);
            let connection = server.serve_connection(TokioIo::new(socket.into_socket()), service);
            // Errors are caused by the client.
            let _ = timeout(CONNECTION_TIMEOUT, connection).await;
        });
        open.push_back(OpenConnection { task, is_answering });
    }
}

/// Receives a request completely, and answers it.
async fn answer(
    routes: Router,
    request: Request<Incoming>,
    is_answering: Arc<AtomicBool>,
) -> Result<Response, Infallible> {
    let (head, body) = request.into_parts();
    let Ok(body) = to_bytes(Body::new(body), MAX_BODY_BYTES).await else {
        return Ok(StatusCode::PAYLOAD_TOO_LARGE.into_response());
    };
    is_answering.store(true, Ordering::Relaxed);
    let response = routes.oneshot(Request::from_parts(head, Body::from(body))).await;
    is_answering.store(false, Ordering::Relaxed);
    response
}
