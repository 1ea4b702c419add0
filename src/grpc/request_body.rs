//! A request on its way in: it has to arrive in time, and what has arrived counts
//! against what all requests may take.

use std::{
    future,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use http_body::Frame;
use tokio::{
    sync::watch,
    time::{Instant, sleep_until},
};
use tonic::{Status, body::Body};

use crate::telemetry::metrics::Counter;

use super::{Phase, admission::Charge, message_count::MessageCount, status};

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
    began: Instant,
    /// Whether it is one message, and no conversation that takes as long as it likes.
    in_time: bool,
    phase: watch::Receiver<Phase>,
    /// Made only where the request is waited for; most are there at once.
    end: Option<Pin<Box<dyn Future<Output = End> + Send>>>,
}

/// How a request ends that does not end by itself.
enum End {
    Late,
    Stop,
}

impl Arrival {
    /// Of a request that is one message.
    pub(super) fn in_time(phase: watch::Receiver<Phase>) -> Self {
        Self { began: Instant::now(), in_time: true, phase, end: None }
    }

    /// Of a request that is a conversation. The end of the server is its end.
    pub(super) fn without_end(phase: watch::Receiver<Phase>) -> Self {
        Self { began: Instant::now(), in_time: false, phase, end: None }
    }

    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let late = self.in_time.then(|| self.began + IN_TIME);
        let end = self.end.get_or_insert_with(|| Box::pin(end(late, self.phase.clone())));
        let ended = ready!(end.as_mut().poll(cx));
        self.end = None;
        let status = match ended {
            End::Late => status::request_too_late(),
            End::Stop if self.in_time => status::shutting_down(),
            End::Stop => return Poll::Ready(None),
        };
        Poll::Ready(Some(Err(status)))
    }
}

async fn end(late: Option<Instant>, mut phase: watch::Receiver<Phase>) -> End {
    let late = async {
        match late {
            Some(late) => sleep_until(late).await,
            None => future::pending().await,
        }
    };
    tokio::select! {
        biased;
        () = late => End::Late,
        // A server that is gone has stopped.
        _ = phase.wait_for(|phase| *phase == Phase::Stopping) => End::Stop,
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
