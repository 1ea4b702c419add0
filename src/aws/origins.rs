//! The web pages that may call. A page can send requests to a server on its visitor's own
//! machine, so every origin is refused that is not allowed.

use std::str::FromStr;

use http::{
    HeaderMap, HeaderValue, Response, StatusCode,
    header::{
        ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
        ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ORIGIN, VARY,
    },
};
use tonic::body::Body;

/// The headers that AWS SDKs in browsers send.
const REQUEST_HEADERS: &str = "authorization, content-type, cache-control, x-amz-content-sha256, \
                               x-amz-date, x-amz-security-token, x-amz-target, x-amz-user-agent, \
                               amz-sdk-invocation-id, amz-sdk-request";
/// The headers that they read.
const RESPONSE_HEADERS: &str = "x-amzn-RequestId, x-amzn-ErrorType, x-amzn-ErrorMessage, Date";
/// How long a browser may remember a preflight response, in seconds.
const MAX_AGE: &str = "86400";

/// The origin of a web page: `SCHEME://HOST` or `SCHEME://HOST:PORT`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin(String);

/// The text is not an [`Origin`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected http://HOST:PORT or https://HOST, as browsers send it: without a path, not *")]
pub struct InvalidOrigin;

impl FromStr for Origin {
    type Err = InvalidOrigin;

    fn from_str(text: &str) -> Result<Self, InvalidOrigin> {
        let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
        let is_host = |host: &str| {
            let legal = |byte: u8| {
                byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-:[]_".contains(&byte)
            };
            !host.is_empty() && host.bytes().all(legal)
        };
        if host.is_some_and(is_host) { Ok(Self(text.to_owned())) } else { Err(InvalidOrigin) }
    }
}

/// The origin of a request, if a web page sent it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum RequestOrigin {
    NoPage,
    Allowed(HeaderValue),
    Refused,
}

impl RequestOrigin {
    pub(super) fn of(headers: &HeaderMap, allowed: &[Origin]) -> Self {
        let mut origins = headers.get_all(ORIGIN).iter();
        match (origins.next(), origins.next()) {
            (None, _) => Self::NoPage,
            (Some(origin), None)
                if allowed.iter().any(|allowed| allowed.0.as_bytes() == origin.as_bytes()) =>
            {
                Self::Allowed(origin.clone())
            }
            (Some(_), _) => Self::Refused,
        }
    }

    /// Lets the page read the response.
    pub(super) fn allow(&self, response: &mut Response<Body>) {
        if let Self::Allowed(origin) = self {
            let headers = response.headers_mut();
            headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
            let exposed = HeaderValue::from_static(RESPONSE_HEADERS);
            headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, exposed);
            headers.insert(VARY, HeaderValue::from_static("Origin"));
        }
    }
}

/// The response to the preflight request of a browser.
pub(super) fn preflight() -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    let headers = response.headers_mut();
    headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("POST"));
    headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static(REQUEST_HEADERS));
    headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static(MAX_AGE));
    response
}
