//! The body of a request: it must arrive in time, and its bytes count towards the memory
//! limit of all requests.

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
use tonic::body::Body;
use tower::BoxError;

use crate::service::Error;

use super::{
    super::{Phase, Protocol},
    admission::CallKind,
    client_memory::TakenMemory,
    target::SharedTarget,
};

/// How long the whole request may take, from its first byte. A client that stops sending
/// holds a permit that other calls need.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(20);

/// The memory of a request: it grows as the body arrives, and is held until the call has
/// used the message.
pub(super) type SharedMemory = Arc<Mutex<TakenMemory>>;

/// The body of a request.
pub(super) struct RequestBody {
    body: Body,
    protocol: &'static dyn Protocol,
    memory: SharedMemory,
    target: Option<SharedTarget>,
    arrival: ArrivalLimit,
}

/// The limit on how long a request may arrive.
struct ArrivalLimit {
    began: Instant,
    /// Whether the request is a stream, which has no time limit.
    is_stream: bool,
    phase: watch::Receiver<Phase>,
    /// Created only if the body is not there yet; most bodies arrive with their headers.
    end: Option<Pin<Box<dyn Future<Output = Interruption> + Send>>>,
}

/// Why the server stops waiting for a request.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Interruption {
    /// It did not arrive in time.
    Timeout,
    /// The server stops.
    Stopping,
}

impl From<Interruption> for Error {
    fn from(interruption: Interruption) -> Self {
        match interruption {
            Interruption::Timeout => Self::request_timeout(),
            Interruption::Stopping => Self::shutting_down(),
        }
    }
}

impl RequestBody {
    /// Limits the arrival of `body`.
    pub(super) fn wrap(
        body: Body,
        protocol: &'static dyn Protocol,
        kind: CallKind,
        memory: SharedMemory,
        target: Option<SharedTarget>,
        phase: watch::Receiver<Phase>,
    ) -> Body {
        let is_stream = match kind {
            CallKind::Tool => true,
            CallKind::Probe | CallKind::Write | CallKind::Watch | CallKind::Read => false,
        };
        let arrival = ArrivalLimit { began: Instant::now(), is_stream, phase, end: None };
        Body::new(Self { body, protocol, memory, target, arrival })
    }
}

impl ArrivalLimit {
    /// Completes when the server stops waiting for the request: with an error, or with
    /// `None` if it is a stream, which a shutdown ends without an error.
    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<Option<Error>> {
        let deadline = (!self.is_stream).then(|| self.began + REQUEST_TIMEOUT);
        let phase = &self.phase;
        let end = self.end.get_or_insert_with(|| Box::pin(interruption(deadline, phase.clone())));
        let interruption = ready!(end.as_mut().poll(cx));
        self.end = None;
        Poll::Ready(match interruption {
            Interruption::Stopping if self.is_stream => None,
            Interruption::Stopping | Interruption::Timeout => Some(interruption.into()),
        })
    }
}

/// Waits until the server stops waiting for a request: at the deadline, or when it stops.
pub(crate) async fn interruption(
    deadline: Option<Instant>,
    mut phase: watch::Receiver<Phase>,
) -> Interruption {
    let timeout = async {
        match deadline {
            Some(deadline) => sleep_until(deadline).await,
            None => future::pending().await,
        }
    };
    tokio::select! {
        biased;
        () = timeout => Interruption::Timeout,
        // An error means that the server was dropped, so it has stopped.
        _ = phase.wait_for(|phase| phase.is_last()) => Interruption::Stopping,
    }
}

impl http_body::Body for RequestBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = &mut *self;
        let Poll::Ready(frame) = Pin::new(&mut this.body).poll_frame(cx) else {
            let error = ready!(this.arrival.poll_end(cx));
            return Poll::Ready(error.map(|error| Err(this.protocol.body_error(error))));
        };
        if let Some(Ok(frame)) = &frame
            && let Some(data) = frame.data_ref()
        {
            if let Some(target) = &this.target {
                target.read(data);
            }
            let mut memory = this.memory.lock().unwrap_or_else(PoisonError::into_inner);
            if let Err(overload) = memory.grow(data.len()) {
                return Poll::Ready(Some(Err(this.protocol.body_error(overload.into()))));
            }
        }
        Poll::Ready(frame.map(|frame| frame.map_err(BoxError::from)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> http_body::SizeHint {
        self.body.size_hint()
    }
}
