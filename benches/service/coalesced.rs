//! Sockets whose writes are coalesced as those of our server's connections: from the same
//! source, without the timeouts and limits of its connections.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};
use tonic::transport::server::{Connected, TcpConnectInfo};

use crate::write_coalescer::WriteCoalescer;

/// A socket with a buffer for writes.
pub(crate) struct Coalesced {
    socket: TcpStream,
    writes: WriteCoalescer,
}

impl Coalesced {
    pub(crate) fn new(socket: TcpStream) -> Self {
        Self { socket, writes: WriteCoalescer::default() }
    }

    fn poll_drain(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.writes.is_empty() {
            let written = Pin::new(&mut self.socket).poll_write(cx, self.writes.buffered());
            match ready!(written)? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                count => self.writes.consume(count),
            }
        }
        Poll::Ready(Ok(()))
    }

    fn poll_flush_now(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_drain(cx))?;
        ready!(Pin::new(&mut self.socket).poll_flush(cx))?;
        self.writes.set_flushed();
        Poll::Ready(Ok(()))
    }
}

impl Connected for Coalesced {
    type ConnectInfo = TcpConnectInfo;

    fn connect_info(&self) -> TcpConnectInfo {
        self.socket.connect_info()
    }
}

impl AsyncRead for Coalesced {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let read = Pin::new(&mut self.socket).poll_read(cx, buffer);
        if read.is_pending()
            && self.writes.on_poll(cx)
            && let Poll::Ready(Err(error)) = self.poll_flush_now(cx)
        {
            return Poll::Ready(Err(error));
        }
        read
    }
}

impl AsyncWrite for Coalesced {
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
        if let Some(count) = self.writes.push(slices) {
            return Poll::Ready(Ok(count));
        }
        ready!(self.poll_drain(cx))?;
        if let Some(count) = self.writes.push(slices) {
            return Poll::Ready(Ok(count));
        }
        let written = Pin::new(&mut self.socket).poll_write_vectored(cx, slices);
        if written.is_ready() {
            self.writes.set_unflushed();
        }
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    /// May return `Ready` with bytes still buffered; see `WriteCoalescer`.
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.writes.defer_flush(cx) {
            return Poll::Ready(Ok(()));
        }
        self.poll_flush_now(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_drain(cx))?;
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}
