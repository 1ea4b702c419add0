//! The access log: one record per call. Writing it also counts the call and ends its span.

use std::{mem, sync::Arc};

use http::{HeaderMap, Request};
use tonic::Code;

use crate::{
    auth::{Identity, Peer, PeerAddress},
    telemetry::{
        metrics::{RpcCall, code_name},
        spans::{Call, Span, Tracer},
    },
};

use super::{
    super::Protocol, correlation::CorrelationId, record_limiter::RecordLimiter,
    target::SharedTarget, traceparent,
};

/// The record of a call, written when its final status is known. If it is dropped before
/// that, the client has disconnected, and it is written with `CANCELLED`.
pub(super) struct AccessRecord {
    method: String,
    correlation_id: Arc<str>,
    identity: Identity,
    peer: Option<PeerAddress>,
    trace_id: Option<String>,
    target: Option<SharedTarget>,
    limiter: Arc<RecordLimiter>,
    call: RpcCall,
    span: Span,
    is_finished: bool,
}

impl AccessRecord {
    /// Starts the record of a call whose correlation ID and caller are established.
    pub(super) fn new<B>(
        method: String,
        request: &Request<B>,
        target: Option<SharedTarget>,
        call: RpcCall,
        limiter: &Arc<RecordLimiter>,
        tracer: &Tracer,
    ) -> Self {
        let extensions = request.extensions();
        let peer = extensions.get::<Peer>();
        let identity = extensions.get::<Identity>().cloned();
        let correlation_id = extensions.get::<CorrelationId>().map(|id| Arc::clone(&id.0));
        let correlation_id = correlation_id.unwrap_or_default();
        let traceparent = traceparent::header(request.headers());
        let span = tracer.call(Call {
            path: &method,
            traceparent,
            correlation_id: &correlation_id,
            peer: peer.and_then(|peer| peer.address.tcp()),
        });
        Self {
            method,
            correlation_id,
            identity: identity.unwrap_or_else(Identity::anonymous),
            peer: peer.map(|peer| peer.address),
            trace_id: traceparent.and_then(traceparent::trace_id).map(str::to_owned),
            target,
            limiter: Arc::clone(limiter),
            call,
            span,
            is_finished: false,
        }
    }

    pub(super) fn method(&self) -> &str {
        &self.method
    }

    pub(super) fn correlation_id(&self) -> &str {
        &self.correlation_id
    }

    /// What the request names.
    pub(super) const fn target(&self) -> Option<&SharedTarget> {
        self.target.as_ref()
    }

    /// Writes the record with the status in these headers or trailers. Later calls do nothing.
    pub(super) fn finish_with(&mut self, protocol: &dyn Protocol, status: &HeaderMap) {
        let code = protocol.code(status).unwrap_or(Code::Unknown);
        let reason = (code != Code::Ok).then(|| protocol.reason(status)).flatten();
        self.finish(code, reason.as_deref());
    }

    fn finish(&mut self, code: Code, reason: Option<&str>) {
        if mem::replace(&mut self.is_finished, true) {
            return;
        }
        let duration = self.call.handled(code.into());
        self.span.end_call(code.into());
        if !self.limiter.allows(code) {
            return;
        }
        let (method, correlation_id) = (&self.method, &*self.correlation_id);
        let (actor, trace_id) = (&self.identity, self.trace_id.as_deref());
        let code = code_name(code.into());
        let peer = self.peer.map(tracing::field::display);
        let milliseconds = duration.as_secs_f64() * 1000.0;
        let target = self.target.take();
        let write = |user_pool_id: Option<&str>, domain: Option<&str>| {
            // Tools call reflection before each call, and probes call health.
            if method.starts_with("grpc.") {
                tracing::debug!(
                    method, code, milliseconds, %actor, peer, correlation_id, trace_id, reason, "rpc"
                );
            } else {
                tracing::info!(
                    method, code, milliseconds, %actor, peer, correlation_id, trace_id, reason,
                    user_pool_id, domain, "rpc"
                );
            }
        };
        match target {
            Some(target) => target.record(write),
            None => write(None, None),
        }
    }
}

impl Drop for AccessRecord {
    fn drop(&mut self) {
        self.finish(Code::Cancelled, None);
    }
}
