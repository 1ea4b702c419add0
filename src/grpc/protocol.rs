//! gRPC's implementation of [`Protocol`].

use std::time::Duration;

use http::{HeaderMap, Request, Response};
use tonic::{Code, Status, body::Body};
use tower::BoxError;

use crate::{service::Error, transport::Protocol};

use super::timeout;

/// gRPC over HTTP/2.
#[derive(Debug, Clone, Copy)]
pub struct Grpc;

impl Protocol for Grpc {
    fn method<'a>(&self, request: &'a Request<Body>) -> &'a str {
        request.uri().path().trim_start_matches('/')
    }

    fn timeout(&self, headers: &HeaderMap) -> Option<Duration> {
        timeout::of(headers)
    }

    fn refusal(&self, error: Error) -> Response<Body> {
        Status::from(error).into_http()
    }

    fn trailers(&self, error: Error) -> HeaderMap {
        let mut trailers = HeaderMap::new();
        // A status of an `Error` always fits into headers.
        let _ = Status::from(error).add_header(&mut trailers);
        trailers
    }

    fn body_error(&self, error: Error) -> BoxError {
        Box::new(Status::from(error))
    }

    fn code(&self, headers: &HeaderMap) -> Option<Code> {
        headers.get("grpc-status").map(|value| Code::from_bytes(value.as_bytes()))
    }
}
