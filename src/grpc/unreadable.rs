//! Explains what tonic refuses without details: requests that it cannot read.

use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, header::CONTENT_TYPE};
use tonic::{Code, Status, body::Body};

use crate::{proto::ErrorReason, service::Error};

/// The header with the details that every error of this server has.
const DETAILS: &str = "grpc-status-details-bin";

/// Replaces a status without details by one with them.
pub(super) fn explain(method: &str, response: Response<Body>) -> Response<Body> {
    match explanation(method, response.headers()) {
        Some(error) => Status::from(error).into_http(),
        None => response,
    }
}

fn explanation(method: &str, headers: &HeaderMap) -> Option<Error> {
    if headers.contains_key(DETAILS) {
        return None;
    }
    let status = Status::from_header_map(headers)?;
    let text = status.message();
    let (reason, message) = if status.code() == Code::Internal {
        let message = format!("the request is not the message of {method}: {text}");
        (ErrorReason::InvalidRequest, message)
    } else if status.code() != Code::Unimplemented {
        return None;
    } else if text.is_empty() {
        let message = format!("this server has no method {method}; reflection lists those it has");
        (ErrorReason::Unsupported, message)
    } else {
        (ErrorReason::Unsupported, text.to_owned())
    };
    Some(Error::new(reason, message))
}

/// Refuses a request that is not gRPC, as its specification requires.
pub(super) fn refuse_content_type(request: &Request<Body>) -> Option<Response<Body>> {
    let content_type = request.headers().get(CONTENT_TYPE);
    if content_type.is_some_and(|kind| kind.as_bytes().starts_with(b"application/grpc")) {
        return None;
    }
    let sentence = "this address speaks gRPC: content-type must be application/grpc";
    let refusal =
        Status::from(Error::new(ErrorReason::InvalidRequest, sentence)).into_http::<Body>();
    let mut refusal = refusal.map(|_| Body::new(axum::body::Body::from(format!("{sentence}\n"))));
    *refusal.status_mut() = StatusCode::UNSUPPORTED_MEDIA_TYPE;
    refusal.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    Some(refusal)
}
