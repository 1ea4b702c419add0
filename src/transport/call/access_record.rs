//! The access log: one record per call. Writing it also counts the call and ends its span.

use std::{mem, sync::Arc};

use http::{HeaderMap, HeaderValue, Request, header::USER_AGENT};
use tonic::Code;

use crate::{
    auth::{Identity, Peer, PeerAddress},
    telemetry::{
        metrics::{RpcCall, code_name},
        spans::{Call, Span, Tracer},
    },
};

use super::{
    super::{Protocol, Target, fair_limit::User},
    adapter::{CallOrigin, FinalStatus},
    caller::MAX_USER_AGENT_CHARS,
    correlation::CorrelationId,
    record_limiter::RecordLimiter,
    target::SharedTarget,
    traceparent,
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
    origin: Option<CallOrigin>,
    /// Recorded for other protocols than gRPC, whose clients are of many kinds.
    user_agent: Option<String>,
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
        let origin = extensions.get::<CallOrigin>().cloned();
        let user_agent = request.headers().get(USER_AGENT);
        let span = tracer.call(Call {
            path: &method,
            traceparent,
            correlation_id: &correlation_id,
            peer: peer.and_then(|peer| peer.address.tcp()),
            door: origin.as_ref().map(|origin| origin.door),
            user_agent: user_agent.and_then(|agent| agent.to_str().ok()),
            access_key_id: origin.as_ref().and_then(|origin| origin.access_key_id.as_deref()),
        });
        Self {
            method,
            correlation_id,
            identity: identity.unwrap_or_else(Identity::anonymous),
            peer: peer.map(|peer| peer.address),
            trace_id: traceparent.and_then(traceparent::trace_id).map(str::to_owned),
            target,
            limiter: Arc::clone(limiter),
            user_agent: user_agent.filter(|_| origin.is_some()).map(shown),
            origin,
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
        self.finish(code, reason.as_deref(), None);
    }

    /// Writes the record of a call with this final status. Later calls do nothing.
    pub(super) fn finish_final(&mut self, status: FinalStatus) {
        self.finish(status.code, status.reason, Some(status));
    }

    fn finish(&mut self, code: Code, reason: Option<&str>, status: Option<FinalStatus>) {
        if mem::replace(&mut self.is_finished, true) {
            return;
        }
        let duration = self.call.handled(code.into());
        self.span.end_call(code.into());
        let user = || User::of(Some(&self.identity), self.peer);
        if !self.limiter.allows(code, user) {
            return;
        }
        let (method, correlation_id) = (&self.method, &*self.correlation_id);
        let (actor, trace_id) = (&self.identity, self.trace_id.as_deref());
        let code = code_name(code.into());
        let peer = self.peer.map(tracing::field::display);
        // Whole microseconds: 0.561, not 0.5605509999999999.
        let milliseconds = (duration.as_secs_f64() * 1_000_000.0).round() / 1000.0;
        let origin = self.origin.as_ref();
        let door = origin.map(|origin| origin.door);
        let aws_operation = origin.map(|origin| origin.operation);
        let attempt = origin.and_then(|origin| origin.attempt.as_deref());
        let access_key_id = origin.and_then(|origin| origin.access_key_id.as_deref());
        let user_agent = self.user_agent.as_deref();
        let http_status = status.map(|status| status.http_status);
        let aws_type = status.and_then(|status| status.error_type);
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
                    user_pool_id, domain, door, aws_operation, http_status, aws_type, attempt,
                    access_key_id, user_agent, "rpc"
                );
            }
        };
        match (target, origin.map(|origin| &origin.target)) {
            (Some(target), _) => target.record(write),
            (None, Some(Target { user_pool_id, domain })) => {
                write(user_pool_id.as_deref(), domain.as_deref());
            }
            (None, None) => write(None, None),
        }
    }
}

/// The beginning of a user agent.
fn shown(user_agent: &HeaderValue) -> String {
    let text = user_agent.to_str().unwrap_or_default();
    text.chars().take(MAX_USER_AGENT_CHARS).collect()
}

impl Drop for AccessRecord {
    fn drop(&mut self) {
        self.finish(Code::Cancelled, None, None);
    }
}
