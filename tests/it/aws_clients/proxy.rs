//! A proxy that carries out the first request and loses its answer.

use std::net::SocketAddr;

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional},
    net::{TcpListener, TcpStream},
    task::AbortHandle,
};

/// Stops the proxy when dropped.
#[derive(Debug)]
pub(super) struct LossyProxy {
    address: SocketAddr,
    serving: AbortHandle,
}

impl LossyProxy {
    /// A proxy of the server at this host and port.
    pub(super) async fn of(server: &str) -> Self {
        let server = server.to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let serving = tokio::spawn(async move {
            let (first, _) = listener.accept().await.expect("a connection");
            lose_answer(first, &server).await;
            loop {
                let (mut client, _) = listener.accept().await.expect("a connection");
                let mut server = TcpStream::connect(&server).await.expect("a server");
                tokio::spawn(async move {
                    copy_bidirectional(&mut client, &mut server).await.ok();
                });
            }
        });
        Self { address, serving: serving.abort_handle() }
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for LossyProxy {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// Forwards the request, and closes the connection when the answer has begun.
async fn lose_answer(mut client: TcpStream, server: &str) {
    let mut server = TcpStream::connect(server).await.expect("a server");
    let (mut request, mut answer) = ([0; 4096], [0; 1]);
    loop {
        tokio::select! {
            read = client.read(&mut request) => {
                let count = read.expect("a request");
                server.write_all(&request[..count]).await.expect("forwarded");
            }
            _ = server.read(&mut answer) => return,
        }
    }
}
