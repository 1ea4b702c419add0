//! Every error as a status: the code, Cognito's text where there is one, and
//! details for programs. Clients see nothing of what an engine says.

use std::{collections::HashMap, time::Duration};

use tonic::{Code, Status};
use tonic_types::{ErrorDetails, FieldViolation, StatusExt as _};

use crate::auth::{BadToken, Identity, Refused, Role};
use crate::{
    app::{ExecuteError, HistoryError, LoadError, ReadModelError},
    audit::DecodeError,
    event_log::ReadError,
    proto::{ActorKind, ErrorReason},
    telemetry::error_chain,
    user_pool::{Invalid, Rejection, UserPoolId},
};

use super::admission::TooMany;

/// `ErrorInfo.domain`.
const DOMAIN: &str = "userpool.v1";
/// How many bytes of details are sent: clients give up on headers of 8 KiB, and
/// base64 and the message come on top.
const DETAIL_BYTES: usize = 4 * 1024;
/// What of that `ErrorInfo` and the names of the types take, at most.
const INFO_BYTES: usize = 512;
/// How much of a caller's subject a refusal tells, in characters.
const SUBJECT: usize = 256;
/// When to try again after a full queue.
const RETRY: Duration = Duration::from_millis(100);
/// When to try again while the server starts.
const RETRY_START: Duration = Duration::from_secs(1);

type Metadata<'a> = &'a [(&'a str, String)];

/// A user pool that is asked for and not there.
pub(super) fn not_found(user_pool_id: &UserPoolId, deleted_at: Option<i64>) -> Status {
    let user_pool_id = user_pool_id.clone();
    rejected(&match deleted_at {
        Some(revision) => Rejection::Deleted { user_pool_id, revision },
        None => Rejection::NotFound { user_pool_id },
    })
}

/// A page token that this service did not make for this list.
pub(super) fn bad_page_token() -> Status {
    let text = "the page token is not one of this list; start again without one";
    let aws = [("aws_error", "InvalidParameterException".to_owned())];
    status(Code::InvalidArgument, ErrorReason::BadPageToken, text, &aws)
}

/// The server stops, and with it a watch.
pub(super) fn watch_ends() -> Status {
    let text = "the server is shutting down; watch on after the last position that was dealt with";
    status(Code::Unavailable, ErrorReason::ShuttingDown, text, &[])
}

/// The server stops.
pub(super) fn shutting_down() -> Status {
    let text = "the server is shutting down; nothing was recorded, try again elsewhere or later";
    status(Code::Unavailable, ErrorReason::ShuttingDown, text, &[])
}

/// The server is not there yet.
pub(super) fn starting() -> Status {
    let text = "the server is starting; nothing was recorded, try again later";
    let mut details = info(ErrorReason::Starting, &[]);
    details.set_retry_info(Some(RETRY_START));
    Status::with_error_details(Code::Unavailable, text, details)
}

/// More than the server takes on at a time.
pub(super) fn too_many(what: TooMany) -> Status {
    overloaded(match what {
        TooMany::Tools => "too many calls of reflection and health are open; try again",
        TooMany::Writes => "too many changes are on their way; nothing was recorded, try again",
        TooMany::Watches => "too many watches are open; try again",
        TooMany::WatchesOfConnection => {
            "too many watches are open on this connection; use another one"
        }
        TooMany::Reads => "too many reads are running; try again",
        TooMany::RequestBytes => {
            "too many large requests are on their way; nothing was recorded, try again"
        }
    })
}

/// A token that is not believed.
pub(super) fn bad_token(bad: BadToken) -> Status {
    status(Code::Unauthenticated, ErrorReason::TokenRefused, &bad.to_string(), &[])
}

/// A caller without the role that the call needs.
pub(super) fn not_granted(refused: &Refused) -> Status {
    let Refused { method, role, caller } = refused;
    let Identity { kind, subject } = caller;
    let subject = subject.chars().take(SUBJECT).collect();
    let caller = Identity { kind: *kind, subject };
    let setting = match role {
        Role::Reader => "readers or writers",
        Role::Writer => "writers",
    };
    let role = role.name();
    let kind = caller.kind.as_str_name();
    let metadata = [
        ("role", role.to_owned()),
        ("actor_kind", kind.strip_prefix("ACTOR_KIND_").unwrap_or(kind).to_owned()),
        ("actor_subject", caller.subject.clone()),
    ];
    match caller.kind {
        ActorKind::Anonymous | ActorKind::Unspecified => {
            let text = format!(
                "{method} needs the role {role}, which nobody anonymous has here; call with a \
                 client certificate or a bearer token"
            );
            let reason = ErrorReason::CredentialsMissing;
            status(Code::Unauthenticated, reason, &text, &metadata)
        }
        ActorKind::Certificate | ActorKind::Token | ActorKind::LocalProcess | ActorKind::System => {
            let text = format!(
                "{method} needs the role {role}, which {caller} does not have; whoever runs the \
                 server grants it with the setting {setting}"
            );
            status(Code::PermissionDenied, ErrorReason::PermissionDenied, &text, &metadata)
        }
    }
}

fn overloaded(text: &str) -> Status {
    let mut details = info(ErrorReason::Overloaded, &[]);
    details.set_retry_info(Some(RETRY));
    Status::with_error_details(Code::ResourceExhausted, text, details)
}

/// The client's own deadline has passed.
pub(super) fn deadline_exceeded() -> Status {
    let text = "the deadline of the call has passed; a change may or may not have been recorded, \
                retry with the same request_id";
    status(Code::DeadlineExceeded, ErrorReason::DeadlineExceeded, text, &[])
}

/// A request whose end does not come.
pub(super) fn request_too_late() -> Status {
    let text = "the request did not arrive in time; nothing was recorded";
    status(Code::DeadlineExceeded, ErrorReason::DeadlineExceeded, text, &[])
}

/// A fault of this program.
pub(super) fn internal() -> Status {
    let text = "internal error; the server's log has it under the x-request-id of this response";
    status(Code::Internal, ErrorReason::Internal, text, &[])
}

/// A request over the limit.
pub(super) fn request_too_large() -> Status {
    let limit = super::REQUEST_BYTES;
    let text = format!("the request is larger than {limit} bytes");
    let metadata = [("limit", limit.to_string())];
    status(Code::ResourceExhausted, ErrorReason::LimitExceeded, &text, &metadata)
}

impl From<Invalid> for Status {
    fn from(invalid: Invalid) -> Self {
        refused(&invalid)
    }
}

impl From<ExecuteError> for Status {
    fn from(error: ExecuteError) -> Self {
        let text = error.to_string();
        match error {
            ExecuteError::Rejected(rejection) => rejected(&rejection),
            ExecuteError::RequestIdReused { request_id } => {
                let metadata = [("request_id", request_id.to_string())];
                status(Code::AlreadyExists, ErrorReason::IdempotencyMismatch, &text, &metadata)
            }
            ExecuteError::Overloaded => {
                overloaded("too many commands are waiting; nothing was recorded, try again")
            }
            ExecuteError::ShuttingDown => shutting_down(),
            ExecuteError::LogUnavailable => {
                let text = "the log is unavailable; the command may or may not have been \
                            recorded, retry with the same request_id";
                status(Code::Unavailable, ErrorReason::LogUnavailable, text, &[])
            }
            ExecuteError::Fault => internal(),
            ExecuteError::Unreadable(error) => unreadable(&error),
        }
    }
}

impl From<ReadModelError> for Status {
    fn from(error: ReadModelError) -> Self {
        unreadable(&LoadError::ReadModel(error))
    }
}

impl From<HistoryError> for Status {
    fn from(error: HistoryError) -> Self {
        let text = error.to_string();
        match error {
            HistoryError::NotFound { user_pool_id } => not_found(&user_pool_id, None),
            HistoryError::BeyondEnd { what: _, requested, current } => {
                let metadata = [("requested", requested), ("current", current)];
                status(Code::OutOfRange, ErrorReason::BeyondEnd, &text, &metadata)
            }
            HistoryError::BeforeCreation { user_pool_id, what: _, requested, created } => {
                let id = ("user_pool_id", user_pool_id.to_string());
                let metadata = [id, ("requested", requested), ("created", created)];
                status(Code::OutOfRange, ErrorReason::BeforeCreation, &text, &metadata)
            }
            HistoryError::Unreadable(error) => unreadable(&error),
        }
    }
}

fn rejected(rejection: &Rejection) -> Status {
    let text = rejection.to_string();
    let id = |id: &UserPoolId| ("user_pool_id", id.to_string());
    let aws = |name: &str| ("aws_error", name.to_owned());
    let (not_found, parameter) = ("ResourceNotFoundException", "InvalidParameterException");
    match rejection {
        Rejection::NotFound { user_pool_id } => {
            let metadata = [id(user_pool_id), aws(not_found)];
            status(Code::NotFound, ErrorReason::UserPoolNotFound, &text, &metadata)
        }
        Rejection::Deleted { user_pool_id, revision } => {
            let revision = ("revision", revision.to_string());
            let metadata = [id(user_pool_id), revision, aws(not_found)];
            status(Code::NotFound, ErrorReason::UserPoolDeleted, &text, &metadata)
        }
        Rejection::IdInUse { .. } => internal(),
        Rejection::RevisionMismatch { user_pool_id, expected, current } => {
            let metadata = [
                id(user_pool_id),
                ("expected_revision", expected.to_string()),
                ("current_revision", current.to_string()),
                aws("ConcurrentModificationException"),
            ];
            status(Code::Aborted, ErrorReason::RevisionMismatch, &text, &metadata)
        }
        Rejection::DomainConfigured { user_pool_id, domain }
        | Rejection::HasDomain { user_pool_id, domain } => {
            let metadata = [id(user_pool_id), ("domain", domain.clone()), aws(parameter)];
            status(Code::FailedPrecondition, ErrorReason::UserPoolHasDomain, &text, &metadata)
        }
        Rejection::DomainTaken { domain } => {
            let metadata = [("domain", domain.to_string()), aws(parameter)];
            status(Code::AlreadyExists, ErrorReason::DomainTaken, &text, &metadata)
        }
        Rejection::DomainNotFound { user_pool_id, domain } => {
            let metadata = [id(user_pool_id), ("domain", domain.to_string()), aws(parameter)];
            status(Code::NotFound, ErrorReason::DomainNotFound, &text, &metadata)
        }
        Rejection::TooManyUserPools { limit } => {
            let metadata = [("limit", limit.to_string()), aws("LimitExceededException")];
            status(Code::ResourceExhausted, ErrorReason::LimitExceeded, &text, &metadata)
        }
        Rejection::Invalid(invalid) => refused(invalid),
    }
}

fn refused(invalid: &Invalid) -> Status {
    let text = invalid.to_string();
    let mut listed = Vec::new();
    // The message is in the details once more.
    let mut room = DETAIL_BYTES.saturating_sub(INFO_BYTES + text.len());
    for violation in invalid.violations() {
        let reason = violation.reason.name();
        // With what protobuf puts around them.
        let size = violation.field.len() + violation.description.len() + reason.len() + 16;
        match room.checked_sub(size) {
            Some(left) => room = left,
            None => break,
        }
        let detail = FieldViolation::new(&violation.field, &violation.description);
        listed.push(FieldViolation { reason: reason.to_owned(), ..detail });
    }
    let metadata = [
        ("aws_error", invalid.aws_error().name().to_owned()),
        ("violations", invalid.found().to_string()),
        ("violations_listed", listed.len().to_string()),
    ];
    let mut details = info(ErrorReason::InvalidRequest, &metadata);
    details.set_bad_request(listed);
    Status::with_error_details(Code::InvalidArgument, text, details)
}

fn unreadable(error: &LoadError) -> Status {
    let cause = error_chain(error);
    tracing::error!(error = cause, "what is stored cannot be read");
    match error {
        LoadError::Log(ReadError::Damaged { position, .. })
        | LoadError::Decode(DecodeError { position, .. }) => {
            let text = format!("the stored history is damaged at position {position}");
            let metadata = [("position", position.to_string())];
            status(Code::DataLoss, ErrorReason::HistoryDamaged, &text, &metadata)
        }
        LoadError::Log(ReadError::Unavailable(_))
        | LoadError::ReadModel(_)
        | LoadError::EndLost { .. } => internal(),
    }
}

fn status(code: Code, reason: ErrorReason, text: &str, metadata: Metadata<'_>) -> Status {
    Status::with_error_details(code, text, info(reason, metadata))
}

fn info(reason: ErrorReason, metadata: Metadata<'_>) -> ErrorDetails {
    let name = reason.as_str_name();
    let name = name.strip_prefix("ERROR_REASON_").unwrap_or(name);
    let metadata: HashMap<_, _> =
        metadata.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect();
    ErrorDetails::with_error_info(name, DOMAIN, metadata)
}
