//! The names of the headers of AWS's JSON protocol.

/// The operation, after the prefix of the service.
pub(super) const TARGET: &str = "x-amz-target";
/// The ID of the response.
pub(super) const REQUEST_ID: &str = "x-amzn-requestid";
/// The type of an error, with a colon.
pub(super) const ERROR_TYPE: &str = "x-amzn-errortype";
/// The message of an error.
pub(super) const ERROR_MESSAGE: &str = "x-amzn-errormessage";
/// The ID of a call, which is the same in all of its attempts.
pub(super) const INVOCATION_ID: &str = "amz-sdk-invocation-id";
/// The number of an attempt: `attempt=1; max=3`.
pub(super) const ATTEMPT: &str = "amz-sdk-request";
/// The correlation ID in both directions inside of this server.
pub(super) const CORRELATION_ID: &str = "x-request-id";
/// The content type of requests and responses.
pub(super) const CONTENT_TYPE: &str = "application/x-amz-json-1.1";
