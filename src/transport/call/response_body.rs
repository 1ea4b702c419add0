//! The body of a response: it keeps the place, the memory and the record of its call until it
//! is sent, and is dropped if the client does not read it in time.

use std::{
    panic::{self, AssertUnwindSafe},
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body as _, Frame};
use tonic::{Status, body::Body};

use crate::{service::Error, telemetry::panic_message};

use super::{
    super::Protocol,
    access_record::AccessRecord,
    admission::Place,
    client_memory::TakenMemory,
    stalled_responses::{StalledResponses, Tracked},
    stream_end::StreamEnd,
};

/// The body of a response.
pub(super) struct ResponseBody {
    response: Arc<Mutex<Option<SentResponse>>>,
    _tracked: Option<Tracked<SentResponse>>,
}

/// A response that is being sent, with the resources of its call.
pub(super) struct SentResponse {
    body: Body,
    protocol: &'static dyn Protocol,
    record: AccessRecord,
    /// Whether it was ended early.
    is_ended: bool,
    /// When a stream ends at the latest.
    end: Option<StreamEnd>,
    _place: Place,
    _memory: TakenMemory,
}

impl ResponseBody {
    /// Keeps `record`, `place` and `memory` until `body` is sent.
    pub(super) fn wrap(
        body: Body,
        protocol: &'static dyn Protocol,
        record: AccessRecord,
        (place, memory): (Place, TakenMemory),
        end: Option<StreamEnd>,
        stalled: &StalledResponses<SentResponse>,
    ) -> Body {
        // A stream has no time limit; only the number of streams is limited.
        let must_be_read = !place.kind.is_stream();
        let (user, bytes) = (memory.user().clone(), memory.bytes());
        let response = SentResponse {
            body,
            protocol,
            record,
            is_ended: false,
            end,
            _place: place,
            _memory: memory,
        };
        let response = Arc::new(Mutex::new(Some(response)));
        let tracked = must_be_read.then(|| stalled.track(&response, user, bytes));
        Body::new(Self { response, _tracked: tracked })
    }
}

impl SentResponse {
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        if self.is_ended {
            return Poll::Ready(None);
        }
        // First, so that a stream that always has a frame ends as well.
        if let Some(Poll::Ready(error)) = self.end.as_mut().map(|end| end.poll(cx)) {
            let frame = self.end_with(error);
            return Poll::Ready(Some(Ok(frame)));
        }
        let body = Pin::new(&mut self.body);
        let polled = panic::catch_unwind(AssertUnwindSafe(|| body.poll_frame(cx)));
        let frame = polled.unwrap_or_else(|panic| {
            let correlation_id = self.record.correlation_id();
            tracing::error!(correlation_id, panic = panic_message(&*panic), "panic");
            Poll::Ready(Some(Ok(self.end_with(Error::internal()))))
        });
        if let Poll::Ready(Some(Ok(frame))) = &frame
            && let Some(trailers) = frame.trailers_ref()
        {
            self.record.finish_with(self.protocol, trailers);
        }
        frame
    }

    /// The last frame of a response that ends early.
    fn end_with(&mut self, error: Error) -> Frame<Bytes> {
        self.is_ended = true;
        let trailers = self.protocol.trailers(error);
        self.record.finish_with(self.protocol, &trailers);
        Frame::trailers(trailers)
    }
}

impl http_body::Body for ResponseBody {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let mut response = self.response.lock().unwrap_or_else(PoisonError::into_inner);
        match response.as_mut() {
            Some(response) => response.poll_frame(cx),
            None => Poll::Ready(Some(Err(Status::cancelled("the response was not read in time")))),
        }
    }

    fn is_end_stream(&self) -> bool {
        let response = self.response.lock().unwrap_or_else(PoisonError::into_inner);
        response.as_ref().is_some_and(|response| response.body.is_end_stream())
    }
}
