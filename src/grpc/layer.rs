//! What every call needs, whichever service it is for: a place among those that
//! run, a correlation ID, one record in the log with the status that the client
//! really got, and an answer also where its deadline passes or the code behind it
//! panics.

use std::{
    convert::Infallible,
    panic::AssertUnwindSafe,
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll},
};

use futures_util::FutureExt as _;
use http::{HeaderMap, HeaderValue, Request, Response};
use tokio::{
    sync::watch,
    time::{Instant, timeout_at},
};
use tonic::{Code, Status, body::Body};
use tower::{Layer, Service};
use uuid::Uuid;

use crate::auth::{Authentication, Authorization, Grants, Peer, Tokens};
use crate::{
    app::Source,
    telemetry::{
        metrics::{Counter, Metrics},
        panic_message,
        spans::Tracer,
    },
};

use super::{
    Capacity, Phase,
    access_record::{AccessRecord, code_of},
    admission::{Admission, Admitted, Kind},
    deadline,
    expiry::Untaken,
    request_body::{Arrival, RequestBody, SharedCharge},
    response_body::ResponseBody,
    status,
};

/// The header that carries the correlation ID.
const REQUEST_ID: &str = "x-request-id";
/// The longest correlation ID that is taken over from a client.
const REQUEST_ID_LENGTH: usize = 128;

/// What ties a call to its records: the client's `x-request-id`, or a fresh one.
#[derive(Debug, Clone)]
pub(super) struct CorrelationId(pub(super) Arc<str>);

/// Wraps every service. Each call has a clone of its own.
#[derive(Debug, Clone)]
pub struct RpcLayer(Arc<Shared>);

/// What all calls have together.
#[derive(Debug)]
struct Shared {
    source: Arc<dyn Source>,
    authentication: Authentication,
    admission: Admission,
    authorisation: Authorization,
    phase: watch::Receiver<Phase>,
    metrics: Arc<Metrics>,
    tracer: Tracer,
    untaken: Untaken,
}

impl RpcLayer {
    /// A layer that draws correlation IDs from `source`, believes `tokens`, lets in whom
    /// `grants` allow and as many calls as there is `capacity` for, and ends those that
    /// never end once the server stops.
    #[must_use]
    pub fn new(
        source: Arc<dyn Source>,
        tokens: Option<Tokens>,
        grants: Grants,
        capacity: Capacity,
        phase: watch::Receiver<Phase>,
        metrics: Arc<Metrics>,
        tracer: Tracer,
    ) -> Self {
        let authentication =
            Authentication::new(tokens, Arc::clone(&source), metrics.refused.clone());
        let admission = Admission::new(capacity, metrics.refused.clone());
        let authorisation = Authorization::new(grants, metrics.refused.clone());
        let untaken = Untaken::watched();
        let shared = Shared {
            source,
            authentication,
            admission,
            authorisation,
            phase,
            metrics,
            tracer,
            untaken,
        };
        Self(Arc::new(shared))
    }

    /// Waits until no call runs.
    pub async fn quiet(&self) {
        self.0.admission.quiet().await;
    }

    /// Whether no call runs.
    #[must_use]
    pub fn is_quiet(&self) -> bool {
        self.0.admission.is_quiet()
    }
}

impl Shared {
    /// Finds a place for the call, if its caller may make it, and has its request
    /// counted and timed.
    fn admit(
        &self,
        request: &mut Request<Body>,
        received: Counter,
    ) -> Result<(Admitted, SharedCharge), Status> {
        // First: whoever may not call takes no place from those who may.
        self.authorisation
            .check(request.uri().path(), request.extensions())
            .map_err(|refused| status::not_granted(&refused))?;
        let kind = Kind::of(request.uri().path());
        let peer = request.extensions().get::<Peer>();
        let admitted = self.admission.admit(kind, peer).map_err(status::too_many)?;
        let charge = Arc::new(Mutex::new(self.admission.charge()));
        let phase = self.phase.clone();
        let arrival = match kind {
            // Reflection goes on for as long as its client likes.
            Kind::Tool => Arrival::without_end(phase),
            Kind::Probe | Kind::Write | Kind::Watch | Kind::Read => Arrival::in_time(phase),
        };
        let body = std::mem::take(request.body_mut());
        *request.body_mut() = RequestBody::wrap(body, Arc::clone(&charge), arrival, received);
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
        let shared = Arc::clone(&self.layer.0);
        let correlation_id = correlation_id(request.headers(), shared.source.as_ref());
        let call = shared.metrics.rpcs.start(request.uri().path());
        let established = shared.authentication.establish(&mut request);
        let mut record =
            AccessRecord::new(&request, Arc::clone(&correlation_id), call, &shared.tracer);
        request.extensions_mut().insert(CorrelationId(Arc::clone(&correlation_id)));
        let deadline = deadline::of(request.headers());
        let admitted = match established {
            Ok(()) => shared.admit(&mut request, record.received()),
            Err(bad) => Err(status::bad_token(bad)),
        };
        let call = admitted.map(|admitted| (admitted, self.inner.call(request)));
        Box::pin(async move {
            let (response, admitted) = match call {
                Ok(((admitted, _charge), call)) => {
                    (answer(call, deadline, &correlation_id).await, Some(admitted))
                }
                Err(refused) => (refused.into_http(), None),
            };
            let mut response = gently_oversized(response);
            if let Ok(value) = HeaderValue::from_str(&correlation_id) {
                response.headers_mut().insert(REQUEST_ID, value);
            }
            if let Some(code) = code_of(response.headers()) {
                record.finish(code);
                return Ok(response);
            }
            Ok(response.map(|body| ResponseBody::wrap(body, record, admitted, &shared.untaken)))
        })
    }
}

/// The answer within the deadline. A call that is dropped takes its command with
/// it, unless the writer has taken that up.
async fn answer(
    call: impl Future<Output = Result<Response<Body>, Infallible>>,
    deadline: Option<Instant>,
    correlation_id: &str,
) -> Response<Body> {
    let call = AssertUnwindSafe(call).catch_unwind();
    let ended = match deadline {
        None => Ok(call.await),
        // What has begun may be recorded, so what is late already does not begin.
        Some(deadline) if deadline <= Instant::now() => Err(status::deadline_exceeded()),
        Some(deadline) => timeout_at(deadline, call).await.map_err(|_| status::deadline_exceeded()),
    };
    match ended {
        Ok(Ok(Ok(response))) => response,
        Ok(Ok(Err(never))) => match never {},
        Ok(Err(panic)) => {
            tracing::error!(request_id = correlation_id, panic = panic_message(&*panic), "panic");
            status::internal().into_http()
        }
        Err(late) => late.into_http(),
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

fn correlation_id(headers: &HeaderMap, source: &dyn Source) -> Arc<str> {
    let given = headers.get(REQUEST_ID).and_then(|value| value.to_str().ok());
    let usable = given.filter(|id| {
        !id.is_empty()
            && id.len() <= REQUEST_ID_LENGTH
            && id.bytes().all(|byte| byte.is_ascii_graphic())
    });
    let fresh = || {
        let mut text = Uuid::encode_buffer();
        Arc::from(&*source.uuid().hyphenated().encode_lower(&mut text))
    };
    usable.map_or_else(fresh, Arc::from)
}
