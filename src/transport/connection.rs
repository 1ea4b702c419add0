//! An accepted connection. It times out if the HTTP/2 preface is late or if the client
//! does not read, and it can be aborted.

use std::{
    io::{self, IoSlice},
    mem,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Instant, Sleep, sleep, sleep_until},
};
use tonic::transport::server::Connected;

use crate::{auth::Peer, telemetry::metrics::OpenConnection};

use super::{
    abort::{AbortSignal, WriteProgress},
    fair_limit::Share,
    wire::Wire,
    write_coalescer::WriteCoalescer,
};

#[cfg(test)]
mod tests;

/// How long a client may take for the HTTP/2 preface, including the TLS handshake.
/// After that, HTTP/2 keepalive detects whether the client is still connected.
pub(super) const PREFACE_TIMEOUT: Duration = Duration::from_secs(10);
/// The length of the HTTP/2 preface.
const PREFACE_BYTES: usize = 24;
/// How long the socket may accept no bytes because the client does not read. Keepalive
/// does not detect such a client, because the PING cannot be sent either.
const WRITE_STALL_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a connection that was shut down waits for the client to close it.
const LINGER_TIMEOUT: Duration = Duration::from_secs(1);

/// The response to HTTP/1.1, which clients and people would otherwise see as silence.
const HTTP1_RESPONSE: &[u8] = b"HTTP/1.1 505 HTTP Version Not Supported\r\n\
    content-type: text/plain\r\nconnection: close\r\ncontent-length: 57\r\n\r\n\
    this address speaks gRPC over HTTP/2: use a gRPC client.\n";

/// Whether these first bytes of a connection are an HTTP/1.1 request.
fn is_http1(received: &[u8]) -> bool {
    ["GET ", "POST ", "PUT ", "HEAD ", "DELETE ", "OPTIONS ", "PATCH "]
        .iter()
        .any(|method| received.starts_with(method.as_bytes()))
}

/// A socket of any kind.
pub(crate) trait Socket: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Socket for T {}

/// An accepted connection.
pub(crate) struct Connection {
    socket: Box<dyn Socket>,
    peer: Peer,
    wire: Wire,
    preface: Option<ExpectedPreface>,
    writes: WriteCoalescer,
    /// Whether the client speaks HTTP/1.1, so that it is told and the connection ends.
    is_http1: bool,
    /// Runs while the socket accepts no bytes.
    stall_timeout: Option<Pin<Box<Sleep>>>,
    /// Runs once this end is shut down.
    linger_timeout: Option<Pin<Box<Sleep>>>,
    /// Completes when the connection is aborted; `None` afterwards.
    abort: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    /// Whether the owner was polled since the abort, to write what it has.
    had_last_turn: bool,
    progress: Arc<WriteProgress>,
    /// Released when the connection is closed.
    _permit: ConnectionPermit,
}

/// The permit of a connection, and its count in the gauge of connections.
pub(super) type ConnectionPermit = (Share, OpenConnection);

/// The rest of the preface, and when it must have arrived.
struct ExpectedPreface {
    bytes: usize,
    deadline: Pin<Box<Sleep>>,
}

impl Connection {
    /// A connection whose preface, if it has one, must arrive before `deadline`. It is aborted when
    /// `abort` says so or its sender is dropped.
    pub(super) fn new(
        socket: Box<dyn Socket>,
        peer: Peer,
        wire: Wire,
        permit: ConnectionPermit,
        abort: AbortSignal,
        deadline: Instant,
    ) -> Self {
        let AbortSignal { mut signal, progress } = abort;
        let abort = Box::pin(async move {
            signal.wait_for(|abort| *abort).await.map(|_| ()).ok();
        });
        let deadline = Box::pin(sleep_until(deadline));
        Self {
            socket,
            peer,
            wire,
            preface: match wire {
                Wire::Http1 => None,
                Wire::Http2 => Some(ExpectedPreface { bytes: PREFACE_BYTES, deadline }),
            },
            writes: WriteCoalescer::default(),
            is_http1: false,
            stall_timeout: None,
            linger_timeout: None,
            abort: Some(abort),
            had_last_turn: false,
            progress,
            _permit: permit,
        }
    }

    /// Whether the connection was aborted. If not, wakes the task when it is.
    fn is_aborted(&mut self, cx: &mut Context<'_>) -> bool {
        if self.abort.as_mut().is_some_and(|abort| abort.as_mut().poll(cx).is_ready()) {
            self.abort = None;
        }
        self.abort.is_none()
    }

    /// Reads and discards until the client closes its end. Closing a socket with unread
    /// bytes resets the connection, and the client may lose the last response.
    fn poll_linger(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut discarded = [0; 1024];
        loop {
            let is_over =
                self.linger_timeout.as_mut().is_none_or(|end| end.as_mut().poll(cx).is_ready());
            if is_over || self.is_aborted(cx) {
                return Poll::Ready(());
            }
            let mut buffer = ReadBuf::new(&mut discarded);
            let read = ready!(Pin::new(&mut self.socket).poll_read(cx, &mut buffer));
            if read.is_err() || buffer.filled().is_empty() {
                return Poll::Ready(());
            }
        }
    }

    /// Writes the buffered bytes to the socket.
    fn poll_drain(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.writes.is_empty() {
            let result = Pin::new(&mut self.socket).poll_write(cx, self.writes.buffered());
            match ready!(self.check_stall(cx, result))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                count => {
                    self.progress.add();
                    self.writes.consume(count);
                }
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Writes the buffered bytes, and flushes TLS.
    fn poll_flush_now(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_drain(cx))?;
        let result = Pin::new(&mut self.socket).poll_flush(cx);
        ready!(self.check_stall(cx, result))?;
        self.writes.set_flushed();
        Poll::Ready(Ok(()))
    }

    /// Replaces a pending result with an error when the connection is aborted or has
    /// stalled for too long.
    fn check_stall<T>(
        &mut self,
        cx: &mut Context<'_>,
        result: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if result.is_ready() {
            self.stall_timeout = None;
            return result;
        }
        if self.is_aborted(cx) {
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        let timeout =
            self.stall_timeout.get_or_insert_with(|| Box::pin(sleep(WRITE_STALL_TIMEOUT)));
        ready!(timeout.as_mut().poll(cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

/// The buffer may hold bytes that were reported as flushed. Writes as many of them as the
/// socket accepts at once. The other bytes are lost, because the owner did not shut the
/// connection down.
impl Drop for Connection {
    fn drop(&mut self) {
        let cx = &mut Context::from_waker(Waker::noop());
        while !self.writes.is_empty()
            && let Poll::Ready(Ok(count @ 1..)) =
                Pin::new(&mut self.socket).poll_write(cx, self.writes.buffered())
        {
            self.writes.consume(count);
        }
    }
}

/// tonic adds the peer to the extensions of each request, where the call layer reads it.
impl Connected for Connection {
    type ConnectInfo = Peer;

    fn connect_info(&self) -> Peer {
        self.peer.clone()
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.is_http1 {
            ready!(self.poll_shutdown(cx))?;
            return Poll::Ready(Err(io::ErrorKind::InvalidData.into()));
        }
        let this = &mut *self;
        if this.is_aborted(cx) {
            // h2 reads, then writes. On an error it would drop the ends of calls that came when
            // its task had no turn yet.
            if !mem::replace(&mut this.had_last_turn, true) {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        let before = buffer.filled().len();
        let read = Pin::new(&mut this.socket).poll_read(cx, buffer);
        if read.is_pending()
            && this.writes.on_poll(cx)
            && let Poll::Ready(Err(error)) = this.poll_flush_now(cx)
        {
            return Poll::Ready(Err(error));
        }
        if let Some(preface) = &mut this.preface {
            let received = buffer.filled().get(before..).unwrap_or_default();
            if preface.bytes == PREFACE_BYTES && is_http1(received) {
                // Without the first frames of HTTP/2.
                this.writes = WriteCoalescer::default();
                this.writes.push(&[IoSlice::new(HTTP1_RESPONSE)]);
                this.is_http1 = true;
                return self.poll_read(cx, buffer);
            }
            let count = received.len();
            preface.bytes = preface.bytes.saturating_sub(count);
            if preface.bytes == 0 {
                this.preface = None;
            } else if read.is_pending() && preface.deadline.as_mut().poll(cx).is_ready() {
                return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
            }
        }
        read
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        // While the socket accepts no bytes, no more are buffered.
        if this.stall_timeout.is_some() {
            ready!(this.poll_drain(cx))?;
        }
        // HTTP/1.1 has one response at a time, so there is nothing to coalesce.
        if this.wire == Wire::Http2 {
            if let Some(count) = this.writes.push(slices) {
                return Poll::Ready(Ok(count));
            }
            ready!(this.poll_drain(cx))?;
            if let Some(count) = this.writes.push(slices) {
                return Poll::Ready(Ok(count));
            }
        }
        let result = Pin::new(&mut this.socket).poll_write_vectored(cx, slices);
        if result.is_ready() {
            this.progress.add();
            this.writes.set_unflushed();
        }
        this.check_stall(cx, result)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    /// May return `Ready` with bytes still buffered; see [`super::write_coalescer`].
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.writes.defer_flush(cx) {
            return Poll::Ready(Ok(()));
        }
        self.poll_flush_now(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.linger_timeout.is_none() {
            ready!(this.poll_drain(cx))?;
            let result = Pin::new(&mut this.socket).poll_shutdown(cx);
            ready!(this.check_stall(cx, result))?;
            this.linger_timeout = Some(Box::pin(sleep(LINGER_TIMEOUT)));
        }
        this.poll_linger(cx).map(Ok)
    }
}
