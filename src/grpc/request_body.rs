//! A request on its way in: it has to arrive in time, and what has arrived counts
//! against what all requests may take.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use http_body::Frame;
use tokio::time::{Sleep, sleep};
use tonic::{Status, body::Body};

use crate::metrics::Counter;

use super::{admission::Charge, message_count::MessageCount, status};

/// How long the whole request may take, from its first byte. A client that stops
/// in the middle keeps a place that others need.
const IN_TIME: Duration = Duration::from_secs(20);

/// What a request is charged, for as long as its call runs and longer than its body.
pub(super) type SharedCharge = Arc<Mutex<Charge>>;

/// The body of a request.
pub(super) struct RequestBody {
    body: Body,
    charge: SharedCharge,
    arrival: Arrival,
    received: MessageCount,
}

/// What ends a request that does not end by itself.
pub(super) struct Arrival {
    /// It takes too long; nothing where it may take as long as it likes.
    late: Option<Pin<Box<Sleep>>>,
    /// The server stops.
    stop: Stop,
}

/// Completes when the server stops.
pub(super) type Stop = Pin<Box<dyn Future<Output = ()> + Send>>;

impl Arrival {
    /// Of a request that is one message.
    pub(super) fn in_time(stop: Stop) -> Self {
        Self { late: Some(Box::pin(sleep(IN_TIME))), stop }
    }

    /// Of a request that is a conversation. The end of the server is its end.
    pub(super) fn without_end(stop: Stop) -> Self {
        Self { late: None, stop }
    }

    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let Some(late) = &mut self.late else {
            ready!(self.stop.as_mut().poll(cx));
            return Poll::Ready(None);
        };
        if late.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Some(Err(status::request_too_late())));
        }
        ready!(self.stop.as_mut().poll(cx));
        Poll::Ready(Some(Err(status::shutting_down())))
    }
}

impl RequestBody {
    pub(super) fn wrap(
        body: Body,
        charge: SharedCharge,
        arrival: Arrival,
        received: Counter,
    ) -> Body {
        let received = MessageCount::on(received);
        Body::new(Self { body, charge, arrival, received })
    }
}

impl http_body::Body for RequestBody {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let this = &mut *self;
        let Poll::Ready(frame) = Pin::new(&mut this.body).poll_frame(cx) else {
            return this.arrival.poll_end(cx);
        };
        if let Some(Ok(frame)) = &frame
            && let Some(data) = frame.data_ref()
        {
            this.received.pass(data);
            let mut charge = this.charge.lock().unwrap_or_else(PoisonError::into_inner);
            if let Err(too_many) = charge.add(data.len()) {
                return Poll::Ready(Some(Err(status::too_many(too_many))));
            }
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> http_body::SizeHint {
        self.body.size_hint()
    }
}
