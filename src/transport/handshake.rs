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

use super::wire::Wire;

/// The first byte of a TLS connection: the type of a handshake record.
const HANDSHAKE_RECORD: u8 = 0x16;
/// The debug data of the GOAWAY frame that a client without TLS gets.
const TLS_REQUIRED: &[u8] =
    b"this server requires TLS: connect with https, --tls or --ca, or without -plaintext";
/// The response that an HTTP/1.1 client without TLS gets, in the form of AWS.
const HTTP1_TLS_REQUIRED: &[u8] = b"HTTP/1.1 400 Bad Request\r\n\
    content-type: application/x-amz-json-1.1\r\ncontent-length: 88\r\nconnection: close\r\n\r\n\
    {\"__type\":\"BadRequest\",\"message\":\"this server requires TLS: use an endpoint with https\"}";
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
    wire: Wire,
    deadline: Instant,
) -> Result<(TlsStream<TcpStream>, Option<Identity>), HandshakeError> {
    timeout_at(deadline, accept(socket, config, wire)).await.unwrap_or(Err(HandshakeError::Timeout))
}

async fn accept(
    socket: TcpStream,
    config: Arc<ServerConfig>,
    wire: Wire,
) -> Result<(TlsStream<TcpStream>, Option<Identity>), HandshakeError> {
    let mut first = [0];
    if socket.peek(&mut first).await? == 0 {
        return Err(HandshakeError::Closed);
    }
    if first != [HANDSHAKE_RECORD] {
        refuse_plaintext(socket, wire).await?;
        return Err(HandshakeError::Plaintext);
    }
    let config = for_wire(config, wire);
    let stream = TlsAcceptor::from(config).accept(socket).await?;
    let (_, session) = stream.get_ref();
    let certificate = session.peer_certificates().and_then(<[_]>::first);
    let identity = certificate.map(|der| certificate::identity(der)).transpose()?;
    Ok((stream, identity))
}

/// The configuration with the name of the version of HTTP; without it, a client that names
/// the version is refused.
fn for_wire(config: Arc<ServerConfig>, wire: Wire) -> Arc<ServerConfig> {
    if config.alpn_protocols == [wire.alpn()] {
        return config;
    }
    let mut config = (*config).clone();
    config.alpn_protocols = vec![wire.alpn().to_vec()];
    Arc::new(config)
}

/// Sends what the client understands.
async fn refuse_plaintext(mut socket: TcpStream, wire: Wire) -> io::Result<()> {
    match wire {
        Wire::Http1 => socket.write_all(HTTP1_TLS_REQUIRED).await?,
        Wire::Http2 => send_goaway(&mut socket).await?,
    }
    socket.shutdown().await?;
    copy(&mut socket.take(MAX_DISCARDED), &mut sink()).await?;
    Ok(())
}

/// Sends SETTINGS, which every HTTP/2 server must send first, and GOAWAY with
/// `INADEQUATE_SECURITY`.
async fn send_goaway(socket: &mut TcpStream) -> io::Result<()> {
    let settings = [0, 0, 0, 4, 0, 0, 0, 0, 0];
    let length = u8::try_from(8 + TLS_REQUIRED.len()).map_err(io::Error::other)?;
    let goaway = [0, 0, length, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xc];
    socket.write_all(&[&settings, &goaway[..], TLS_REQUIRED].concat()).await
}
