//! The content of the span of a call.

use std::net::SocketAddr;

/// The content of the span of a call.
#[derive(Debug, Clone, Copy)]
pub struct Call<'a> {
    /// The path, without the slash at the beginning.
    pub path: &'a str,
    /// The caller's span, in the form of W3C's `traceparent`.
    pub traceparent: Option<&'a str>,
    /// The correlation ID.
    pub correlation_id: &'a str,
    /// The address of the caller, if the call came over the network.
    pub peer: Option<SocketAddr>,
    /// The protocol, if it is not gRPC.
    pub door: Option<&'a str>,
    /// The user agent of the client.
    pub user_agent: Option<&'a str>,
    /// The ID of the access key in the signature: a claim unless the actor is that key.
    pub access_key_id: Option<&'a str>,
}
