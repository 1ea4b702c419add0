//! HTTP/1.1 on an accepted connection: time limits for its client, and a graceful end.

use std::{
    convert::Infallible,
    future,
    io::{self, IoSlice},
    pin::{Pin, pin},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
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
    sync::watch,
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
    let (patience, deadline) = Patience::new();
    let socket = TimedConnection { connection, patience: Arc::clone(&patience) };
    let service = TowerToHyperService::new(Requests { peer, patience, answer });
    let mut builder = auto::Builder::new(TokioExecutor::new()).http1_only();
    builder.http1().max_buf_size(MAX_HEAD_BYTES).header_read_timeout(None);
    let mut served = pin!(builder.serve_connection(TokioIo::new(socket), service));
    let mut expired = pin!(expired(deadline));
    // Errors are caused by the client.
    tokio::select! {
        _ = served.as_mut() => return,
        () = expired.as_mut() => return,
        () = stop => (),
        () = max_age.end() => (),
    }
    served.as_mut().graceful_shutdown();
    tokio::select! {
        _ = served => (),
        () = expired => (),
    }
}

/// The service of one connection.
#[derive(Clone)]
struct Requests<F> {
    peer: Peer,
    patience: Arc<Patience>,
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
        let running = self.patience.begin();
        let answer = (self.answer)(request);
        Box::pin(async move {
            let response = answer.await;
            drop(running);
            Ok(response)
        })
    }
}

/// How long the server waits for the client of a connection.
struct Patience {
    state: Mutex<WaitState>,
    /// When the time of the client is over; `None` while a call runs, which has its own limits.
    deadline: watch::Sender<Option<Instant>>,
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

impl Patience {
    /// For a new connection, and when the time of its client is over.
    fn new() -> (Arc<Self>, watch::Receiver<Option<Instant>>) {
        let (deadline, deadlines) = watch::channel(Some(Instant::now() + HEAD_TIMEOUT));
        (Arc::new(Self { state: Mutex::new(WaitState::Head), deadline }), deadlines)
    }

    fn state(&self) -> MutexGuard<'_, WaitState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn received(&self) {
        let mut state = self.state();
        if *state == WaitState::Request {
            *state = WaitState::Head;
            self.deadline.send_replace(Some(Instant::now() + HEAD_TIMEOUT));
        }
    }

    fn begin(self: &Arc<Self>) -> RunningCall {
        let mut state = self.state();
        let running = if let WaitState::Calls(running) = *state { running } else { 0 };
        *state = WaitState::Calls(running + 1);
        self.deadline.send_replace(None);
        RunningCall(Arc::clone(self))
    }
}

/// A running call.
struct RunningCall(Arc<Patience>);

impl Drop for RunningCall {
    fn drop(&mut self) {
        let mut state = self.0.state();
        if let WaitState::Calls(running @ 2..) = *state {
            *state = WaitState::Calls(running - 1);
            return;
        }
        *state = WaitState::Request;
        self.0.deadline.send_replace(Some(Instant::now() + IDLE_TIMEOUT));
    }
}

/// Waits until the time of the client is over.
async fn expired(mut deadline: watch::Receiver<Option<Instant>>) {
    loop {
        let current = *deadline.borrow_and_update();
        let over = async {
            match current {
                Some(deadline) => sleep_until(deadline).await,
                None => future::pending().await,
            }
        };
        tokio::select! {
            () = over => return,
            changed = deadline.changed() => {
                if changed.is_err() {
                    // The connection is closed.
                    return;
                }
            }
        }
    }
}

/// A connection that tells when something is received.
struct TimedConnection {
    connection: Connection,
    patience: Arc<Patience>,
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
            this.patience.received();
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
        Pin::new(&mut self.connection).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.connection).poll_write_vectored(cx, slices)
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
