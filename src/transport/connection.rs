//! A connection: it has to begin, it has to be read from at the other end, and it
//! can be cut.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    sync::{OwnedSemaphorePermit, watch},
    time::{Instant, Sleep, sleep, sleep_until},
};
use tonic::transport::server::Connected;

use crate::{auth::Peer, telemetry::metrics::OpenConnection};

use super::write_coalescer::WriteCoalescer;

/// How long a connection may take to say that it speaks HTTP/2, with the handshake of
/// TLS where there is one. From then on it is asked regularly whether it is still there;
/// see the keepalive of the server.
pub(super) const GREETING: Duration = Duration::from_secs(10);
/// How many bytes the greeting has.
const GREETING_BYTES: usize = 24;
/// How long nothing at all may leave for a client that does not read. Asking it
/// whether it is still there does not help: the question does not leave, either.
const STALLED: Duration = Duration::from_secs(30);

/// How long a connection that was closed here is kept for the other end to close.
const LINGER: Duration = Duration::from_secs(1);

/// A socket of any kind.
pub(crate) trait Socket: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Socket for T {}

/// An accepted connection.
pub(crate) struct Connection {
    socket: Box<dyn Socket>,
    peer: Peer,
    greeting: Option<Greeting>,
    outgoing: WriteCoalescer,
    stalled: Option<Pin<Box<Sleep>>>,
    /// How long the other end may still take to close; nothing before this one did.
    lingering: Option<Pin<Box<Sleep>>>,
    /// Completes when it is cut; then it is gone.
    cut: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    /// Given back when the connection is closed.
    _place: Place,
}

/// What a connection takes up: a place, and one in the count.
pub(super) type Place = (OwnedSemaphorePermit, OpenConnection);

/// What is still to come of a connection's beginning.
struct Greeting {
    bytes: usize,
    late: Pin<Box<Sleep>>,
}

impl Connection {
    /// A connection that is to have begun when it is `late`, and that ends when `cut`
    /// says so, or is gone.
    pub(super) fn new(
        socket: Box<dyn Socket>,
        peer: Peer,
        place: Place,
        mut cut: watch::Receiver<bool>,
        late: Instant,
    ) -> Self {
        let greeting = Greeting { bytes: GREETING_BYTES, late: Box::pin(sleep_until(late)) };
        let cut = Box::pin(async move {
            cut.wait_for(|cut| *cut).await.map(|_| ()).ok();
        });
        let greeting = Some(greeting);
        Self {
            socket,
            peer,
            greeting,
            outgoing: WriteCoalescer::default(),
            stalled: None,
            lingering: None,
            cut: Some(cut),
            _place: place,
        }
    }

    /// Whether the connection was cut; asks to be woken when it is.
    fn is_cut(&mut self, cx: &mut Context<'_>) -> bool {
        if self.cut.as_mut().is_some_and(|cut| cut.as_mut().poll(cx).is_ready()) {
            self.cut = None;
        }
        self.cut.is_none()
    }

    /// Waits until the other end has closed, too, and throws away what it still says:
    /// a socket that is closed with something unread is reset, and what was sent last
    /// is lost with it.
    fn poll_farewell(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut scrap = [0; 1024];
        loop {
            let late = self.lingering.as_mut().is_none_or(|late| late.as_mut().poll(cx).is_ready());
            if late || self.is_cut(cx) {
                return Poll::Ready(());
            }
            let mut buffer = ReadBuf::new(&mut scrap);
            let read = ready!(Pin::new(&mut self.socket).poll_read(cx, &mut buffer));
            if read.is_err() || buffer.filled().is_empty() {
                return Poll::Ready(());
            }
        }
    }

    /// Lets everything leave that was gathered.
    fn poll_leave(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.outgoing.is_empty() {
            let result = Pin::new(&mut self.socket).poll_write(cx, self.outgoing.held());
            match ready!(self.written(cx, result))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                count => self.outgoing.left(count),
            }
        }
        Poll::Ready(Ok(()))
    }

    /// What came of a write, unless nothing has left for too long.
    fn written<T>(
        &mut self,
        cx: &mut Context<'_>,
        result: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if result.is_ready() {
            self.stalled = None;
            return result;
        }
        if self.is_cut(cx) {
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        let stalled = self.stalled.get_or_insert_with(|| Box::pin(sleep(STALLED)));
        ready!(stalled.as_mut().poll(cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

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
        let this = &mut *self;
        if this.is_cut(cx) {
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        let before = buffer.filled().len();
        let read = Pin::new(&mut this.socket).poll_read(cx, buffer);
        if read.is_pending()
            && this.outgoing.turn()
            && let Poll::Ready(Err(error)) = this.poll_leave(cx)
        {
            return Poll::Ready(Err(error));
        }
        if let Some(greeting) = &mut this.greeting {
            let bytes = buffer.filled().len().saturating_sub(before);
            greeting.bytes = greeting.bytes.saturating_sub(bytes);
            if greeting.bytes == 0 {
                this.greeting = None;
            } else if read.is_pending() && greeting.late.as_mut().poll(cx).is_ready() {
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
        // Of what cannot leave, no more is gathered.
        if this.stalled.is_some() {
            ready!(this.poll_leave(cx))?;
        }
        if let Some(taken) = this.outgoing.take(slices) {
            return Poll::Ready(Ok(taken));
        }
        ready!(this.poll_leave(cx))?;
        if let Some(taken) = this.outgoing.take(slices) {
            return Poll::Ready(Ok(taken));
        }
        let result = Pin::new(&mut this.socket).poll_write_vectored(cx, slices);
        this.written(cx, result)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.outgoing.waits(cx) {
            return Poll::Ready(Ok(()));
        }
        ready!(this.poll_leave(cx))?;
        // TLS keeps what could not leave, and says so here.
        let result = Pin::new(&mut this.socket).poll_flush(cx);
        this.written(cx, result)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.lingering.is_none() {
            ready!(this.poll_leave(cx))?;
            let result = Pin::new(&mut this.socket).poll_shutdown(cx);
            ready!(this.written(cx, result))?;
            this.lingering = Some(Box::pin(sleep(LINGER)));
        }
        this.poll_farewell(cx).map(Ok)
    }
}
