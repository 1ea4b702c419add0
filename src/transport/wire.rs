//! The version of HTTP on a listener.

/// The version of HTTP on a listener. A listener has only one, because the protections of
/// the other version do not fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wire {
    /// HTTP/1.1, for AWS SDKs.
    Http1,
    /// HTTP/2, for gRPC.
    Http2,
}

impl Wire {
    /// The name in the negotiation of TLS.
    pub(super) const fn alpn(self) -> &'static [u8] {
        match self {
            Self::Http1 => b"http/1.1",
            Self::Http2 => b"h2",
        }
    }
}
