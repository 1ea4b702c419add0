//! The call layer: the steps of every call, for any protocol. [`Steps::run`] runs them in
//! order; each step has its own file, here or in [`crate::auth`].

mod access_record;
mod adapter;
mod admission;
mod caller;
mod correlation;
mod deadline;
mod request_body;
mod response_body;
mod stalled_responses;
mod stream_end;
mod target;
mod traceparent;

use std::{
    convert::Infallible,
    mem,
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll},
};

use http::{Request, Response};
use tokio::sync::watch;
use tonic::body::Body;
use tower::{Layer, Service};

use crate::{
    app::Source,
    auth::{Access, Authentication, Authorization, Peer},
    service::Error,
    telemetry::{metrics::Metrics, spans::Tracer},
};

pub use self::admission::Capacity;
use self::{
    access_record::AccessRecord,
    admission::{Admission, CallKind, CallPermit},
    request_body::{RequestBody, SharedMemory},
    response_body::{ResponseBody, SentResponse},
    stalled_responses::StalledResponses,
    stream_end::StreamEnd,
    target::{RefusedRequests, SharedTarget},
};
pub(crate) use self::{
    adapter::{Authenticated, CallOrigin, FinalStatus},
    caller::caller,
};
use super::{Phase, Protocol};

/// A tower layer that runs the steps around a service. Clones share its state.
#[derive(Debug, Clone)]
pub struct CallLayer(Arc<Steps>);

/// The state of the steps, shared by all calls.
#[derive(Debug, Clone)]
struct Steps {
    protocol: &'static dyn Protocol,
    source: Arc<dyn Source>,
    authentication: Arc<Authentication>,
    authorization: Arc<Authorization>,
    admission: Arc<Admission>,
    stalled_responses: Arc<StalledResponses<SentResponse>>,
    refused_requests: Arc<RefusedRequests>,
    phase: watch::Receiver<Phase>,
    metrics: Arc<Metrics>,
    tracer: Tracer,
}

impl CallLayer {
    /// Creates the layer for calls of `protocol`. `source` provides correlation IDs, and
    /// the time that tokens are checked at.
    #[must_use]
    pub fn new(
        protocol: &'static dyn Protocol,
        source: Arc<dyn Source>,
        access: Access,
        capacity: Capacity,
        phase: watch::Receiver<Phase>,
        metrics: Arc<Metrics>,
        tracer: Tracer,
    ) -> Self {
        let Access { tokens, grants } = access;
        let refused = metrics.refused.clone();
        let authentication = Authentication::new(tokens, Arc::clone(&source), refused.clone());
        Self(Arc::new(Steps {
            protocol,
            authentication: Arc::new(authentication),
            authorization: Arc::new(Authorization::new(grants, refused.clone())),
            admission: Arc::new(Admission::new(capacity, refused)),
            stalled_responses: Arc::new(StalledResponses::new()),
            refused_requests: Arc::default(),
            source,
            phase,
            metrics,
            tracer,
        }))
    }

    /// The same layer for calls of another protocol: with the same grants and limits, and the
    /// same running calls.
    #[must_use]
    pub fn for_protocol(&self, protocol: &'static dyn Protocol) -> Self {
        Self(Arc::new(Steps { protocol, ..(*self.0).clone() }))
    }

    /// Waits until no call runs.
    pub async fn wait_idle(&self) {
        self.0.admission.wait_idle().await;
    }

    /// Whether no call runs.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.0.admission.is_idle()
    }
}

impl Steps {
    /// Runs a call, from its request to its response.
    async fn run<S>(self: Arc<Self>, mut request: Request<Body>, mut service: S) -> Response<Body>
    where
        S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
    {
        let deadline = deadline::of(self.protocol.timeout(request.headers()));
        let method = self.protocol.method(&request).to_owned();
        let call = self.metrics.rpcs.start(&method);
        let correlation_id = correlation::establish(&mut request, self.source.as_ref());
        let authenticated = self.authenticate(&method, &mut request);
        let target = self.protocol.target_reader(&method).map(SharedTarget::new);
        let record = AccessRecord::new(method, &request, target, call, &self.tracer);
        let is_stream = CallKind::of(record.method()).is_stream();
        let end = is_stream.then(|| StreamEnd::of(request.extensions()));

        let admitted = authenticated.and_then(|()| self.authorize_and_admit(&record, &mut request));
        let (mut response, permit) = match admitted {
            Ok((permit, memory)) => {
                // The service reads and decodes the body in this call, except for a stream. The
                // memory of the request is held until the call returns.
                let call = service.call(request);
                let answer = deadline::answer(call, deadline, &correlation_id).await;
                drop(memory);
                (answer.unwrap_or_else(|error| self.protocol.refusal(error)), Some(permit))
            }
            Err(error) => {
                if let Some(target) = record.target() {
                    self.refused_requests.read(request.into_body(), target, &error).await;
                }
                (self.protocol.refusal(error), None)
            }
        };
        correlation::insert_header(&mut response, &correlation_id);
        self.track(response, record, permit, end)
    }

    /// Adds the caller's identity to the request.
    fn authenticate(&self, method: &str, request: &mut Request<Body>) -> Result<(), Error> {
        let Some(Authenticated(result)) = request.extensions_mut().remove() else {
            return Ok(self.authentication.authenticate(method, request)?);
        };
        let (identity, result) = match result {
            Ok(identity) => (identity, Ok(())),
            Err(error) => (Peer::identity(request.extensions()), Err(error)),
        };
        request.extensions_mut().insert(identity);
        result
    }

    /// Checks the caller's role and the limits of running calls, and puts limits on the body
    /// of the request.
    fn authorize_and_admit(
        &self,
        record: &AccessRecord,
        request: &mut Request<Body>,
    ) -> Result<(CallPermit, SharedMemory), Error> {
        let method = record.method();
        // First the role, so that callers without it do not use up the limits.
        self.authorization.check(method, request.extensions())?;
        let kind = CallKind::of(method);
        let permit = self.admission.admit(kind, request.extensions().get::<Peer>())?;
        let memory = Arc::new(Mutex::new(self.admission.request_memory()));
        let body = mem::take(request.body_mut());
        let (shared, phase) = (Arc::clone(&memory), self.phase.clone());
        let target = record.target().cloned();
        *request.body_mut() = RequestBody::wrap(body, self.protocol, kind, shared, target, phase);
        Ok((permit, memory))
    }

    /// Keeps the record and the permit of the call until its response is sent.
    fn track(
        &self,
        response: Response<Body>,
        mut record: AccessRecord,
        permit: Option<CallPermit>,
        end: Option<StreamEnd>,
    ) -> Response<Body> {
        if let Some(status) = response.extensions().get::<FinalStatus>() {
            record.finish_final(*status);
            return response;
        }
        // A status in the headers is final: no body follows.
        if self.protocol.code(response.headers()).is_some() {
            record.finish_with(self.protocol, response.headers());
            return response;
        }
        let stalled = &self.stalled_responses;
        response.map(|body| ResponseBody::wrap(body, self.protocol, record, permit, end, stalled))
    }
}

impl<S> Layer<S> for CallLayer {
    type Service = CallService<S>;

    fn layer(&self, service: S) -> CallService<S> {
        CallService { service, layer: self.clone() }
    }
}

/// A service behind the steps of a [`CallLayer`].
#[derive(Debug, Clone)]
pub struct CallService<S> {
    service: S,
    layer: CallLayer,
}

impl<S> Service<Request<Body>> for CallService<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
    S: Clone + Send + 'static,
    S::Future: Send,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.service.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let steps = Arc::clone(&self.layer.0);
        // The clone that stays has not been polled; this one is ready.
        let clone = self.service.clone();
        let service = mem::replace(&mut self.service, clone);
        Box::pin(async move { Ok(steps.run(request, service).await) })
    }
}
