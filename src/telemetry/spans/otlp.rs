//! Sends spans with OTLP from a separate thread. Spans that the collector does not accept
//! in time are dropped, so it never delays a call.

use std::time::Duration;

use opentelemetry::{
    Context, KeyValue, SpanId, TraceFlags, TraceId,
    trace::{
        Link, Span as _, SpanContext, SpanKind, Status, TraceContextExt as _, TraceState,
        Tracer as _, TracerProvider as _,
    },
};
use opentelemetry_otlp::{SpanExporter, WithExportConfig as _};
use opentelemetry_sdk::{
    Resource,
    trace::{SdkTracer, SdkTracerProvider, Span},
};

use super::{call::Call, error::SpansError};

/// How long an attempt to send spans takes at most.
const SEND_TIMEOUT: Duration = Duration::from_secs(3);
/// The numbers of the codes that are server errors: UNKNOWN, `DEADLINE_EXCEEDED`,
/// UNIMPLEMENTED, INTERNAL, UNAVAILABLE, `DATA_LOSS`.
const SERVER_ERRORS: [i32; 6] = [2, 4, 12, 13, 14, 15];

#[derive(Debug, Clone)]
pub(super) struct Exporter {
    provider: SdkTracerProvider,
    tracer: SdkTracer,
}

/// A span that is sent when it ends.
#[derive(Debug)]
pub(super) struct ExportedSpan(Span);

impl Exporter {
    pub(super) fn new(endpoint: &str) -> Result<Self, SpansError> {
        let exporter = SpanExporter::builder().with_tonic().with_endpoint(endpoint);
        let exporter = exporter.with_timeout(SEND_TIMEOUT).build();
        let exporter = exporter.map_err(|error| SpansError::Exporter(error.to_string()))?;
        let version = KeyValue::new("service.version", env!("CARGO_PKG_VERSION"));
        let resource =
            Resource::builder().with_service_name("userpool").with_attribute(version).build();
        let provider = SdkTracerProvider::builder()
            .with_batch_exporter(exporter)
            .with_resource(resource)
            .build();
        let tracer = provider.tracer("userpool");
        Ok(Self { provider, tracer })
    }

    pub(super) fn call(&self, call: Call<'_>) -> ExportedSpan {
        let (service, method) = call.path.split_once('/').unwrap_or_default();
        let mut attributes = vec![
            KeyValue::new("rpc.system", call.door.unwrap_or("grpc").to_owned()),
            KeyValue::new("rpc.service", service.to_owned()),
            KeyValue::new("rpc.method", method.to_owned()),
            KeyValue::new("userpool.correlation_id", call.correlation_id.to_owned()),
        ];
        for (name, value) in [
            ("user_agent.original", call.user_agent.filter(|_| call.door.is_some())),
            ("userpool.access_key_id", call.access_key_id),
        ] {
            attributes.extend(value.map(|value| KeyValue::new(name, value.to_owned())));
        }
        if let Some(peer) = call.peer {
            attributes.push(KeyValue::new("network.peer.address", peer.ip().to_string()));
            attributes.push(KeyValue::new("network.peer.port", i64::from(peer.port())));
        }
        let span = self.tracer.span_builder(call.path.to_owned());
        let span = span.with_kind(SpanKind::Server).with_attributes(attributes);
        let parent = child_of(call.traceparent.and_then(remote));
        ExportedSpan(self.tracer.build_with_context(span, &parent))
    }

    pub(super) fn append<'a>(
        &self,
        events: usize,
        traces: impl Iterator<Item = &'a str>,
    ) -> ExportedSpan {
        let mut traces = traces.filter_map(remote);
        let parent = child_of(traces.next());
        let links = traces.map(|trace| Link::new(trace, Vec::new(), 0)).collect();
        let events = KeyValue::new("userpool.events", i64::try_from(events).unwrap_or(i64::MAX));
        let span = self.tracer.span_builder("append").with_kind(SpanKind::Internal);
        let span = span.with_attributes([events]).with_links(links);
        ExportedSpan(self.tracer.build_with_context(span, &parent))
    }

    pub(super) fn flush(&self) {
        if let Err(error) = self.provider.force_flush() {
            tracing::warn!(%error, "cannot send the last spans");
        }
    }
}

impl ExportedSpan {
    pub(super) fn end_call(mut self, code: i32) {
        self.0.set_attribute(KeyValue::new("rpc.grpc.status_code", i64::from(code)));
        if SERVER_ERRORS.contains(&code) {
            self.0.set_status(Status::error(""));
        }
        self.0.end();
    }
}

/// The span of a valid `traceparent`.
fn remote(traceparent: &str) -> Option<SpanContext> {
    let mut parts = traceparent.split('-').skip(1);
    let trace = TraceId::from_hex(parts.next()?).ok()?;
    let span = SpanId::from_hex(parts.next()?).ok()?;
    let flags = TraceFlags::new(u8::from_str_radix(parts.next()?, 16).ok()?);
    let context = SpanContext::new(trace, span, flags, true, TraceState::default());
    context.is_valid().then_some(context)
}

/// The context for a child of a span, or for a new trace. Ignores the context of the
/// thread.
fn child_of(parent: Option<SpanContext>) -> Context {
    let context = Context::new();
    parent.map_or_else(|| context.clone(), |parent| context.with_remote_span_context(parent))
}
