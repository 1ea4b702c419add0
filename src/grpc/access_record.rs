//! One record in the log of the process for each call, which is also where it is
//! counted.

use std::sync::Arc;

use http::{HeaderMap, Request};
use tonic::{Code, body::Body};

use crate::auth::{Identity, Peer, Who};
use crate::telemetry::{
    metrics::{Counter, RpcCall},
    spans::{Call, Span, Tracer},
};

use super::traceparent;

/// One record per call, written when its last word is said; CANCELLED where the
/// client went away before that.
pub(super) struct AccessRecord {
    path: String,
    correlation_id: Arc<str>,
    identity: Identity,
    peer: Option<Who>,
    trace_id: Option<String>,
    call: RpcCall,
    span: Span,
    finished: bool,
}

impl AccessRecord {
    /// The record of a call that begins, whose caller was established.
    pub(super) fn new(
        request: &Request<Body>,
        correlation_id: Arc<str>,
        call: RpcCall,
        tracer: &Tracer,
    ) -> Self {
        let peer = request.extensions().get::<Peer>();
        let identity = request.extensions().get::<Identity>();
        let path = request.uri().path().trim_start_matches('/');
        let traceparent = traceparent::of(request.headers());
        let span = tracer.call(Call {
            path,
            traceparent,
            request_id: &correlation_id,
            peer: peer.and_then(|peer| peer.who.address()),
        });
        let trace_id = traceparent.and_then(traceparent::trace_id);
        Self {
            path: path.to_owned(),
            correlation_id,
            identity: identity.cloned().unwrap_or_else(Identity::anonymous),
            peer: peer.map(|peer| peer.who),
            trace_id: trace_id.map(str::to_owned),
            call,
            span,
            finished: false,
        }
    }

    pub(super) fn correlation_id(&self) -> &str {
        &self.correlation_id
    }

    /// Where the messages that leave are counted.
    pub(super) fn sent(&self) -> Counter {
        self.call.sent()
    }

    /// Where the messages that arrive are counted.
    pub(super) fn received(&self) -> Counter {
        self.call.received()
    }

    pub(super) fn finish(&mut self, code: Code) {
        if std::mem::replace(&mut self.finished, true) {
            return;
        }
        let took = self.call.handled(code.into());
        self.span.end_call(code.into());
        let (method, request_id) = (&self.path, &*self.correlation_id);
        let (actor, trace_id) = (&self.identity, self.trace_id.as_deref());
        let peer = self.peer.map(tracing::field::display);
        let milliseconds = took.as_secs_f64() * 1000.0;
        // Tools ask for reflection before every call, and probes for health.
        if method.starts_with("grpc.") {
            tracing::debug!(method, ?code, milliseconds, %actor, peer, request_id, trace_id, "rpc");
        } else {
            tracing::info!(method, ?code, milliseconds, %actor, peer, request_id, trace_id, "rpc");
        }
    }
}

impl Drop for AccessRecord {
    fn drop(&mut self) {
        self.finish(Code::Cancelled);
    }
}

/// The status that headers or trailers carry.
pub(super) fn code_of(headers: &HeaderMap) -> Option<Code> {
    headers.get("grpc-status").map(|value| Code::from_bytes(value.as_bytes()))
}
