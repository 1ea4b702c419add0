//! The AWS JSON door: what AWS clients send and get. The clients themselves
//! are tested in `aws_clients`.

mod connections;
mod history;
mod lifecycle;
mod memory;
mod origins;
mod refusals;
mod retries;
mod security;
mod signatures;
mod signer;
mod types;
mod versions;
mod wire;

use serde_json::Value;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::TcpStream,
};
use userpool::{server::Config, transport::Endpoint};

use crate::support::TestServer;

pub(crate) const TARGET: &str = "AWSCognitoIdentityProviderService";

/// A server that listens for AWS clients.
pub(crate) async fn start() -> TestServer {
    start_with(|_| ()).await
}

/// The same, with other settings.
async fn start_with(change: impl FnOnce(&mut Config)) -> TestServer {
    TestServer::with(|config| {
        config.aws_listen = Some(Endpoint::Tcp("127.0.0.1:0".to_owned()));
        change(config);
    })
    .await
}

/// An answer over HTTP.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.body).expect("JSON")
    }

    /// The type of the error, and its message.
    pub(crate) fn error(&self) -> (String, String) {
        let json = self.json();
        let text = |name: &str| json[name].as_str().expect(name).to_owned();
        (text("__type"), text("message"))
    }
}

/// Sends a request with these headers, besides those of the connection.
pub(crate) async fn send(
    server: &TestServer,
    head: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Answer {
    call_to(address(server), head, headers, body).await
}

/// The same, to this host and port.
pub(crate) async fn call_to(
    address: &str,
    head: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Answer {
    let socket = TcpStream::connect(address).await.expect("a connection");
    call_over(socket, head, headers, body).await
}

/// The same, over this connection.
async fn call_over(
    mut socket: impl AsyncRead + AsyncWrite + Unpin,
    head: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Answer {
    let mut request = format!("{head} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n");
    for (name, value) in headers {
        request.extend([*name, ": ", *value, "\r\n"]);
    }
    if !body.is_empty() {
        request.extend(["content-length: ", &body.len().to_string(), "\r\n"]);
    }
    request.push_str("\r\n");
    socket.write_all(request.as_bytes()).await.expect("written");
    // The server may refuse a body before it is sent completely.
    socket.write_all(body).await.ok();
    read(&mut socket).await
}

/// Reads an answer to the end of the connection.
pub(crate) async fn read(socket: &mut (impl AsyncRead + Unpin)) -> Answer {
    let mut bytes = Vec::new();
    socket.read_to_end(&mut bytes).await.expect("an answer");
    parse(&bytes)
}

/// Parses a complete answer.
fn parse(bytes: &[u8]) -> Answer {
    let text = str::from_utf8(bytes).expect("UTF-8");
    let (head, body) = text.split_once("\r\n\r\n").expect("a head and a body");
    let (status, headers) = head.split_once("\r\n").expect("a status");
    let headers = headers.lines().map(|line| {
        let (name, value) = line.split_once(": ").expect("a header");
        (name.to_lowercase(), value.to_owned())
    });
    Answer {
        status: status.split(' ').nth(1).expect("a status").parse().expect("a number"),
        headers: headers.collect(),
        body: body.to_owned(),
    }
}

/// The host and port for AWS clients.
fn address(server: &TestServer) -> &str {
    let url = server.aws_url.as_deref().expect("a URL");
    url.split_once("//").expect("a scheme").1
}

/// Calls an operation as an SDK does, with these other headers.
async fn call_with(
    server: &TestServer,
    operation: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Answer {
    let socket = TcpStream::connect(address(server)).await.expect("a connection");
    call_with_over(socket, operation, headers, body).await
}

/// The same, over this connection.
async fn call_with_over(
    socket: impl AsyncRead + AsyncWrite + Unpin,
    operation: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Answer {
    let target = format!("{TARGET}.{operation}");
    let mut all =
        vec![("content-type", "application/x-amz-json-1.1"), ("x-amz-target", target.as_str())];
    all.extend(headers);
    call_over(socket, "POST /", &all, body.as_bytes()).await
}

/// Calls an operation as an SDK does.
async fn call(server: &TestServer, operation: &str, body: &str) -> Answer {
    call_with(server, operation, &[], body).await
}

/// Creates a user pool and returns its ID.
async fn create(server: &TestServer, body: &str) -> String {
    let created = call(server, "CreateUserPool", body).await;
    assert_eq!(created.status, 200, "{created:?}");
    created.json()["UserPool"]["Id"].as_str().expect("an ID").to_owned()
}
