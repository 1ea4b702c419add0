//! Renders an error as AWS's exception: the HTTP status, the type and the message.

use std::time::Duration;

use http::StatusCode;
use serde_json::json;

use crate::{
    proto::ErrorReason,
    service::{Error, Refusal},
};

/// The target names no operation of this server.
pub(super) const UNKNOWN_OPERATION: &str = "UnknownOperationException";
/// The body is not the JSON of the request.
pub(super) const SERIALIZATION: &str = "SerializationException";
/// The content type is another one.
pub(super) const UNSUPPORTED_MEDIA_TYPE: &str = "UnsupportedMediaTypeException";
/// The body is too large.
pub(super) const TOO_LARGE: &str = "RequestEntityTooLargeException";
/// The caller may not do this, or the web page may not.
pub(super) const ACCESS_DENIED: &str = "AccessDeniedException";

const CONCURRENT_MODIFICATION: &str = "ConcurrentModificationException";
const INCOMPLETE_SIGNATURE: &str = "IncompleteSignatureException";
const INTERNAL: &str = "InternalErrorException";
const INVALID_PARAMETER: &str = "InvalidParameterException";
const INVALID_SIGNATURE: &str = "InvalidSignatureException";
const LIMIT_EXCEEDED: &str = "LimitExceededException";
const MISSING_TOKEN: &str = "MissingAuthenticationTokenException";
const RESOURCE_NOT_FOUND: &str = "ResourceNotFoundException";
const TAGGING: &str = "UserPoolTaggingException";
const TOO_MANY_REQUESTS: &str = "TooManyRequestsException";
const UNAVAILABLE: &str = "ServiceUnavailableException";
const UNKNOWN_CLIENT: &str = "UnrecognizedClientException";

/// When to try again while the server starts or stops, unless the error says otherwise.
const UNAVAILABLE_RETRY_DELAY: Duration = Duration::from_secs(1);

/// Every result of a request in metrics: `ok`, or the type of the error.
pub const RESULTS: [&str; 18] = [
    OK,
    ACCESS_DENIED,
    CONCURRENT_MODIFICATION,
    INCOMPLETE_SIGNATURE,
    INTERNAL,
    INVALID_PARAMETER,
    INVALID_SIGNATURE,
    LIMIT_EXCEEDED,
    MISSING_TOKEN,
    RESOURCE_NOT_FOUND,
    SERIALIZATION,
    TAGGING,
    TOO_LARGE,
    TOO_MANY_REQUESTS,
    UNAVAILABLE,
    UNKNOWN_CLIENT,
    UNKNOWN_OPERATION,
    UNSUPPORTED_MEDIA_TYPE,
];
/// The result of a request without an error.
pub(super) const OK: &str = "ok";

/// The kind of an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Class {
    pub(super) status: StatusCode,
    pub(super) error_type: &'static str,
}

/// An error in AWS's form.
#[derive(Debug)]
pub(super) struct Exception {
    pub(super) class: Class,
    pub(super) message: String,
    /// The delay before a retry.
    pub(super) retry_delay: Option<Duration>,
}

/// The kind of an error. The exception that AWS raises is the type, if it has one.
pub(super) fn class(error: &Error) -> Class {
    let exception = error.aws_exception();
    let (status, error_type) = match error.reason() {
        ErrorReason::InvalidRequest
        | ErrorReason::BadPageToken
        | ErrorReason::DomainTaken
        | ErrorReason::DomainNotFound
        | ErrorReason::UserPoolHasDomain
        | ErrorReason::UserPoolDeletionProtected
        | ErrorReason::IdempotencyMismatch => (StatusCode::BAD_REQUEST, INVALID_PARAMETER),
        ErrorReason::UserPoolNotFound | ErrorReason::UserPoolDeleted => {
            (StatusCode::BAD_REQUEST, RESOURCE_NOT_FOUND)
        }
        ErrorReason::RevisionMismatch => (StatusCode::BAD_REQUEST, CONCURRENT_MODIFICATION),
        ErrorReason::LimitExceeded => (StatusCode::BAD_REQUEST, LIMIT_EXCEEDED),
        ErrorReason::CredentialsMissing => (StatusCode::BAD_REQUEST, MISSING_TOKEN),
        ErrorReason::PermissionDenied => (StatusCode::BAD_REQUEST, ACCESS_DENIED),
        ErrorReason::TokenRefused => (StatusCode::BAD_REQUEST, INCOMPLETE_SIGNATURE),
        // AWS documents 400, with which version 1 of the AWS CLI gives up.
        ErrorReason::Overloaded => (StatusCode::TOO_MANY_REQUESTS, TOO_MANY_REQUESTS),
        ErrorReason::Starting
        | ErrorReason::ShuttingDown
        | ErrorReason::ClockWrong
        | ErrorReason::LogUnreachable
        | ErrorReason::Behind
        | ErrorReason::LogForked => (StatusCode::SERVICE_UNAVAILABLE, UNAVAILABLE),
        ErrorReason::LogUnavailable
        | ErrorReason::DeadlineExceeded
        | ErrorReason::HistoryDamaged
        | ErrorReason::BeyondEnd
        | ErrorReason::BeforeCreation
        | ErrorReason::WrongLog
        | ErrorReason::MaxConnectionAge
        | ErrorReason::Unsupported
        | ErrorReason::Internal
        | ErrorReason::Unspecified => (StatusCode::INTERNAL_SERVER_ERROR, INTERNAL),
    };
    let error_type = exception.unwrap_or(error_type);
    let status = match error_type {
        UNSUPPORTED_MEDIA_TYPE => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        TOO_LARGE => StatusCode::PAYLOAD_TOO_LARGE,
        _ => status,
    };
    Class { status, error_type }
}

impl Exception {
    /// Renders the error of a call of this operation.
    pub(super) fn of(error: Error, operation: &str) -> Self {
        let class = class(&error);
        let Refusal { reason, message, metadata, retry_delay, .. } = error.into_refusal();
        let find = |key: &str| {
            let found = metadata.iter().find(|(name, _)| *name == key);
            found.map(|(_, value)| value.as_str()).unwrap_or_default()
        };
        let text = match reason {
            ErrorReason::PermissionDenied => {
                let kind = find("actor_kind").to_lowercase().replace('_', "-");
                let kind = if kind == "local-process" { "local" } else { &kind };
                let (subject, role) = (find("actor_subject"), find("role"));
                Some(format!(
                    "User: {kind}:{subject} is not authorized to perform: cognito-idp:{operation}; \
                     that requires role {role}, which the server's operator grants with the \
                     settings readers and writers"
                ))
            }
            ErrorReason::CredentialsMissing => {
                // A signature that is missing has a text of its own.
                let role = Some(find("role")).filter(|role| !role.is_empty());
                role.map(|role| {
                    format!(
                        "Missing Authentication Token: cognito-idp:{operation} requires role \
                         {role}; anonymous callers have no role: call with a client certificate, \
                         or with an access key that the server knows (setting aws-credentials)"
                    )
                })
            }
            ErrorReason::Internal => Some(message.replace("x-request-id", "x-amzn-RequestId")),
            ErrorReason::LogUnavailable
            | ErrorReason::DeadlineExceeded
            | ErrorReason::LogForked => {
                Some(message.replace("with the same request_id", "as AWS SDKs do by themselves"))
            }
            ErrorReason::InvalidRequest
            | ErrorReason::UserPoolNotFound
            | ErrorReason::UserPoolDeleted
            | ErrorReason::DomainNotFound
            | ErrorReason::DomainTaken
            | ErrorReason::UserPoolHasDomain
            | ErrorReason::UserPoolDeletionProtected
            | ErrorReason::RevisionMismatch
            | ErrorReason::IdempotencyMismatch
            | ErrorReason::BeyondEnd
            | ErrorReason::BeforeCreation
            | ErrorReason::WrongLog
            | ErrorReason::MaxConnectionAge
            | ErrorReason::Unsupported
            | ErrorReason::BadPageToken
            | ErrorReason::LimitExceeded
            | ErrorReason::Overloaded
            | ErrorReason::ShuttingDown
            | ErrorReason::Starting
            | ErrorReason::ClockWrong
            | ErrorReason::LogUnreachable
            | ErrorReason::Behind
            | ErrorReason::HistoryDamaged
            | ErrorReason::TokenRefused
            | ErrorReason::Unspecified => None,
        };
        let message = text.unwrap_or(message);
        let is_unavailable = class.status == StatusCode::SERVICE_UNAVAILABLE;
        let retry_delay = retry_delay.or(is_unavailable.then_some(UNAVAILABLE_RETRY_DELAY));
        Self { class, message, retry_delay }
    }

    /// The body of the answer.
    pub(super) fn body(&self) -> String {
        let Class { error_type, .. } = self.class;
        // Not `json!`, whose order would depend on a feature of serde_json.
        format!("{{\"__type\":\"{error_type}\",\"message\":{}}}", json!(self.message))
    }
}

#[cfg(test)]
mod tests {
    use http::StatusCode;

    use super::{Exception, RESULTS, class};
    use crate::{proto::ErrorReason, service::Error};

    fn reasons() -> impl Iterator<Item = ErrorReason> {
        (0..100).filter_map(|number| ErrorReason::try_from(number).ok())
    }

    // Here, because most of these cannot be caused from outside.
    #[test]
    fn every_reason_has_a_type_that_is_counted() {
        for reason in reasons() {
            let found = class(&Error::new(reason, "text"));
            assert!(RESULTS.contains(&found.error_type), "{reason:?}");
            let is_error = found.status.is_client_error() || found.status.is_server_error();
            assert!(is_error, "{reason:?}");
        }
        assert!(reasons().count() > 20);
    }

    #[test]
    fn an_unavailable_server_says_when_to_try_again() {
        for error in [Error::starting(), Error::shutting_down()] {
            let exception = Exception::of(error, "CreateUserPool");
            assert_eq!(exception.class.status, StatusCode::SERVICE_UNAVAILABLE);
            assert!(exception.retry_delay.is_some());
        }
        let overloaded = Exception::of(Error::overloaded("text"), "CreateUserPool");
        assert_eq!(overloaded.class.status, StatusCode::TOO_MANY_REQUESTS);
        let internal = Exception::of(Error::internal(), "CreateUserPool");
        assert!(internal.message.contains("x-amzn-RequestId"), "{}", internal.message);
    }
}
