//! HTTP/1.1 on an accepted connection: time limits for its client, and a graceful end.

use std::{
    convert::Infallible,
    io::{self, IoSlice},
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
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
    time::{Sleep, sleep},
};
use tonic::{body::Body, transport::server::Connected as _};
use tower::{BoxError, Service};

use crate::auth::Peer;

use super::connection::Connection;

/// How long a client may take for the head of a request, from its first byte. For the first
/// request of a connection, from its start.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a connection may be idle between requests. Clients keep idle connections for up
/// to 90 seconds, and a server that closes one first causes blind retries.
const IDLE_TIMEOUT: Duration = Duration::from_mins(2);
/// The maximum size of the head of a request.
const MAX_HEAD_BYTES: usize = 64 * 1024;

/// Serves the requests of a connection until its client or `stop` ends it. The running
/// request is answered in both cases. The peer is in the extensions of each request.
pub(crate) async fn serve<F, A>(connection: Connection, answer: F, stop: impl Future<Output = ()>)
where
    F: Fn(Request<Body>) -> A + Clone + Send + 'static,
    A: Future<Output = Response<Body>> + Send + 'static,
{
    let peer = connection.connect_info();
    let calls = Arc::new(Calls::default());
    let socket = TimedConnection::new(connection, Arc::clone(&calls));
    let service = TowerToHyperService::new(Requests { peer, calls, answer });
    let mut builder = auto::Builder::new(TokioExecutor::new()).http1_only();
    builder.http1().max_buf_size(MAX_HEAD_BYTES).header_read_timeout(None);
    let mut served = pin!(builder.serve_connection(TokioIo::new(socket), service));
    let mut stop = pin!(stop);
    // Errors are caused by the client.
    tokio::select! {
        _ = served.as_mut() => return,
        () = stop.as_mut() => served.as_mut().graceful_shutdown(),
    }
    let _ = served.await;
}

/// The service of one connection.
#[derive(Clone)]
struct Requests<F> {
    peer: Peer,
    calls: Arc<Calls>,
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
        let running = self.calls.begin();
        let answer = (self.answer)(request);
        Box::pin(async move {
            let response = answer.await;
            drop(running);
            Ok(response)
        })
    }
}

/// The calls of a connection.
#[derive(Debug, Default)]
struct Calls {
    begun: AtomicUsize,
    running: AtomicUsize,
}

/// A running call.
struct RunningCall(Arc<Calls>);

impl Calls {
    fn begin(self: &Arc<Self>) -> RunningCall {
        self.begun.fetch_add(1, Ordering::Relaxed);
        self.running.fetch_add(1, Ordering::Relaxed);
        RunningCall(Arc::clone(self))
    }
}

impl Drop for RunningCall {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A connection that times out while the client sends the head of a request, or nothing.
/// While a call runs, the call has its own limits.
struct TimedConnection {
    connection: Connection,
    calls: Arc<Calls>,
    /// How many calls had begun when the client was last waited for.
    begun: usize,
    /// Whether a part of the next head has arrived.
    has_begun_head: bool,
    timeout: Option<Pin<Box<Sleep>>>,
}

impl TimedConnection {
    fn new(connection: Connection, calls: Arc<Calls>) -> Self {
        let timeout = Some(Box::pin(sleep(HEAD_TIMEOUT)));
        Self { connection, calls, begun: 0, has_begun_head: true, timeout }
    }

    /// Waits for the client until its time is over.
    fn poll_timeout(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let limit = if self.has_begun_head { HEAD_TIMEOUT } else { IDLE_TIMEOUT };
        self.timeout.get_or_insert_with(|| Box::pin(sleep(limit))).as_mut().poll(cx)
    }
}

impl AsyncRead for TimedConnection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let begun = this.calls.begun.load(Ordering::Relaxed);
        if begun != this.begun || this.calls.running.load(Ordering::Relaxed) > 0 {
            this.begun = begun;
            this.has_begun_head = false;
            this.timeout = None;
        }
        let before = buffer.filled().len();
        let read = Pin::new(&mut this.connection).poll_read(cx, buffer);
        if this.calls.running.load(Ordering::Relaxed) > 0 {
            return read;
        }
        if read.is_pending() {
            ready!(this.poll_timeout(cx));
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        if buffer.filled().len() > before && !this.has_begun_head {
            this.has_begun_head = true;
            this.timeout = None;
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
