//! The status code of each reason, in metrics, spans and access records, for every protocol.

use tonic::Code;

use crate::proto::ErrorReason;

/// The code that the proto documents for each reason.
pub(crate) const fn code(reason: ErrorReason) -> Code {
    match reason {
        ErrorReason::InvalidRequest | ErrorReason::BadPageToken => Code::InvalidArgument,
        ErrorReason::UserPoolNotFound
        | ErrorReason::UserPoolDeleted
        | ErrorReason::DomainNotFound => Code::NotFound,
        ErrorReason::DomainTaken | ErrorReason::IdempotencyMismatch => Code::AlreadyExists,
        ErrorReason::UserPoolHasDomain
        | ErrorReason::UserPoolDeletionProtected
        | ErrorReason::WrongLog => Code::FailedPrecondition,
        ErrorReason::RevisionMismatch => Code::Aborted,
        ErrorReason::BeyondEnd | ErrorReason::BeforeCreation => Code::OutOfRange,
        ErrorReason::LimitExceeded | ErrorReason::Overloaded => Code::ResourceExhausted,
        ErrorReason::ShuttingDown
        | ErrorReason::Starting
        | ErrorReason::LogUnavailable
        | ErrorReason::ClockWrong
        | ErrorReason::MaxConnectionAge
        | ErrorReason::LogUnreachable
        | ErrorReason::Behind
        | ErrorReason::LogForked => Code::Unavailable,
        ErrorReason::Unsupported => Code::Unimplemented,
        ErrorReason::HistoryDamaged => Code::DataLoss,
        ErrorReason::DeadlineExceeded => Code::DeadlineExceeded,
        ErrorReason::TokenRefused | ErrorReason::CredentialsMissing => Code::Unauthenticated,
        ErrorReason::PermissionDenied => Code::PermissionDenied,
        ErrorReason::Internal | ErrorReason::Unspecified => Code::Internal,
    }
}
