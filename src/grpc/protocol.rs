//! gRPC's implementation of [`Protocol`].

use std::time::Duration;

use http::{HeaderMap, Request, Response};
use tonic::{Code, Status, body::Body};
use tower::BoxError;

use tonic_types::StatusExt as _;

use crate::{
    service::Error,
    transport::{Protocol, TargetReader},
};

use super::{target, unreadable};

/// The header with the timeout that a client sets for its call.
const TIMEOUT: &str = "grpc-timeout";
/// How many digits a timeout may have.
const MAX_TIMEOUT_DIGITS: usize = 8;

/// gRPC over HTTP/2.
#[derive(Debug, Clone, Copy)]
pub struct Grpc;

impl Protocol for Grpc {
    fn method<'a>(&self, request: &'a Request<Body>) -> &'a str {
        request.uri().path().trim_start_matches('/')
    }

    fn timeout(&self, headers: &HeaderMap) -> Option<Duration> {
        parse_timeout(headers.get(TIMEOUT)?.to_str().ok()?)
    }

    fn refusal(&self, error: Error) -> Response<Body> {
        Status::from(error).into_http()
    }

    fn explain(&self, method: &str, response: Response<Body>) -> Response<Body> {
        unreadable::explain(method, response)
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

    fn reason(&self, headers: &HeaderMap) -> Option<String> {
        Some(Status::from_header_map(headers)?.get_details_error_info()?.reason)
    }

    fn target_reader(&self, method: &str) -> Option<Box<dyn TargetReader>> {
        target::reader(method)
    }
}

/// Reads a timeout; `None` if it is invalid.
fn parse_timeout(text: &str) -> Option<Duration> {
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if number.len() > MAX_TIMEOUT_DIGITS || !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let number: u64 = number.parse().ok()?;
    match unit {
        "H" => Some(Duration::from_hours(number)),
        "M" => Some(Duration::from_mins(number)),
        "S" => Some(Duration::from_secs(number)),
        "m" => Some(Duration::from_millis(number)),
        "u" => Some(Duration::from_micros(number)),
        "n" => Some(Duration::from_nanos(number)),
        _ => None,
    }
}
