//! The call layer: the steps of every call, for any protocol. [`Steps::run`] runs them in
//! order; each step has its own file, here or in [`crate::auth`].

mod access_record;
mod adapter;
mod admission;
mod buffered_response;
mod caller;
mod client_memory;
mod correlation;
mod deadline;
mod record_limiter;
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
    auth::{Access, Authentication, Authorization, Identity, Peer},
    service::Error,
    telemetry::{metrics::Metrics, spans::Tracer},
};

pub use self::admission::Capacity;
use self::{
    access_record::AccessRecord,
    admission::{Admission, CallKind, Place},
    buffered_response::buffer,
    client_memory::{ClientMemory, TakenMemory, UnreadResponses},
    record_limiter::RecordLimiter,
    request_body::{RequestBody, SharedMemory},
    response_body::{ResponseBody, SentResponse},
    stalled_responses::StalledResponses,
    stream_end::StreamEnd,
    target::{RefusedRequests, SharedTarget},
};
pub(crate) use self::{
    adapter::{Authenticated, CallOrigin, FinalStatus},
    caller::caller,
    request_body::interruption,
};
use super::{Phase, Protocol, fair_limit::User};

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
    memory: Arc<ClientMemory>,
    stalled_responses: Arc<StalledResponses<SentResponse>>,
    refused_requests: Arc<RefusedRequests>,
    phase: watch::Receiver<Phase>,
    metrics: Arc<Metrics>,
    record_limiter: Arc<RecordLimiter>,
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
        let stalled_responses = Arc::new(StalledResponses::new());
        let unread: Arc<dyn UnreadResponses> =
            Arc::<StalledResponses<SentResponse>>::clone(&stalled_responses);
        let memory = ClientMemory::new(capacity.client_memory, unread, refused.clone());
        Self(Arc::new(Steps {
            protocol,
            authentication: Arc::new(authentication),
            authorization: Arc::new(Authorization::new(grants, refused.clone())),
            admission: Arc::new(Admission::new(capacity, refused)),
            memory: Arc::new(memory),
            stalled_responses,
            refused_requests: Arc::default(),
            source,
            phase,
            metrics,
            record_limiter: Arc::default(),
            tracer,
        }))
    }

    /// The same layer for calls of another protocol: with the same grants and limits, and the
    /// same running calls.
    #[must_use]
    pub fn for_protocol(&self, protocol: &'static dyn Protocol) -> Self {
        Self(Arc::new(Steps { protocol, ..(*self.0).clone() }))
    }

    /// The memory for the body of a request that an adapter reads before the call.
    pub(crate) fn body_memory(&self, peer: Option<&Peer>) -> BodyMemory {
        BodyMemory(self.0.memory.nothing(CallKind::Read, User::of_call(None, peer)))
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

/// The memory for the body of a request; given back on drop.
#[derive(Debug)]
pub(crate) struct BodyMemory(TakenMemory);

impl BodyMemory {
    /// Takes this many bytes more.
    pub(crate) fn grow(&mut self, bytes: usize) -> Result<(), Error> {
        Ok(self.0.grow(bytes)?)
    }

    /// Charges this memory to the caller, who is authenticated now.
    pub(crate) fn move_to(&mut self, caller: &Identity, peer: Option<&Peer>) -> Result<(), Error> {
        Ok(self.0.move_to(User::of_call(Some(caller), peer))?)
    }
}

/// What a call holds until its response is sent.
type Held = (Place, TakenMemory);

/// What a call may use.
struct Admitted {
    held: Held,
    request_memory: SharedMemory,
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
        let record =
            AccessRecord::new(method, &request, target, call, &self.record_limiter, &self.tracer);
        let is_stream = CallKind::of(record.method()).is_stream();
        let end = is_stream.then(|| StreamEnd::of(request.extensions()));

        let admitted = authenticated.and_then(|()| self.authorize_and_admit(&record, &mut request));
        let (mut response, held) = match admitted {
            Ok(Admitted { held, request_memory }) => {
                // The service reads and decodes the body in this call, except for a stream. The
                // memory of the request is held until the call returns.
                let call = service.call(request);
                let answer = deadline::answer(call, deadline, &correlation_id).await;
                drop(request_memory);
                let answer = answer.map(|answer| self.protocol.explain(record.method(), answer));
                (answer.unwrap_or_else(|error| self.protocol.refusal(error)), Some(held))
            }
            Err(error) => {
                if let Some(target) = record.target() {
                    self.refused_requests.read(request.into_body(), target, &error).await;
                }
                (self.protocol.refusal(error), None)
            }
        };
        correlation::insert_header(&mut response, &correlation_id);
        self.track(response, record, held, end).await
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
    ) -> Result<Admitted, Error> {
        let method = record.method();
        // First the role, so that callers without it do not use up the limits.
        self.authorization.check(method, request.extensions())?;
        let kind = CallKind::of(method);
        let extensions = request.extensions();
        let peer = extensions.get::<Peer>();
        let user = User::of_call(extensions.get::<Identity>(), peer);
        let place = self.admission.admit(kind, &user, peer)?;
        let memory = self.memory.for_call(kind, user.clone())?;
        let request_memory = Arc::new(Mutex::new(self.memory.nothing(kind, user)));
        let body = mem::take(request.body_mut());
        let (shared, phase) = (Arc::clone(&request_memory), self.phase.clone());
        let target = record.target().cloned();
        *request.body_mut() = RequestBody::wrap(body, self.protocol, kind, shared, target, phase);
        Ok(Admitted { held: (place, memory), request_memory })
    }

    /// Keeps the record of the call, its memory and, for a stream, its place until the response
    /// is sent.
    async fn track(
        &self,
        response: Response<Body>,
        mut record: AccessRecord,
        held: Option<Held>,
        end: Option<StreamEnd>,
    ) -> Response<Body> {
        // A status in the headers is final: no body follows.
        let status_only = self.protocol.code(response.headers()).is_some();
        let Some((mut place, mut memory)) = held.filter(|_| !status_only) else {
            self.finish(&mut record, &response);
            return response;
        };
        let final_status = response.extensions().get::<FinalStatus>().copied();
        let (parts, mut body) = response.into_parts();
        if !place.kind.is_stream() {
            body = match buffer(body, place.kind, &mut memory, record.correlation_id()).await {
                Ok(buffered) => buffered,
                Err(error) => {
                    let mut response = self.protocol.refusal(error);
                    correlation::insert_header(&mut response, record.correlation_id());
                    self.finish(&mut record, &response);
                    return response;
                }
            };
            if let Some(status) = final_status {
                record.finish_final(status);
            }
            // Others can read or write while this client receives the response.
            place.release();
        }
        let (protocol, stalled) = (self.protocol, &*self.stalled_responses);
        let body = ResponseBody::wrap(body, protocol, record, (place, memory), end, stalled);
        Response::from_parts(parts, body)
    }

    /// Writes the record of a call whose response is complete.
    fn finish(&self, record: &mut AccessRecord, response: &Response<Body>) {
        match response.extensions().get::<FinalStatus>() {
            Some(status) => record.finish_final(*status),
            None => record.finish_with(self.protocol, response.headers()),
        }
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
