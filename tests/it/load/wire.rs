//! HTTP/2 below the level of a gRPC client: calls that stop in the middle, and
//! handmade frames.

use bytes::{BufMut as _, Bytes, BytesMut};
use h2::{
    RecvStream, SendStream,
    client::{self, ResponseFuture, SendRequest},
};
use http::Request;
use prost::Message;
use tokio::net::TcpStream;
use tonic::{Code, Status};

pub(crate) const CREATE: &str = "/userpool.v1.UserPoolService/CreateUserPool";
pub(crate) const LIST: &str = "/userpool.v1.UserPoolService/ListUserPools";
pub(crate) const DESCRIBE: &str = "/userpool.v1.UserPoolService/DescribeUserPool";
pub(crate) const WATCH: &str = "/userpool.v1.UserPoolHistoryService/WatchUserPoolEvents";

/// A connection on which a call may stop anywhere.
pub(crate) struct Wire(SendRequest<Bytes>);

/// A call that has begun.
pub(crate) struct OpenCall {
    answer: ResponseFuture,
    /// Sends the rest of the request.
    pub(crate) request: SendStream<Bytes>,
}

impl Wire {
    pub(crate) async fn connect(address: &str) -> Self {
        Self::with_window(address, 1 << 20).await
    }

    /// A connection whose streams accept only this many bytes of an answer at first.
    pub(crate) async fn with_window(address: &str, bytes: u32) -> Self {
        let socket = TcpStream::connect(address).await.expect("a connection");
        let mut builder = client::Builder::new();
        builder.initial_window_size(bytes);
        let (wire, connection) = builder.handshake(socket).await.expect("HTTP/2");
        tokio::spawn(async move {
            // Ends with the server, in any way.
            let _ = connection.await;
        });
        Self(wire)
    }

    /// Sends the headers of a call.
    pub(crate) async fn begin(&mut self, path: &str, timeout: Option<&str>) -> OpenCall {
        let mut request = Request::post(format!("http://localhost{path}"))
            .header("content-type", "application/grpc")
            .header("te", "trailers");
        if let Some(timeout) = timeout {
            request = request.header("grpc-timeout", timeout);
        }
        let mut ready = self.0.clone().ready().await.expect("capacity for a call");
        let request = request.body(()).expect("a request");
        let (answer, request) = ready.send_request(request, false).expect("sent");
        OpenCall { answer, request }
    }

    /// Makes a whole call; returns its status, including `OK`.
    pub(crate) async fn call(
        &mut self,
        path: &str,
        timeout: Option<&str>,
        message: &impl Message,
    ) -> Status {
        let mut begun = self.begin(path, timeout).await;
        // A call that is refused by its headers alone is answered and complete
        // already.
        let _ = begun.request.send_data(framed(message), true);
        begun.status().await
    }
}

impl OpenCall {
    /// The headers of the answer; the rest is not read.
    pub(crate) async fn answered(self) -> RecvStream {
        self.answer.await.expect("an answer").into_body()
    }

    pub(crate) async fn status(self) -> Status {
        self.ended().await.expect("an answer")
    }

    /// The status, unless the connection ends first.
    pub(crate) async fn ended(self) -> Result<Status, h2::Error> {
        let response = self.answer.await?;
        if let Some(status) = Status::from_header_map(response.headers()) {
            return Ok(status);
        }
        let mut body = response.into_body();
        while let Some(data) = body.data().await {
            let bytes = data?.len();
            body.flow_control().release_capacity(bytes).expect("flow-control capacity");
        }
        let trailers = body.trailers().await?;
        let status = trailers.as_ref().and_then(Status::from_header_map);
        Ok(status.unwrap_or_else(|| Status::new(Code::Unknown, "no status")))
    }
}

/// A message in its gRPC frame.
pub(crate) fn framed(message: &impl Message) -> Bytes {
    let mut bytes = BytesMut::new();
    bytes.put_u8(0);
    bytes.put_u32(u32::try_from(message.encoded_len()).expect("a small message"));
    message.encode(&mut bytes).expect("encoded");
    bytes.freeze()
}

/// The connection preface of an HTTP/2 client.
pub(crate) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
pub(crate) const HEADERS: u8 = 1;
pub(crate) const RESET: u8 = 3;
pub(crate) const SETTINGS: u8 = 4;
pub(crate) const PING: u8 = 6;
pub(crate) const CONTINUATION: u8 = 9;
/// The flag `END_HEADERS`.
pub(crate) const END_HEADERS: u8 = 4;

/// One frame.
pub(crate) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("a small frame").to_be_bytes();
    let mut frame = length[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

/// The preface and empty settings.
pub(crate) fn greeting() -> Vec<u8> {
    [PREFACE, &frame(SETTINGS, 0, 0, &[])].concat()
}

/// A header block; the length of each header fits into one byte.
pub(crate) fn block(path: &str) -> Vec<u8> {
    let mut block = vec![0x83, 0x86];
    let mut literal = |name: &[u8], value: &str| {
        block.extend(name);
        block.push(u8::try_from(value.len()).expect("a short value"));
        block.extend(value.as_bytes());
    };
    literal(&[4], path);
    literal(&[1], "localhost");
    literal(b"\0\x0ccontent-type", "application/grpc");
    block
}
