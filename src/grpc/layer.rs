//! What every call needs, whichever service it is for: a place among those that
//! run, a correlation ID, one record in the log with the status that the client
//! really got, and an answer also where its deadline passes or the code behind it
//! panics.

use std::{
    convert::Infallible,
    panic::{self, AssertUnwindSafe},
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll},
    time::Instant,
};

use bytes::Bytes;
use futures_util::FutureExt as _;
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body::Frame;
use tokio::{
    sync::watch,
    time::{Instant as Moment, timeout_at},
};
use tonic::{Code, Status, body::Body};
use tower::{Layer, Service};

use crate::app::{Source, says};

use super::{
    Capacity, Peer, Phase,
    admission::{Admission, Admitted, Kind, TooMany},
    deadline,
    request_body::{End, RequestBody, SharedCharge},
    status,
};

/// The header that carries the correlation ID.
const REQUEST_ID: &str = "x-request-id";
/// The longest correlation ID that is taken over from a client.
const REQUEST_ID_LENGTH: usize = 128;

/// What ties a call to its records: the client's `x-request-id`, or a fresh one.
#[derive(Debug, Clone)]
pub(super) struct CorrelationId(pub(super) String);

/// Wraps every service.
#[derive(Debug, Clone)]
pub struct RpcLayer {
    source: Arc<dyn Source>,
    admission: Arc<Admission>,
    phase: watch::Receiver<Phase>,
}

impl RpcLayer {
    /// A layer that draws correlation IDs from `source`, lets in as many calls as
    /// there is capacity for, and ends those that never end when the server stops.
    #[must_use]
    pub fn new(source: Arc<dyn Source>, capacity: Capacity, phase: watch::Receiver<Phase>) -> Self {
        Self { source, admission: Arc::new(Admission::new(capacity)), phase }
    }

    /// Finds a place for the call, and has its request counted and timed.
    fn admit(&self, request: &mut Request<Body>) -> Result<(Admitted, SharedCharge), TooMany> {
        let kind = Kind::of(request.uri().path());
        let admitted = self.admission.admit(kind, request.extensions().get::<Peer>())?;
        let charge = Arc::new(Mutex::new(self.admission.charge()));
        let end = match kind {
            // Reflection goes on for as long as its client likes.
            Kind::Tool => End::Stop(Box::pin(stopping(self.phase.clone()))),
            Kind::Probe | Kind::Write | Kind::Watch | Kind::Read => End::late(),
        };
        let body = std::mem::take(request.body_mut());
        *request.body_mut() = RequestBody::wrap(body, Arc::clone(&charge), end);
        Ok((admitted, charge))
    }
}

impl<S> Layer<S> for RpcLayer {
    type Service = RpcService<S>;

    fn layer(&self, inner: S) -> RpcService<S> {
        RpcService { inner, layer: self.clone() }
    }
}

/// A service inside an [`RpcLayer`].
#[derive(Debug, Clone)]
pub struct RpcService<S> {
    inner: S,
    layer: RpcLayer,
}

impl<S> Service<Request<Body>> for RpcService<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
    S::Future: Send + 'static,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        let correlation_id = correlation_id(request.headers(), self.layer.source.as_ref());
        let mut record = AccessRecord::new(request.uri().path(), correlation_id.clone());
        request.extensions_mut().insert(CorrelationId(correlation_id.clone()));
        let deadline = deadline::of(request.headers());
        let admitted = self.layer.admit(&mut request);
        let call = admitted.map(|admitted| (admitted, self.inner.call(request)));
        Box::pin(async move {
            let (response, admitted) = match call {
                Ok(((admitted, _charge), call)) => {
                    (answer(call, deadline, &correlation_id).await, Some(admitted))
                }
                Err(too_many) => (status::too_many(too_many).into_http(), None),
            };
            let mut response = gently_oversized(response);
            if let Ok(value) = HeaderValue::from_str(&correlation_id) {
                response.headers_mut().insert(REQUEST_ID, value);
            }
            if let Some(code) = code_of(response.headers()) {
                record.finish(code);
                return Ok(response);
            }
            Ok(response
                .map(|body| Body::new(Answer { body, record, ended: false, _admitted: admitted })))
        })
    }
}

async fn stopping(mut phase: watch::Receiver<Phase>) {
    // A server that is gone has stopped.
    phase.wait_for(|phase| *phase == Phase::Stopping).await.map(|_| ()).ok();
}

/// The answer within the deadline. A call that is dropped takes its command with
/// it, unless the writer has taken that up.
async fn answer(
    call: impl Future<Output = Result<Response<Body>, Infallible>>,
    deadline: Option<Moment>,
    correlation_id: &str,
) -> Response<Body> {
    let call = AssertUnwindSafe(call).catch_unwind();
    let ended = match deadline {
        None => Ok(call.await),
        // What has begun may be recorded, so what is late already does not begin.
        Some(deadline) if deadline <= Moment::now() => Err(status::deadline_exceeded()),
        Some(deadline) => timeout_at(deadline, call).await.map_err(|_| status::deadline_exceeded()),
    };
    match ended {
        Ok(Ok(Ok(response))) => response,
        Ok(Ok(Err(never))) => match never {},
        Ok(Err(panic)) => {
            tracing::error!(request_id = correlation_id, panic = says(&*panic), "panic");
            status::internal().into_http()
        }
        Err(late) => late.into_http(),
    }
}

/// The body of an answer, which has a last word also where the code behind it
/// panics.
struct Answer {
    body: Body,
    record: AccessRecord,
    ended: bool,
    /// It keeps its place until the last frame is on its way.
    _admitted: Option<Admitted>,
}

impl http_body::Body for Answer {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let this = self.get_mut();
        if this.ended {
            return Poll::Ready(None);
        }
        let body = Pin::new(&mut this.body);
        let polled = panic::catch_unwind(AssertUnwindSafe(|| body.poll_frame(cx)));
        let frame = polled.unwrap_or_else(|panic| {
            let request_id = &this.record.correlation_id;
            tracing::error!(request_id, panic = says(&*panic), "panic");
            this.ended = true;
            let mut trailers = HeaderMap::new();
            let told = status::internal().add_header(&mut trailers);
            Poll::Ready(Some(told.map(|()| Frame::trailers(trailers))))
        });
        if let Poll::Ready(Some(Ok(frame))) = &frame
            && let Some(trailers) = frame.trailers_ref()
        {
            this.record.finish(code_of(trailers).unwrap_or(Code::Unknown));
        }
        frame
    }
}

/// gRPC's own servers say `RESOURCE_EXHAUSTED` of a message that is too large;
/// tonic says `OUT_OF_RANGE`.
fn gently_oversized(response: Response<Body>) -> Response<Body> {
    let oversized = Status::from_header_map(response.headers()).filter(|status| {
        status.code() == Code::OutOfRange && status.message().contains("message length too large")
    });
    match oversized {
        Some(_) => status::request_too_large().into_http(),
        None => response,
    }
}

fn correlation_id(headers: &HeaderMap, source: &dyn Source) -> String {
    let given = headers.get(REQUEST_ID).and_then(|value| value.to_str().ok());
    let usable = given.filter(|id| {
        !id.is_empty()
            && id.len() <= REQUEST_ID_LENGTH
            && id.bytes().all(|byte| byte.is_ascii_graphic())
    });
    usable.map_or_else(|| source.uuid().to_string(), str::to_owned)
}

fn code_of(headers: &HeaderMap) -> Option<Code> {
    headers.get("grpc-status").map(|value| Code::from_bytes(value.as_bytes()))
}

/// One record per call, written when its last word is said; CANCELLED where the
/// client went away before that.
struct AccessRecord {
    path: String,
    correlation_id: String,
    started: Instant,
    finished: bool,
}

impl AccessRecord {
    fn new(path: &str, correlation_id: String) -> Self {
        let path = path.trim_start_matches('/').to_owned();
        Self { path, correlation_id, started: Instant::now(), finished: false }
    }

    fn finish(&mut self, code: Code) {
        if std::mem::replace(&mut self.finished, true) {
            return;
        }
        let (method, request_id) = (&self.path, &self.correlation_id);
        let milliseconds = self.started.elapsed().as_secs_f64() * 1000.0;
        // Tools ask for reflection before every call, and probes for health.
        if method.starts_with("grpc.") {
            tracing::debug!(method, ?code, milliseconds, request_id, "rpc");
        } else {
            tracing::info!(method, ?code, milliseconds, request_id, "rpc");
        }
    }
}

impl Drop for AccessRecord {
    fn drop(&mut self) {
        self.finish(Code::Cancelled);
    }
}
