//! Connections that fail to begin: they delay no other client, and they learn the
//! reason where possible.

use std::{error::Error, time::Duration};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::{Instant, timeout},
};
use tonic::transport::{Channel, Error as TransportError};

use super::TlsServer;
use crate::{
    authority::{Authority, connect},
    metrics::{free, reading},
    support::{Client, TestServer, named},
};

/// The beginning of a handshake that does not continue.
const BEGUN: [u8; 9] = [22, 3, 1, 2, 0, 1, 0, 1, 252];

#[tokio::test(flavor = "multi_thread")]
async fn slow_handshakes_delay_no_other_client() {
    let secured = TlsServer::start(None).await;
    let mut slow = Vec::new();
    for _ in 0..50 {
        slow.push(begun(&secured).await);
    }
    let channel = secured.connect(secured.authority.trusted()).await.expect("a connection");
    Client::new(channel).create_user_pool(named("people")).await.expect("created");
    secured.server.stop().await;
    // Connections in their handshake are closed.
    for mut socket in slow {
        let mut rest = Vec::new();
        let closed = timeout(Duration::from_secs(10), socket.read_to_end(&mut rest)).await;
        let _ = closed.expect("closed");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_counts_from_before_its_handshake() {
    let authority = Authority::new("root");
    let files = tempfile::TempDir::new().expect("a directory");
    let tls = authority.write_server_tls(files.path(), None);
    let server = TestServer::with(|config| {
        config.tls = Some(tls);
        config.connections = 2;
    })
    .await;
    let secured = TlsServer { server, authority, files };
    let (first, _second) = (begun(&secured).await, begun(&secured).await);
    let mut third =
        TcpStream::connect(secured.server.endpoint.to_string()).await.expect("a socket");
    let read = timeout(Duration::from_secs(10), third.read(&mut [0])).await.expect("closed");
    assert!(matches!(read, Ok(0) | Err(_)), "{read:?}");

    drop(first);

    // Its permit is free a moment later.
    while secured.connect(secured.authority.trusted()).await.is_err() {
        tokio::task::yield_now().await;
    }
    secured.server.stop().await;
}

/// Whatever they send first, and however far they get.
#[tokio::test]
async fn a_slow_handshake_or_preface_is_disconnected() {
    let secured = TlsServer::start(None).await;
    let nothing = TcpStream::connect(secured.server.endpoint.to_string()).await.expect("a socket");
    let begun = begun(&secured).await;
    let shaken = {
        let socket = TcpStream::connect(secured.server.endpoint.to_string()).await;
        handshake(&secured, socket.expect("a socket")).await
    };
    tokio::time::pause();
    let start = Instant::now();
    closed(nothing).await;
    closed(begun).await;
    closed(shaken).await;
    assert!((8..=11).contains(&start.elapsed().as_secs()), "{:?}", start.elapsed());
    secured.server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plaintext_client_learns_that_the_server_requires_tls() {
    let secured = TlsServer::start(None).await;
    let socket = TcpStream::connect(secured.server.endpoint.to_string()).await.expect("a socket");
    // The error of tonic depends on whether its call had already been sent.
    let (_calls, connection) = h2::client::handshake(socket).await.expect("HTTP/2");
    let error = connection.await.expect_err("a closed connection");
    assert_eq!(error.reason(), Some(h2::Reason::INADEQUATE_SECURITY), "{error}");
    assert!(error.is_go_away() && error.is_remote(), "{error}");
    assert!(
        error.to_string().contains("this server requires TLS: connect with https, --tls or --ca"),
        "{error}"
    );
    let address = format!("http://{}", secured.server.endpoint);
    let channel = Channel::from_shared(address).expect("an address").connect_lazy();
    let call = async { Client::new(channel).create_user_pool(named("people")).await };
    timeout(Duration::from_secs(5), call).await.expect("at once").expect_err("refused");
    // Other clients are served.
    secured.connect(secured.authority.trusted()).await.expect("a connection");
    secured.server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tls_client_learns_at_once_that_the_server_has_no_tls() {
    let server = TestServer::start().await;
    let tls = Authority::new("root").trusted();
    let address = server.endpoint.to_string();
    let connecting = connect(&address, tls);
    let refused = timeout(Duration::from_secs(5), connecting).await.expect("at once");
    let error = error_chain(&refused.expect_err("refused"));
    assert!(error.contains("InvalidContentType"), "{error}");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_rejects_the_server_does_not_disturb_it() {
    let secured = TlsServer::start(None).await;
    let stranger = Authority::new("root");
    for _ in 0..20 {
        let refused: Result<_, TransportError> = secured.connect(stranger.trusted()).await;
        refused.expect_err("refused");
    }
    secured.connect(secured.authority.trusted()).await.expect("a connection");
    secured.server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn failed_handshakes_are_counted() {
    let authority = Authority::new("root");
    let files = tempfile::TempDir::new().expect("a directory");
    let tls = authority.write_server_tls(files.path(), Some(true));
    let server = TestServer::with(|config| {
        config.tls = Some(tls);
        config.metrics_listen = Some(free());
    })
    .await;
    let secured = TlsServer { server, authority, files };
    let address = secured.server.endpoint.to_string();
    let mut plain = TcpStream::connect(&address).await.expect("a socket");
    plain.write_all(&crate::load::wire::greeting()).await.expect("sent");
    drop(plain);
    secured.connect(Authority::new("root").trusted()).await.expect_err("refused");
    let nobody = secured.authority.client("", &[]).identity();
    let nobody = secured.connect(secured.authority.trusted().identity(nobody)).await;

    let refused = "userpool_refused_total{reason=\"handshake\"}";
    while reading(&secured.server).await.value(refused) < 3.0 {
        tokio::task::yield_now().await;
    }
    drop(nobody);
    let good = secured.authority.workload("spiffe://prod/client").identity();
    secured.connect(secured.authority.trusted().identity(good)).await.expect("a connection");
    secured.server.stop().await;
}

/// TLS buffers unsent data; that must not keep the connection open.
#[tokio::test]
async fn a_stalled_response_is_dropped_with_tls_too() {
    let secured = TlsServer::start(None).await;
    let socket = TcpStream::connect(secured.server.endpoint.to_string()).await.expect("a socket");
    let mut shaken = handshake(&secured, socket).await;
    shaken.write_all(&crate::load::wire::greeting()).await.expect("sent");
    // Requests answers until no more can be sent, and reads none.
    let ping = crate::load::wire::frame(6, 0, 0, &[0; 8]).repeat(1000);
    let asking = async {
        loop {
            if shaken.write_all(&ping).await.is_err() {
                return;
            }
        }
    };
    tokio::time::pause();
    timeout(Duration::from_mins(3), asking).await.expect("cut");
    secured.server.stop().await;
}

async fn begun(secured: &TlsServer) -> TcpStream {
    let address = secured.server.endpoint.to_string();
    let mut socket = TcpStream::connect(address).await.expect("a socket");
    socket.write_all(&BEGUN).await.expect("sent");
    socket
}

async fn handshake(
    secured: &TlsServer,
    socket: TcpStream,
) -> tokio_rustls::client::TlsStream<TcpStream> {
    use tokio_rustls::rustls::{
        ClientConfig, RootCertStore,
        crypto::ring,
        pki_types::{CertificateDer, pem::PemObject as _},
    };
    let mut roots = RootCertStore::empty();
    let pem = secured.authority.pem.as_bytes();
    roots.add(CertificateDer::from_pem_slice(pem).expect("PEM")).expect("a certificate");
    let config = ClientConfig::builder_with_provider(ring::default_provider().into())
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = "localhost".try_into().expect("a name");
    let connector = tokio_rustls::TlsConnector::from(std::sync::Arc::new(config));
    connector.connect(name, socket).await.expect("a handshake")
}

async fn closed(mut socket: impl tokio::io::AsyncRead + Unpin) {
    let mut rest = Vec::new();
    // With or without a close notification.
    let _ = timeout(Duration::from_mins(1), socket.read_to_end(&mut rest)).await.expect("closed");
}

/// The error with all its sources.
fn error_chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
