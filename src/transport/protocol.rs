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

    /// The response of the service to a call of this method, with an explanation if it lacks one.
    fn explain(&self, method: &str, response: Response<Body>) -> Response<Body>;

    /// The trailers that end a response which cannot be completed.
    fn trailers(&self, error: Error) -> HeaderMap;

    /// The error of a request body that cannot be read completely.
    fn body_error(&self, error: Error) -> BoxError;

    /// The final status, if these headers or trailers carry it.
    fn code(&self, headers: &HeaderMap) -> Option<Code>;

    /// The reason of an error, if these headers or trailers carry one.
    fn reason(&self, headers: &HeaderMap) -> Option<String>;

    /// Reads the target of a call of this method; `None` if its requests name none.
    fn target_reader(&self, method: &str) -> Option<Box<dyn TargetReader>>;
}

/// The target of a call, as its request names it, in a form that can be logged.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Target {
    /// The user pool.
    pub user_pool_id: Option<String>,
    /// The domain prefix.
    pub domain: Option<String>,
}

/// Reads the target of a call from the bytes of its request.
pub trait TargetReader: Send {
    /// Takes the next bytes.
    fn read(&mut self, bytes: &[u8]);

    /// Whether further bytes change nothing: the request is complete or invalid.
    fn is_done(&self) -> bool;

    /// The target of a complete request. A part of a request could name another target than
    /// the whole.
    fn target(&self) -> Option<&Target>;
}
