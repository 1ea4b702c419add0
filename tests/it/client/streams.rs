//! Streams of responses that end early, and connections that break.

use std::{
    net::SocketAddr,
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll, ready},
};

use bytes::{Buf as _, Bytes, BytesMut};
use http::HeaderMap;
use http_body::Frame;
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    sync::watch,
    task::AbortHandle,
};
use tonic::{Status, body::Body};

use super::proxy::MESSAGE_PREFIX;

/// Connections through this process that can be broken.
#[derive(Debug, Clone, Default)]
pub(super) struct Connections(Arc<Mutex<Vec<AbortHandle>>>);

impl Connections {
    /// Accepts connections and forwards them; returns the address, and the task that accepts.
    pub(super) async fn relay_to(&self, server: String) -> (SocketAddr, AbortHandle) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let connections = self.clone();
        let accepting = tokio::spawn(async move {
            loop {
                let (mut client, _) = listener.accept().await.expect("a connection");
                let server = server.clone();
                let relaying = tokio::spawn(async move {
                    if let Ok(mut server) = TcpStream::connect(server).await {
                        copy_bidirectional(&mut client, &mut server).await.ok();
                    }
                });
                connections.0.lock().expect("no panic").push(relaying.abort_handle());
            }
        });
        (address, accepting.abort_handle())
    }

    fn break_all(&self) {
        for connection in self.0.lock().expect("no panic").drain(..) {
            connection.abort();
        }
    }
}

/// How a watch ends after its first message.
#[derive(Debug)]
pub(super) enum Ending {
    Status(Status),
    Break(Connections),
}

/// Counts the watches whose responses are still being sent.
#[derive(Debug, Clone, Default)]
pub(super) struct OpenWatches(Arc<watch::Sender<usize>>);

impl OpenWatches {
    /// Waits until every watch has ended.
    pub(super) async fn none_open(&self) {
        self.0.subscribe().wait_for(|open| *open == 0).await.expect("a sender");
    }

    /// The response of a watch.
    pub(super) fn open(&self, body: Body, ending: Option<Ending>) -> Body {
        self.0.send_modify(|open| *open += 1);
        let first = ending.map(|ending| First::Awaited(BytesMut::new(), ending));
        Body::new(Watch { body, first, open: self.clone() })
    }
}

/// The response of a watch, which ends early if there is a `first`.
struct Watch {
    body: Body,
    first: Option<First>,
    open: OpenWatches,
}

/// The first message of a watch that ends after it.
enum First {
    /// With the bytes of it that have arrived.
    Awaited(BytesMut, Ending),
    Sent(Ending),
    Ended,
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.open.0.send_modify(|open| *open -= 1);
    }
}

impl http_body::Body for Watch {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let this = self.get_mut();
        loop {
            match this.first.take() {
                None => return Pin::new(&mut this.body).poll_frame(context),
                Some(First::Ended) => return Poll::Ready(None),
                Some(First::Sent(Ending::Status(status))) => {
                    this.first = Some(First::Ended);
                    let mut trailers = HeaderMap::new();
                    status.add_header(&mut trailers).expect("a header");
                    return Poll::Ready(Some(Ok(Frame::trailers(trailers))));
                }
                Some(First::Sent(Ending::Break(connections))) => {
                    connections.break_all();
                    // The server drops this stream when it finds its connection broken.
                    return Poll::Pending;
                }
                Some(First::Awaited(mut bytes, ending)) => {
                    let length = bytes.get(1..MESSAGE_PREFIX).map(|mut prefix| prefix.get_u32());
                    let length = length.map_or(MESSAGE_PREFIX, |length| {
                        MESSAGE_PREFIX + usize::try_from(length).expect("a length")
                    });
                    if bytes.len() > MESSAGE_PREFIX && bytes.len() >= length {
                        this.first = Some(First::Sent(ending));
                        let message = bytes.split_to(length).freeze();
                        return Poll::Ready(Some(Ok(Frame::data(message))));
                    }
                    let frame = Pin::new(&mut this.body).poll_frame(context);
                    if let Poll::Ready(Some(Ok(frame))) = &frame
                        && let Some(data) = frame.data_ref()
                    {
                        bytes.extend_from_slice(data);
                    }
                    this.first = Some(First::Awaited(bytes, ending));
                    match ready!(frame) {
                        Some(Ok(frame)) if frame.is_data() => (),
                        other => return Poll::Ready(other),
                    }
                }
            }
        }
    }
}
