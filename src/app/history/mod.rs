//! Reading the history: pages of it, user pools as they were, new events as they
//! come, and whether it is whole. What is read is durable and projected already.

mod follow;
mod line;
mod page;
mod query;
mod recent;
mod replay;

use std::sync::Arc;

use tokio::sync::watch;

use crate::{
    audit::{self, Verification},
    event_log::{EventLog, Head, ReadError},
    telemetry::metrics::Watchers,
    user_pool::UserPoolId,
};

use super::{LoadError, ReadModel, ReadModelError};

pub(super) use self::recent::Recent;
pub use self::{
    follow::{Follow, Followed},
    page::EventPage,
    query::{AsOf, EventFilter, EventQuery, Noted, Replay, Watch},
    replay::Replayed,
};

/// The recorded history.
#[derive(Debug, Clone)]
pub struct History {
    log: Arc<dyn EventLog>,
    read_model: Arc<ReadModel>,
    recent: Arc<Recent>,
    /// Moves after the log is durable and projected; wakes those who follow.
    visible: watch::Receiver<Head>,
    /// Whether the server is about to stop.
    draining: watch::Receiver<bool>,
    watchers: Watchers,
}

/// Why the history does not answer.
#[derive(Debug, thiserror::Error)]
pub enum HistoryError {
    /// There never was such a user pool.
    #[error("User pool {user_pool_id} does not exist.")]
    NotFound {
        /// The ID that was asked for.
        user_pool_id: UserPoolId,
    },
    /// What is asked for has not happened yet.
    #[error("the history ends at {what} {current}; {requested} has not come yet")]
    BeyondEnd {
        /// A revision, a position or a time.
        what: &'static str,
        /// Which one.
        requested: String,
        /// The last one there is.
        current: String,
    },
    /// What is asked for is before the user pool was created.
    #[error("user pool {user_pool_id} was created later, at {what} {created}")]
    BeforeCreation {
        /// The user pool.
        user_pool_id: UserPoolId,
        /// A position or a time.
        what: &'static str,
        /// Which one was asked for.
        requested: String,
        /// Which one was the creation.
        created: String,
    },
    /// What is stored cannot be read.
    #[error(transparent)]
    Unreadable(#[from] LoadError),
}

impl History {
    pub(super) fn new(
        log: Arc<dyn EventLog>,
        read_model: Arc<ReadModel>,
        recent: Arc<Recent>,
        visible: watch::Receiver<Head>,
        draining: watch::Receiver<bool>,
        watchers: Watchers,
    ) -> Self {
        Self { log, read_model, recent, visible, draining, watchers }
    }

    /// The last event that is visible: where the read model stands, so that whoever
    /// was shown a change finds it in the history, and the other way round.
    ///
    /// # Errors
    /// The read model cannot be read.
    pub fn head(&self) -> Result<Head, ReadModelError> {
        Ok(self.read_model.checkpoint()?.unwrap_or_default().head())
    }

    /// Recomputes the chain up to what is visible, and compares it with what was
    /// noted before, where that is given.
    ///
    /// # Errors
    /// The log cannot be read. That it is damaged is an answer, not an error.
    pub async fn verify(&self, noted: Option<Head>) -> Result<Verification, HistoryError> {
        let noted = noted.as_slice();
        Ok(audit::verify(self.log.as_ref(), self.head()?.position, noted, &|_| ()).await?)
    }
}

impl From<ReadModelError> for HistoryError {
    fn from(error: ReadModelError) -> Self {
        Self::Unreadable(error.into())
    }
}

impl From<ReadError> for HistoryError {
    fn from(error: ReadError) -> Self {
        Self::Unreadable(error.into())
    }
}
