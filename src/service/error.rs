//! The error of every operation and of every step before it. Each protocol adapter
//! renders it in one file. It never contains a text of the log engine.

mod log;

use std::time::Duration;

use prost_types::Timestamp;

use crate::{
    app::ExecuteError,
    auth::{BadToken, Identity, MissingRole, Role},
    proto::{self, ActorKind, ErrorReason},
    user_pool::{InvalidRequest, Rejection, UserPoolId},
};

/// How many characters of a caller's subject a refusal repeats.
const MAX_SUBJECT_CHARS: usize = 256;
/// When to try again after a refusal for overload.
const OVERLOAD_RETRY_DELAY: Duration = Duration::from_millis(100);
/// When to try again if the server cannot reach the log, or is behind it.
const LOG_RETRY_DELAY: Duration = Duration::from_secs(1);
/// When to try again while the server starts.
const STARTING_RETRY_DELAY: Duration = Duration::from_secs(1);

const RESOURCE_NOT_FOUND: &str = "ResourceNotFoundException";
const INVALID_PARAMETER: &str = "InvalidParameterException";
const CONCURRENT_MODIFICATION: &str = "ConcurrentModificationException";
const LIMIT_EXCEEDED: &str = "LimitExceededException";

/// Why a request was refused, independent of the protocol.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error(Box<Refusal>);

/// The content of an [`Error`], which a protocol adapter renders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// The reason, for programs.
    pub(crate) reason: ErrorReason,
    /// The reason and the remedy, for people; Cognito's own text if it has one.
    pub(crate) message: String,
    /// The exception that Cognito raises in this case, if any.
    pub(crate) aws_exception: Option<&'static str>,
    /// The violated field rules of an [`ErrorReason::InvalidRequest`].
    pub(crate) invalid: Option<InvalidRequest>,
    /// The metadata that the proto documents for the reason.
    pub(crate) metadata: Vec<(&'static str, String)>,
    /// The delay before a retry; absent if a retry cannot help.
    pub(crate) retry_delay: Option<Duration>,
}

impl Error {
    /// A refusal for `reason`.
    pub(crate) fn new(reason: ErrorReason, message: impl Into<String>) -> Self {
        Self(Box::new(Refusal {
            reason,
            message: message.into(),
            aws_exception: None,
            invalid: None,
            metadata: Vec::new(),
            retry_delay: None,
        }))
    }

    /// A refusal for `reason`, for which AWS raises this exception.
    pub(crate) fn raised(
        reason: ErrorReason,
        exception: &'static str,
        message: impl Into<String>,
    ) -> Self {
        Self::new(reason, message).raises(exception)
    }

    /// A limit on calls or bytes is reached; nothing was recorded.
    pub(crate) fn overloaded(message: &str) -> Self {
        Self::new(ErrorReason::Overloaded, message).retry_after(OVERLOAD_RETRY_DELAY)
    }

    /// The application is not loaded yet.
    pub(crate) fn starting() -> Self {
        let message = "the server is starting; nothing was recorded, try again later";
        Self::new(ErrorReason::Starting, message).retry_after(STARTING_RETRY_DELAY)
    }

    /// The server is stopping.
    pub(crate) fn shutting_down() -> Self {
        let message =
            "the server is shutting down; nothing was recorded, try another server or try later";
        Self::new(ErrorReason::ShuttingDown, message)
    }

    /// The read model cannot be used, so the server stops.
    fn read_model_failed() -> Self {
        let message = "the server cannot use its read model and stops; nothing was recorded, try \
                       again after its next start";
        Self::new(ErrorReason::ShuttingDown, message)
    }

    /// The server is stopping, which ends the watch.
    pub(super) fn watch_ended() -> Self {
        let message =
            "the server is shutting down; resume the watch after the last position received";
        Self::new(ErrorReason::ShuttingDown, message)
    }

    /// The connection has reached its maximum age, which ends its streams.
    pub(crate) fn max_connection_age() -> Self {
        let message = "the connection has reached its maximum age; connect again, and resume a \
                       watch after the last position received";
        Self::new(ErrorReason::MaxConnectionAge, message)
    }

    /// The client's own deadline has passed.
    pub(crate) fn deadline_exceeded() -> Self {
        let message = "the deadline of the call has passed; a change may or may not have been \
                       recorded, retry with the same request_id";
        Self::new(ErrorReason::DeadlineExceeded, message)
    }

    /// The request did not arrive completely before its timeout.
    pub(crate) fn request_timeout() -> Self {
        let message = "the request did not arrive in time; nothing was recorded";
        Self::new(ErrorReason::DeadlineExceeded, message)
    }

    /// The request is larger than the limit.
    pub(crate) fn request_too_large(limit: usize) -> Self {
        let message = format!("the request is larger than {limit} bytes");
        Self::new(ErrorReason::LimitExceeded, message).with("limit", limit.to_string())
    }

    /// A fault of this program.
    pub(crate) fn internal() -> Self {
        let message = "internal error; the cause is in the server's log, under the x-request-id of this response";
        Self::new(ErrorReason::Internal, message)
    }

    /// A page token that this service did not make for this list.
    pub(super) fn bad_page_token() -> Self {
        let message =
            "the page token does not belong to this list of this log; start again without one";
        Self::new(ErrorReason::BadPageToken, message).raises(INVALID_PARAMETER)
    }

    /// The user pool never existed.
    pub(super) fn not_found(user_pool_id: &UserPoolId) -> Self {
        Self::from(Rejection::NotFound { user_pool_id: user_pool_id.clone() })
    }

    /// The user pool was deleted at `time`, at its last revision.
    pub(super) fn deleted(user_pool_id: UserPoolId, revision: i64, time: Timestamp) -> Self {
        Self::from(Rejection::Deleted { user_pool_id, revision })
            .with("deletion_time", proto::format_time(time))
    }

    /// The reason, for programs.
    pub(crate) const fn reason(&self) -> ErrorReason {
        self.0.reason
    }

    /// The exception that AWS raises in this case, if any.
    pub(crate) const fn aws_exception(&self) -> Option<&'static str> {
        self.0.aws_exception
    }

    /// Whether a limit on calls or bytes is reached.
    pub(crate) const fn is_overload(&self) -> bool {
        matches!(self.0.reason, ErrorReason::Overloaded)
    }

    /// Returns the content, to be rendered.
    pub(crate) fn into_refusal(self) -> Refusal {
        *self.0
    }

    fn with(mut self, key: &'static str, value: impl Into<String>) -> Self {
        self.0.metadata.push((key, value.into()));
        self
    }

    fn with_pool(self, user_pool_id: &UserPoolId) -> Self {
        self.with("user_pool_id", user_pool_id.to_string())
    }

    fn raises(mut self, exception: &'static str) -> Self {
        self.0.aws_exception = Some(exception);
        self
    }

    fn retry_after(mut self, delay: Duration) -> Self {
        self.0.retry_delay = Some(delay);
        self
    }
}

impl From<InvalidRequest> for Error {
    fn from(invalid: InvalidRequest) -> Self {
        let exception = invalid.aws_error().name();
        let mut error =
            Self::new(ErrorReason::InvalidRequest, invalid.to_string()).raises(exception);
        error.0.invalid = Some(invalid);
        error
    }
}

impl From<Rejection> for Error {
    fn from(rejection: Rejection) -> Self {
        let text = rejection.to_string();
        match rejection {
            Rejection::NotFound { user_pool_id } => Self::new(ErrorReason::UserPoolNotFound, text)
                .with_pool(&user_pool_id)
                .raises(RESOURCE_NOT_FOUND),
            Rejection::Deleted { user_pool_id, revision } => {
                Self::new(ErrorReason::UserPoolDeleted, text)
                    .with_pool(&user_pool_id)
                    .with("revision", revision.to_string())
                    .raises(RESOURCE_NOT_FOUND)
            }
            Rejection::IdInUse { .. } => Self::internal(),
            Rejection::RevisionMismatch { user_pool_id, expected, current } => {
                Self::new(ErrorReason::RevisionMismatch, text)
                    .with_pool(&user_pool_id)
                    .with("expected_revision", expected.to_string())
                    .with("current_revision", current.to_string())
                    .raises(CONCURRENT_MODIFICATION)
            }
            Rejection::DomainConfigured { user_pool_id, domain }
            | Rejection::HasDomain { user_pool_id, domain } => {
                Self::new(ErrorReason::UserPoolHasDomain, text)
                    .with_pool(&user_pool_id)
                    .with("domain", domain)
                    .raises(INVALID_PARAMETER)
            }
            Rejection::DomainTaken { domain } => Self::new(ErrorReason::DomainTaken, text)
                .with("domain", domain.to_string())
                .raises(INVALID_PARAMETER),
            Rejection::RestoredDomainTaken { domain, .. } => {
                Self::new(ErrorReason::DomainTaken, text).with("domain", domain)
            }
            Rejection::DomainNotFound { user_pool_id, domain } => {
                Self::new(ErrorReason::DomainNotFound, text)
                    .with_pool(&user_pool_id)
                    .with("domain", domain.to_string())
                    .raises(INVALID_PARAMETER)
            }
            Rejection::DeletionProtected { user_pool_id } => {
                Self::new(ErrorReason::UserPoolDeletionProtected, text)
                    .with_pool(&user_pool_id)
                    .raises(INVALID_PARAMETER)
            }
            Rejection::TooManyUserPools { limit } => Self::new(ErrorReason::LimitExceeded, text)
                .with("limit", limit.to_string())
                .raises(LIMIT_EXCEEDED),
            Rejection::Invalid(invalid) => invalid.into(),
        }
    }
}

impl From<ExecuteError> for Error {
    fn from(error: ExecuteError) -> Self {
        let text = error.to_string();
        match error {
            ExecuteError::Rejected(rejection) => rejection.into(),
            ExecuteError::RequestIdReused { request_id } => {
                Self::new(ErrorReason::IdempotencyMismatch, text)
                    .with("request_id", request_id.to_string())
            }
            ExecuteError::Overloaded => {
                Self::overloaded("too many commands are waiting; nothing was recorded, try again")
            }
            ExecuteError::ShuttingDown => Self::shutting_down(),
            ExecuteError::LogUnavailable => {
                let message = "the log is unavailable; the command may or may not have been \
                               recorded, retry with the same request_id";
                Self::new(ErrorReason::LogUnavailable, message)
            }
            ExecuteError::LogUnreachable => {
                let message = "this server cannot reach the log; nothing was recorded, try again, \
                               or call another server";
                Self::new(ErrorReason::LogUnreachable, message).retry_after(LOG_RETRY_DELAY)
            }
            ExecuteError::Forked(fork) => Self::log_forked(fork),
            ExecuteError::Clock(_) => {
                Self::new(ErrorReason::ClockWrong, format!("{text}; nothing was recorded"))
            }
            ExecuteError::Fault => Self::internal(),
            ExecuteError::Unreadable(error) => error.into(),
        }
    }
}

impl From<BadToken> for Error {
    fn from(bad_token: BadToken) -> Self {
        Self::new(ErrorReason::TokenRefused, bad_token.to_string())
    }
}

impl From<MissingRole> for Error {
    fn from(missing: MissingRole) -> Self {
        let MissingRole { method, role, caller } = missing;
        let Identity { kind, subject } = caller;
        let subject: String = subject.chars().take(MAX_SUBJECT_CHARS).collect();
        let caller = Identity { kind, subject };
        let setting = match role {
            Role::Reader => "readers or writers",
            Role::Writer => "writers",
        };
        let role = role.name();
        let (reason, message) = if caller.is_anonymous() {
            let message = format!(
                "{method} requires role {role}; anonymous callers have no role: call with a \
                 client certificate or a bearer token"
            );
            (ErrorReason::CredentialsMissing, message)
        } else {
            let message = format!(
                "{method} requires role {role}, which {caller} does not have; the server's \
                 operator grants it with the setting {setting}"
            );
            (ErrorReason::PermissionDenied, message)
        };
        Self::new(reason, message)
            .with("role", role)
            .with("actor_kind", actor_kind(kind))
            .with("actor_subject", caller.subject)
    }
}

/// The name of the enum value without its prefix.
fn actor_kind(kind: ActorKind) -> &'static str {
    let name = kind.as_str_name();
    name.strip_prefix("ACTOR_KIND_").unwrap_or(name)
}
