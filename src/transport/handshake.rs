//! The beginning of a connection with TLS, and an answer to those who begin without.

use std::{io, sync::Arc};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, copy, sink},
    net::TcpStream,
    time::{Instant, timeout_at},
};
use tokio_rustls::{TlsAcceptor, rustls::ServerConfig, server::TlsStream};

use crate::auth::{
    Identity,
    certificate::{self, Nameless},
};

/// The first byte of a connection with TLS: a record of the handshake.
const TLS: u8 = 0x16;
/// What a client of HTTP/2 is told who speaks it without TLS.
const PLAIN: &[u8] =
    b"this server speaks TLS: connect with https, --tls or --ca, or without -plaintext";
/// How much of what such a client has to say is waited for. Closed before it is
/// read, a connection is reset, and takes the answer with it.
const PLAIN_BYTES: u64 = 64 * 1024;

/// Why a connection does not begin.
#[derive(Debug, thiserror::Error)]
pub(super) enum HandshakeError {
    /// Nothing came. Load balancers look this way whether somebody is there.
    #[error("the client left without a word")]
    Silent,
    #[error("the client speaks without TLS")]
    Plain,
    #[error("the handshake took too long")]
    Late,
    #[error("the handshake failed: {0}")]
    Failed(#[from] io::Error),
    #[error(transparent)]
    Nameless(#[from] Nameless),
}

/// Encrypts a connection until `late`, and says whom the client's certificate
/// names, where it shows one.
pub(super) async fn shake_hands(
    socket: TcpStream,
    config: Arc<ServerConfig>,
    late: Instant,
) -> Result<(TlsStream<TcpStream>, Option<Identity>), HandshakeError> {
    timeout_at(late, in_time(socket, config)).await.unwrap_or(Err(HandshakeError::Late))
}

async fn in_time(
    socket: TcpStream,
    config: Arc<ServerConfig>,
) -> Result<(TlsStream<TcpStream>, Option<Identity>), HandshakeError> {
    let mut first = [0];
    if socket.peek(&mut first).await? == 0 {
        return Err(HandshakeError::Silent);
    }
    if first != [TLS] {
        explain(socket).await?;
        return Err(HandshakeError::Plain);
    }
    let stream = TlsAcceptor::from(config).accept(socket).await?;
    let (_, session) = stream.get_ref();
    let certificate = session.peer_certificates().and_then(<[_]>::first);
    let identity = certificate.map(|der| certificate::identity(der)).transpose()?;
    Ok((stream, identity))
}

/// Tells a client of HTTP/2 what is wrong, in HTTP/2: settings, as every server has
/// to begin, and a farewell for `INADEQUATE_SECURITY`.
async fn explain(mut socket: TcpStream) -> io::Result<()> {
    let settings = [0, 0, 0, 4, 0, 0, 0, 0, 0];
    let length = u8::try_from(8 + PLAIN.len()).map_err(io::Error::other)?;
    let farewell = [0, 0, length, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xc];
    socket.write_all(&[&settings, &farewell[..], PLAIN].concat()).await?;
    socket.shutdown().await?;
    copy(&mut socket.take(PLAIN_BYTES), &mut sink()).await?;
    Ok(())
}
