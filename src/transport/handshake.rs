//! The TLS handshake of a connection, and the response to a client without TLS.

use std::{io, sync::Arc};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, copy, sink},
    net::TcpStream,
    time::{Instant, timeout_at},
};
use tokio_rustls::{TlsAcceptor, rustls::ServerConfig, server::TlsStream};

use crate::auth::{
    Identity,
    certificate::{self, SubjectError},
};

/// The first byte of a TLS connection: the type of a handshake record.
const HANDSHAKE_RECORD: u8 = 0x16;
/// The debug data of the GOAWAY frame that a client without TLS gets.
const TLS_REQUIRED: &[u8] =
    b"this server requires TLS: connect with https, --tls or --ca, or without -plaintext";
/// The maximum bytes read from such a client. Closing a connection with unread bytes
/// resets it, and the client may lose the response.
const MAX_DISCARDED: u64 = 64 * 1024;

/// Why a TLS connection was not established.
#[derive(Debug, thiserror::Error)]
pub(super) enum HandshakeError {
    /// Load balancers connect and close to check whether a server listens.
    #[error("the client sent nothing")]
    Closed,
    #[error("the client does not use TLS")]
    Plaintext,
    #[error("the handshake timed out")]
    Timeout,
    #[error("the handshake failed: {0}")]
    Failed(#[from] io::Error),
    #[error(transparent)]
    Subject(#[from] SubjectError),
}

/// Performs the handshake until `deadline`. Returns the identity in the client's
/// certificate, if it presents one.
pub(super) async fn handshake(
    socket: TcpStream,
    config: Arc<ServerConfig>,
    deadline: Instant,
) -> Result<(TlsStream<TcpStream>, Option<Identity>), HandshakeError> {
    timeout_at(deadline, accept(socket, config)).await.unwrap_or(Err(HandshakeError::Timeout))
}

async fn accept(
    socket: TcpStream,
    config: Arc<ServerConfig>,
) -> Result<(TlsStream<TcpStream>, Option<Identity>), HandshakeError> {
    let mut first = [0];
    if socket.peek(&mut first).await? == 0 {
        return Err(HandshakeError::Closed);
    }
    if first != [HANDSHAKE_RECORD] {
        refuse_plaintext(socket).await?;
        return Err(HandshakeError::Plaintext);
    }
    let stream = TlsAcceptor::from(config).accept(socket).await?;
    let (_, session) = stream.get_ref();
    let certificate = session.peer_certificates().and_then(<[_]>::first);
    let identity = certificate.map(|der| certificate::identity(der)).transpose()?;
    Ok((stream, identity))
}

/// Sends what an HTTP/2 client understands: SETTINGS, which every server must send
/// first, and GOAWAY with `INADEQUATE_SECURITY`.
async fn refuse_plaintext(mut socket: TcpStream) -> io::Result<()> {
    let settings = [0, 0, 0, 4, 0, 0, 0, 0, 0];
    let length = u8::try_from(8 + TLS_REQUIRED.len()).map_err(io::Error::other)?;
    let goaway = [0, 0, length, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xc];
    socket.write_all(&[&settings, &goaway[..], TLS_REQUIRED].concat()).await?;
    socket.shutdown().await?;
    copy(&mut socket.take(MAX_DISCARDED), &mut sink()).await?;
    Ok(())
}
