//! An answer on its way out: it keeps its call's place until it has left, and it has
//! to be taken in time.

use std::{
    panic::{self, AssertUnwindSafe},
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
};

use bytes::Bytes;
use http::HeaderMap;
use http_body::Frame;
use tonic::{Code, Status, body::Body};

use crate::telemetry::panic_message;

use super::{
    access_record::{AccessRecord, code_of},
    admission::{Admitted, Kind},
    expiry::{Expiry, Untaken},
    message_count::MessageCount,
    status,
};

/// The body of a response.
pub(super) struct ResponseBody {
    answer: Arc<Mutex<Option<Answer>>>,
    _expiry: Option<Expiry>,
}

/// What is thrown away where it is not taken.
pub(super) struct Answer {
    body: Body,
    record: AccessRecord,
    sent: MessageCount,
    /// Whether its last word was said because the code behind it panicked.
    ended: bool,
    _admitted: Option<Admitted>,
}

impl ResponseBody {
    pub(super) fn wrap(
        body: Body,
        record: AccessRecord,
        admitted: Option<Admitted>,
        untaken: &Untaken,
    ) -> Body {
        // What goes on for as long as its client likes is limited in number only.
        let limited = match admitted.as_ref().map(|admitted| admitted.kind) {
            Some(Kind::Read | Kind::Write | Kind::Probe) => true,
            Some(Kind::Watch | Kind::Tool) | None => false,
        };
        let sent = MessageCount::on(record.sent());
        let answer = Answer { body, record, sent, ended: false, _admitted: admitted };
        let answer = Arc::new(Mutex::new(Some(answer)));
        let expiry = limited.then(|| untaken.expiry_of(&answer));
        Body::new(Self { answer, _expiry: expiry })
    }
}

impl http_body::Body for ResponseBody {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let mut answer = self.answer.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(answer) = answer.as_mut() else {
            return Poll::Ready(Some(Err(Status::cancelled("the answer was not taken in time"))));
        };
        if answer.ended {
            return Poll::Ready(None);
        }
        let body = Pin::new(&mut answer.body);
        let polled = panic::catch_unwind(AssertUnwindSafe(|| body.poll_frame(cx)));
        let frame = polled.unwrap_or_else(|panic| {
            let request_id = answer.record.correlation_id();
            tracing::error!(request_id, panic = panic_message(&*panic), "panic");
            answer.ended = true;
            let mut trailers = HeaderMap::new();
            let told = status::internal().add_header(&mut trailers);
            Poll::Ready(Some(told.map(|()| Frame::trailers(trailers))))
        });
        if let Poll::Ready(Some(Ok(frame))) = &frame {
            if let Some(data) = frame.data_ref() {
                answer.sent.pass(data);
            }
            if let Some(trailers) = frame.trailers_ref() {
                answer.record.finish(code_of(trailers).unwrap_or(Code::Unknown));
            }
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        let answer = self.answer.lock().unwrap_or_else(PoisonError::into_inner);
        answer.as_ref().is_some_and(|answer| answer.body.is_end_stream())
    }
}
