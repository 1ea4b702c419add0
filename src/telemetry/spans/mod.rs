//! Spans for an OpenTelemetry collector, in a build with the feature `otel` and with a
//! collector configured. Otherwise they cost nothing.

mod call;
mod error;
#[cfg(feature = "otel")]
mod otlp;
#[cfg(not(feature = "otel"))]
mod otlp_disabled;

use std::str::FromStr;

pub use self::{call::Call, error::SpansError};

#[cfg(feature = "otel")]
use self::otlp::{ExportedSpan, Exporter};
#[cfg(not(feature = "otel"))]
use self::otlp_disabled::{ExportedSpan, Exporter};

/// Where a collector accepts spans: OTLP over gRPC without TLS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Collector(String);

impl FromStr for Collector {
    type Err = SpansError;

    fn from_str(text: &str) -> Result<Self, SpansError> {
        let authority = text.strip_prefix("http://").map(|rest| rest.trim_end_matches('/'));
        let port = authority.and_then(|authority| authority.rsplit_once(':')).map(|(_, port)| port);
        let is_address = port.is_some_and(|port| port.parse::<u16>().is_ok())
            && authority.is_some_and(|authority| !authority.contains(['/', '@', '?', '#']));
        if is_address { Ok(Self(text.to_owned())) } else { Err(SpansError::Address) }
    }
}

/// Creates spans. The default tracer creates none.
#[derive(Debug, Clone, Default)]
pub struct Tracer(Option<Exporter>);

/// A span; ends when it is dropped, or earlier.
#[derive(Debug, Default)]
pub struct Span(Option<ExportedSpan>);

impl Tracer {
    /// Creates a tracer that sends spans to a collector, which need not be reachable. Must
    /// be called within a runtime.
    ///
    /// # Errors
    /// [`SpansError::NotBuilt`] or [`SpansError::Exporter`].
    pub fn new(collector: &Collector) -> Result<Self, SpansError> {
        Exporter::new(&collector.0).map(|exporter| Self(Some(exporter)))
    }

    /// Starts the span of a call, in the trace of its caller.
    #[must_use]
    pub fn call(&self, call: Call<'_>) -> Span {
        Span(self.0.as_ref().map(|exporter| exporter.call(call)))
    }

    /// Starts the span of an append, in the first of the traces of its events. It is
    /// linked to the other traces.
    #[must_use]
    pub fn append<'a>(&self, events: usize, traces: impl Iterator<Item = &'a str>) -> Span {
        Span(self.0.as_ref().map(|exporter| exporter.append(events, traces)))
    }

    /// Sends the spans that have ended. Blocks for a few seconds at most.
    pub fn flush(&self) {
        if let Some(exporter) = &self.0 {
            exporter.flush();
        }
    }
}

impl Span {
    /// Ends the span of a call with the gRPC code of this number.
    pub fn end_call(&mut self, code: i32) {
        if let Some(span) = self.0.take() {
            span.end_call(code);
        }
    }

    /// Ends the span by dropping it.
    pub fn end(self) {}
}
