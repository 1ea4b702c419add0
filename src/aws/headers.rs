//! The names of the headers of AWS's JSON protocol.

use http::HeaderName;

/// The operation, after the prefix of the service.
pub(super) static TARGET: HeaderName = HeaderName::from_static("x-amz-target");
/// The ID of the response.
pub(super) static REQUEST_ID: HeaderName = HeaderName::from_static("x-amzn-requestid");
/// The type of an error, with a colon.
pub(super) static ERROR_TYPE: HeaderName = HeaderName::from_static("x-amzn-errortype");
/// The message of an error.
pub(super) static ERROR_MESSAGE: HeaderName = HeaderName::from_static("x-amzn-errormessage");
/// The ID of a call, which is the same in all of its attempts.
pub(super) static INVOCATION_ID: HeaderName = HeaderName::from_static("amz-sdk-invocation-id");
/// The number of an attempt: `attempt=1; max=3`.
pub(super) static ATTEMPT: HeaderName = HeaderName::from_static("amz-sdk-request");
/// The correlation ID in both directions inside of this server.
pub(super) static CORRELATION_ID: HeaderName = HeaderName::from_static("x-request-id");
/// The content type of requests and responses.
pub(super) const CONTENT_TYPE: &str = "application/x-amz-json-1.1";
