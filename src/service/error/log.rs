//! The errors of reading: from the history, the log and the read model.

use crate::{
    app::{HistoryError, LoadError, ReadModelError},
    audit::DecodeError,
    event_log::{Fork, ReadError},
    proto::ErrorReason,
    telemetry::error_chain,
};

use super::{Error, LOG_RETRY_DELAY};

impl Error {
    /// The log no longer has what it had, so the server stops.
    pub(super) fn log_forked(fork: Fork) -> Self {
        let Fork { known, found } = fork;
        let message = format!(
            "{fork}, so this server stops: call another server; a change may or may not have been \
             recorded, retry it with the same request_id"
        );
        Self::new(ErrorReason::LogForked, message)
            .with("position", known.position.to_string())
            .with("known_hash", known.hash.to_string())
            .with("found_position", found.position.to_string())
            .with("found_hash", found.hash.to_string())
    }
}

impl From<HistoryError> for Error {
    fn from(error: HistoryError) -> Self {
        let text = error.to_string();
        match error {
            HistoryError::NotFound { user_pool_id } => Self::not_found(&user_pool_id),
            HistoryError::BeyondEnd { what: _, requested, current } => {
                Self::new(ErrorReason::BeyondEnd, text)
                    .with("requested", requested)
                    .with("current", current)
            }
            HistoryError::AfterTree { position, tree_size } => {
                Self::new(ErrorReason::BeyondEnd, text)
                    .with("requested", position.to_string())
                    .with("current", tree_size.to_string())
            }
            HistoryError::BeforeCreation { user_pool_id, what: _, requested, created } => {
                Self::new(ErrorReason::BeforeCreation, text)
                    .with_pool(&user_pool_id)
                    .with("requested", requested)
                    .with("created", created)
            }
            HistoryError::WrongLogId { expected, found } => Self::new(ErrorReason::WrongLog, text)
                .with("expected_log_id", expected.to_string())
                .with("found_log_id", found.map(|id| id.to_string()).unwrap_or_default()),
            HistoryError::WrongLogHash { position, expected, found } => {
                Self::new(ErrorReason::WrongLog, text)
                    .with("position", position.to_string())
                    .with("expected_hash", expected.to_string())
                    .with("found_hash", found.to_string())
            }
            HistoryError::Behind { position, current } => Self::new(ErrorReason::Behind, text)
                .with("requested", position.to_string())
                .with("current", current.to_string())
                .retry_after(LOG_RETRY_DELAY),
            HistoryError::Unreachable | HistoryError::Stale { .. } => {
                Self::new(ErrorReason::LogUnreachable, text).retry_after(LOG_RETRY_DELAY)
            }
            HistoryError::Unreadable(error) => error.into(),
        }
    }
}

impl From<ReadModelError> for Error {
    fn from(error: ReadModelError) -> Self {
        LoadError::ReadModel(error).into()
    }
}

/// Logs the cause. The client learns only the position of the damage.
impl From<LoadError> for Error {
    fn from(error: LoadError) -> Self {
        tracing::error!(error = error_chain(&error), "stored data cannot be read");
        match error {
            LoadError::Log(ReadError::Damaged { position, .. })
            | LoadError::Decode(DecodeError { position, .. })
            | LoadError::Contradiction { position, .. } => {
                let message = format!("the stored history is damaged at position {position}");
                Self::new(ErrorReason::HistoryDamaged, message)
                    .with("position", position.to_string())
            }
            // The server stops, and the next start rebuilds the read model.
            LoadError::ReadModel(_) => Self::read_model_failed(),
            LoadError::Log(ReadError::Forked(fork)) => Self::log_forked(fork),
            LoadError::Log(ReadError::Unavailable(_)) => {
                let message = "this server cannot read its log; nothing was recorded, try again, \
                               or call another server";
                Self::new(ErrorReason::LogUnreachable, message).retry_after(LOG_RETRY_DELAY)
            }
            LoadError::EndLost { .. } => Self::internal(),
        }
    }
}
