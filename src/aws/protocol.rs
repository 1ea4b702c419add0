//! AWS JSON's implementation of [`Protocol`].

use std::time::Duration;

use http::{HeaderMap, Request, Response};
use tonic::{Code, body::Body};
use tower::BoxError;

use crate::{
    service::Error,
    transport::{FinalStatus, Protocol, TargetReader, code},
};

use super::error::{self, Class};

/// The time limit of a call: shorter than the read timeout of boto3, 60 seconds, so that a
/// retry finds the answer of the first attempt.
const CALL_TIMEOUT: Duration = Duration::from_secs(25);

/// AWS JSON over HTTP/1.1.
#[derive(Debug, Clone, Copy)]
pub struct AwsJson;

/// The error of a refused call, in the extensions of its response. The door renders it,
/// because the text can depend on the operation.
#[derive(Debug, Clone)]
pub(super) struct Refused(pub(super) Error);

impl Protocol for AwsJson {
    fn method<'a>(&self, request: &'a Request<Body>) -> &'a str {
        request.uri().path().trim_start_matches('/')
    }

    fn timeout(&self, _headers: &HeaderMap) -> Option<Duration> {
        Some(CALL_TIMEOUT)
    }

    fn refusal(&self, error: Error) -> Response<Body> {
        let Class { status, error_type } = error::class(&error);
        let reason = error.reason().as_str_name();
        let mut response = Response::new(Body::empty());
        response.extensions_mut().insert(FinalStatus {
            code: code(error.reason()),
            http_status: status.as_u16(),
            reason: Some(reason.strip_prefix("ERROR_REASON_").unwrap_or(reason)),
            error_type: Some(error_type),
        });
        response.extensions_mut().insert(Refused(error));
        response
    }

    fn explain(&self, _method: &str, response: Response<Body>) -> Response<Body> {
        response
    }

    /// Every response is complete when it begins.
    fn trailers(&self, _error: Error) -> HeaderMap {
        HeaderMap::new()
    }

    /// The door has read the body already.
    fn body_error(&self, error: Error) -> BoxError {
        error.into_refusal().message.into()
    }

    fn code(&self, _headers: &HeaderMap) -> Option<Code> {
        None
    }

    fn reason(&self, _headers: &HeaderMap) -> Option<String> {
        None
    }

    /// The door has read the target already.
    fn target_reader(&self, _method: &str) -> Option<Box<dyn TargetReader>> {
        None
    }
}
