//! The protocol of a call, as the call layer uses it.

use std::{fmt, time::Duration};

use http::{HeaderMap, Request, Response};
use tonic::{Code, body::Body};
use tower::BoxError;

use crate::service::Error;

/// The protocol of a call. Each protocol adapter implements it once.
pub trait Protocol: fmt::Debug + Send + Sync {
    /// The method that a request calls, as `SERVICE/METHOD`.
    fn method<'a>(&self, request: &'a Request<Body>) -> &'a str;

    /// How long the client waits for the response; `None` if it sets no timeout.
    fn timeout(&self, headers: &HeaderMap) -> Option<Duration>;

    /// The response that refuses a call.
    fn refusal(&self, error: Error) -> Response<Body>;

    /// The trailers that end a response which cannot be completed.
    fn trailers(&self, error: Error) -> HeaderMap;

    /// The error of a request body that cannot be read completely.
    fn body_error(&self, error: Error) -> BoxError;

    /// The final status, if these headers or trailers carry it.
    fn code(&self, headers: &HeaderMap) -> Option<Code>;
}
