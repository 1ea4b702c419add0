//! Why spans cannot be sent.

/// Why spans cannot be sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SpansError {
    /// The text is not the address of a collector.
    #[error("expected http://HOST:PORT of a collector that accepts OTLP over gRPC")]
    Address,
    /// This build has no exporter.
    #[error("this build cannot send spans; build it with --features otel")]
    NotBuilt,
    /// The exporter cannot be set up.
    #[error("cannot set up the exporter of spans: {0}")]
    Exporter(String),
}
