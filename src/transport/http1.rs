//! HTTP/1.1 on an accepted connection: time limits for its client, and a graceful end.

use std::{
    convert::Infallible,
    future::poll_fn,
    io::{self, IoSlice},
    pin::{Pin, pin},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body as HttpBody;
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
    service::TowerToHyperService,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Instant, sleep_until},
};
use tonic::{body::Body, transport::server::Connected as _};
use tower::{BoxError, Service};

use crate::auth::Peer;

use super::{connection::Connection, connection_age::MaxConnectionAge};

#[cfg(test)]
mod tests;

/// How long a client may take for the head of a request, from its first byte. For the first
/// request of a connection, from its start.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a connection may be idle between requests. Clients keep idle connections for up
/// to 90 seconds, and a server that closes one first causes blind retries.
const IDLE_TIMEOUT: Duration = Duration::from_mins(2);
/// How long the rest of a head may take while the server stops.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);
/// The maximum size of the head of a request.
const MAX_HEAD_BYTES: usize = 64 * 1024;

/// Serves the requests of a connection until its client, its age or `stop` ends it. The running
/// request is answered in all cases. The peer is in the extensions of each request.
pub(crate) async fn serve<F, A>(
    connection: Connection,
    answer: F,
    max_age: MaxConnectionAge,
    stop: impl Future<Output = ()>,
) where
    F: Fn(Request<Body>) -> A + Clone + Send + 'static,
    A: Future<Output = Response<Body>> + Send + 'static,
{
    let peer = connection.connect_info();
    let client_deadline = Arc::new(ClientDeadline::new());
    let socket = TimedConnection { connection, client_deadline: Arc::clone(&client_deadline) };
    let service = Requests { peer, client_deadline: Arc::clone(&client_deadline), answer };
    let service = TowerToHyperService::new(service);
    let mut builder = auto::Builder::new(TokioExecutor::new()).http1_only();
    builder.http1().max_buf_size(MAX_HEAD_BYTES).header_read_timeout(None);
    let mut served = pin!(builder.serve_connection(TokioIo::new(socket), service));
    let mut expired = pin!(client_deadline.expired());
    // Errors are caused by the client. The connection is polled first, because that changes how
    // long the client may take.
    let is_stopping = tokio::select! {
        biased;
        _ = served.as_mut() => return,
        () = expired.as_mut() => return,
        () = stop => true,
        () = max_age.end() => false,
    };
    served.as_mut().graceful_shutdown();
    if is_stopping {
        client_deadline.shorten_for_shutdown();
    }
    tokio::select! {
        biased;
        _ = served => (),
        () = expired => (),
    }
}

/// The service of one connection.
#[derive(Clone)]
struct Requests<F> {
    peer: Peer,
    client_deadline: Arc<ClientDeadline>,
    answer: F,
}

impl<B, F, A> Service<Request<B>> for Requests<F>
where
    B: HttpBody<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
    F: Fn(Request<Body>) -> A,
    A: Future<Output = Response<Body>> + Send + 'static,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(self.peer.clone());
        let running = self.client_deadline.begin();
        let answer = (self.answer)(request);
        Box::pin(async move {
            let response = answer.await;
            drop(running);
            Ok(response)
        })
    }
}

/// How long the server waits for the client of a connection. Changes only while the connection
/// is polled, so no waker is needed.
struct ClientDeadline(Mutex<Waiting>);

#[derive(Clone, Copy)]
struct Waiting {
    state: WaitState,
    /// When the time of the client is over; `None` while a call runs, which has its own limits.
    deadline: Option<Instant>,
}

/// What the server waits for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum WaitState {
    /// The first byte of a request.
    Request,
    /// The rest of its head.
    Head,
    /// The calls that run.
    Calls(usize),
}

impl ClientDeadline {
    /// For a new connection.
    fn new() -> Self {
        let deadline = Some(Instant::now() + HEAD_TIMEOUT);
        Self(Mutex::new(Waiting { state: WaitState::Head, deadline }))
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn received(&self) {
        let mut waiting = self.waiting();
        if waiting.state == WaitState::Request {
            let deadline = Some(Instant::now() + HEAD_TIMEOUT);
            *waiting = Waiting { state: WaitState::Head, deadline };
        }
    }

    /// A client that reads its response is not idle, however long that takes.
    fn sent(&self) {
        let mut waiting = self.waiting();
        if waiting.state == WaitState::Request {
            waiting.deadline = Some(Instant::now() + IDLE_TIMEOUT);
        }
    }

    fn begin(self: &Arc<Self>) -> RunningCall {
        let mut waiting = self.waiting();
        let running = if let WaitState::Calls(running) = waiting.state { running } else { 0 };
        *waiting = Waiting { state: WaitState::Calls(running + 1), deadline: None };
        RunningCall(Arc::clone(self))
    }

    /// Waits no longer than [`CLOSE_TIMEOUT`] for the head of a request that has begun.
    fn shorten_for_shutdown(&self) {
        let mut waiting = self.waiting();
        if waiting.state == WaitState::Head {
            let soon = Instant::now() + CLOSE_TIMEOUT;
            waiting.deadline = waiting.deadline.map(|deadline| deadline.min(soon));
        }
    }

    /// Waits until the time of the client is over. To be polled after the connection.
    async fn expired(&self) {
        let mut timer = pin!(sleep_until(Instant::now() + HEAD_TIMEOUT));
        poll_fn(|cx| {
            // The timer is moved to a later deadline only when it fires: most deadlines are moved
            // again before.
            while let Some(deadline) = self.waiting().deadline {
                if timer.deadline() > deadline {
                    timer.as_mut().reset(deadline);
                }
                ready!(timer.as_mut().poll(cx));
                if timer.deadline() == deadline {
                    return Poll::Ready(());
                }
                timer.as_mut().reset(deadline);
            }
            Poll::Pending
        })
        .await;
    }
}

/// A running call.
struct RunningCall(Arc<ClientDeadline>);

impl Drop for RunningCall {
    fn drop(&mut self) {
        let mut waiting = self.0.waiting();
        if let WaitState::Calls(running @ 2..) = waiting.state {
            waiting.state = WaitState::Calls(running - 1);
            return;
        }
        let deadline = Some(Instant::now() + IDLE_TIMEOUT);
        *waiting = Waiting { state: WaitState::Request, deadline };
    }
}

/// A connection that tells when something is received or sent.
struct TimedConnection {
    connection: Connection,
    client_deadline: Arc<ClientDeadline>,
}

impl AsyncRead for TimedConnection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let before = buffer.filled().len();
        let read = Pin::new(&mut this.connection).poll_read(cx, buffer);
        if buffer.filled().len() > before {
            this.client_deadline.received();
        }
        read
    }
}

impl AsyncWrite for TimedConnection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        let written = Pin::new(&mut this.connection).poll_write(cx, bytes);
        if matches!(written, Poll::Ready(Ok(1..))) {
            this.client_deadline.sent();
        }
        written
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        let written = Pin::new(&mut this.connection).poll_write_vectored(cx, slices);
        if matches!(written, Poll::Ready(Ok(1..))) {
            this.client_deadline.sent();
        }
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.connection.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.connection).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.connection).poll_shutdown(cx)
    }
}
