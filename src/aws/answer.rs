//! The answers of this door as HTTP responses.

use std::fmt::Display;

use http::{
    HeaderName, HeaderValue, Response, StatusCode,
    header::{CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER},
};
use tonic::body::Body;

use crate::transport::Phase;

use super::{
    error::Exception,
    headers::{self, ERROR_MESSAGE, ERROR_TYPE, REQUEST_ID},
};

/// The longest message that is repeated in a header, in bytes.
const MAX_HEADER_MESSAGE_BYTES: usize = 1024;

/// A body that is complete.
pub(super) fn full(content: String) -> Body {
    Body::new(content)
}

/// Makes the response of a successful call AWS's.
pub(super) fn success(response: &mut Response<Body>, request_id: HeaderValue) {
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(headers::CONTENT_TYPE));
    headers.insert(&REQUEST_ID, request_id);
}

/// The response of a refused call.
pub(super) fn exception(exception: &Exception, request_id: HeaderValue) -> Response<Body> {
    let mut response = json(exception.class.status, headers::CONTENT_TYPE, exception.body());
    response.headers_mut().insert(&REQUEST_ID, request_id);
    insert(&mut response, &ERROR_TYPE, format_args!("{}:", exception.class.error_type));
    let message = &exception.message;
    let is_printable = message.bytes().all(|byte| (0x20..0x7f).contains(&byte));
    if is_printable && message.len() <= MAX_HEADER_MESSAGE_BYTES {
        insert(&mut response, &ERROR_MESSAGE, message);
    }
    if let Some(delay) = exception.retry_delay {
        // Whole seconds are the smallest unit.
        response.headers_mut().insert(RETRY_AFTER, delay.as_secs().max(1).into());
    }
    response
}

/// The response to another path or method, as AWS sends it.
pub(super) fn unknown_request(request_id: HeaderValue) -> Response<Body> {
    let body = r#"{"code":"BadRequest","message":"The server did not understand the operation that was requested.","type":"client"}"#;
    let mut response = json(StatusCode::NOT_FOUND, headers::CONTENT_TYPE, body.to_owned());
    response.headers_mut().insert(&REQUEST_ID, request_id);
    response
}

/// The response to a health check.
pub(super) fn health(phase: Phase) -> Response<Body> {
    let (status, name) = if phase.is_ready() {
        (StatusCode::OK, "ready")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, phase.name())
    };
    json(status, "application/json", format!("{{\"status\":\"{name}\"}}"))
}

fn json(status: StatusCode, content_type: &'static str, body: String) -> Response<Body> {
    let length = HeaderValue::from(body.len());
    let mut response = Response::new(full(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response.headers_mut().insert(CONTENT_LENGTH, length);
    response
}

/// Sets a header, unless the value cannot be one.
fn insert(response: &mut Response<Body>, name: &'static HeaderName, value: impl Display) {
    if let Ok(value) = HeaderValue::try_from(value.to_string()) {
        response.headers_mut().insert(name, value);
    }
}
