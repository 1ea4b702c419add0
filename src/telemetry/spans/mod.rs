//! Spans to an OpenTelemetry collector, where the program is built with the feature
//! `otel` and was told where the collector is. Otherwise nothing of this costs anything.
//! Knows nothing of what the spans are of.

#[cfg(feature = "otel")]
mod otlp;

use std::{fmt, net::SocketAddr, str::FromStr};

/// Where a collector takes spans, over gRPC without TLS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Collector(String);

/// Why spans cannot be sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SpansError {
    /// The text names no collector.
    #[error("expected http://HOST:PORT, where a collector on this machine takes OTLP over gRPC")]
    NoCollector,
    /// The program has nothing to send them with.
    #[error("this userpool sends no spans; build it with --features otel")]
    NotBuilt,
    /// The exporter cannot be set up.
    #[error("spans cannot be sent: {0}")]
    Exporter(String),
}

impl FromStr for Collector {
    type Err = SpansError;

    fn from_str(text: &str) -> Result<Self, SpansError> {
        let authority = text.strip_prefix("http://").map(|rest| rest.trim_end_matches('/'));
        let port = authority.and_then(|authority| authority.rsplit_once(':')).map(|(_, port)| port);
        let legal = port.is_some_and(|port| port.parse::<u16>().is_ok())
            && authority.is_some_and(|authority| !authority.contains(['/', '@', '?', '#']));
        if legal { Ok(Self(text.to_owned())) } else { Err(SpansError::NoCollector) }
    }
}

/// What makes spans; that of [`Default`] makes none.
#[derive(Clone, Default)]
pub struct Tracer {
    #[cfg(feature = "otel")]
    sending: Option<otlp::Sending>,
}

/// Something that takes time. It ends when it is dropped.
#[derive(Default)]
pub struct Span {
    #[cfg(feature = "otel")]
    sent: Option<otlp::Sent>,
}

/// A call, as its span tells it.
#[derive(Debug, Clone, Copy)]
pub struct Call<'a> {
    /// Its path, without the slash at the beginning.
    pub path: &'a str,
    /// The caller's own span, as W3C's `traceparent` tells it.
    pub traceparent: Option<&'a str>,
    /// What ties it to records elsewhere.
    pub request_id: &'a str,
    /// The other end of the connection, where that is on the network.
    pub peer: Option<SocketAddr>,
}

#[cfg(feature = "otel")]
impl Tracer {
    /// A tracer that sends spans to a collector, whether or not that is there. Takes a
    /// runtime.
    ///
    /// # Errors
    /// [`SpansError::Exporter`].
    pub fn to(collector: &Collector) -> Result<Self, SpansError> {
        otlp::Sending::to(&collector.0).map(|sending| Self { sending: Some(sending) })
    }

    /// The span of a call that begins, in the trace of its caller.
    #[must_use]
    pub fn call(&self, call: Call<'_>) -> Span {
        Span { sent: self.sending.as_ref().map(|sending| sending.call(call)) }
    }

    /// The span of an append, in the first of the traces of its events, and linked to
    /// the others.
    #[must_use]
    pub fn append<'a>(&self, events: usize, traces: impl Iterator<Item = &'a str>) -> Span {
        Span { sent: self.sending.as_ref().map(|sending| sending.append(events, traces)) }
    }

    /// Sends what has ended, for a few seconds at most. Blocks.
    pub fn flush(&self) {
        if let Some(sending) = &self.sending {
            sending.flush();
        }
    }
}

#[cfg(feature = "otel")]
impl Span {
    /// The call has ended with the gRPC code of this number.
    pub fn end_call(&mut self, code: i32) {
        if let Some(sent) = self.sent.take() {
            sent.end_call(code);
        }
    }

    /// It has ended.
    pub fn end(self) {
        drop(self.sent);
    }
}

#[cfg(not(feature = "otel"))]
impl Tracer {
    /// No tracer: there is nothing to send spans with.
    ///
    /// # Errors
    /// [`SpansError::NotBuilt`].
    pub const fn to(_collector: &Collector) -> Result<Self, SpansError> {
        Err(SpansError::NotBuilt)
    }

    /// No span.
    #[must_use]
    pub const fn call(&self, _call: Call<'_>) -> Span {
        Span {}
    }

    /// No span.
    #[must_use]
    pub fn append<'a>(&self, _events: usize, _traces: impl Iterator<Item = &'a str>) -> Span {
        Span {}
    }

    /// Nothing is to be sent.
    pub const fn flush(&self) {}
}

#[cfg(not(feature = "otel"))]
impl Span {
    /// Nobody is told.
    pub const fn end_call(&mut self, _code: i32) {}

    /// Nobody is told.
    pub const fn end(self) {}
}

impl fmt::Debug for Tracer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tracer").finish_non_exhaustive()
    }
}

impl fmt::Debug for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Span").finish_non_exhaustive()
    }
}
