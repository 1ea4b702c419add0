//! Reading the history: pages of events, past states of user pools, watches, and
//! verification. Only records that are durable and projected are read.

mod count;
mod filter;
mod follow;
mod page;
mod peer_filter;
mod proofs;
mod query;
mod recent;
mod records;
mod replay;
mod sequence;
mod summary;
mod wait;

use std::{sync::Arc, time::Duration};

use tokio::sync::{Semaphore, watch};

use crate::{
    audit::{self, LogCheckpoint, Verification, checkpoint::LogState},
    event_log::{EventLog, Hash, Head, LogId, Position, ReadError, ReadLimit},
    telemetry::metrics::Watchers,
    user_pool::UserPoolId,
};

use super::{LoadError, ReadModel, ReadModelError, shared_log::SharedLog};

pub(super) use self::recent::Recent;
pub use self::{
    count::{CountPage, CountQuery},
    filter::EventFilter,
    follow::{Follow, FollowItem},
    page::EventPage,
    proofs::{ConsistencyProof, ConsistencyQuery, InclusionProof, InclusionQuery},
    query::{EventQuery, ReplayPoint, ReplayQuery, VerifyQuery, WatchQuery, parse_min_position},
    replay::ReplayResult,
};

/// The recorded history.
#[derive(Debug, Clone)]
pub struct History {
    log: Arc<dyn EventLog>,
    read_model: Arc<ReadModel>,
    recent: Arc<Recent>,
    /// The last record that was projected; wakes followers when it moves.
    visible: watch::Receiver<Head>,
    /// Whether the server is stopping.
    draining: watch::Receiver<bool>,
    /// `None` if this server has the log for itself.
    shared: Option<SharedLog>,
    watchers: Watchers,
    /// Verifications take turns, because each remembers every user pool.
    verifying: Arc<Semaphore>,
}

/// Why the history cannot answer.
#[derive(Debug, thiserror::Error)]
pub enum HistoryError {
    /// The user pool never existed.
    #[error("User pool {user_pool_id} does not exist.")]
    NotFound {
        /// Its ID.
        user_pool_id: UserPoolId,
    },
    /// The requested point is after the end of the history.
    #[error("{what} {requested} does not exist yet; the latest is {current}")]
    BeyondEnd {
        /// A revision, a position or a time.
        what: &'static str,
        /// The requested one.
        requested: String,
        /// The last one.
        current: String,
    },
    /// The event is not in a tree of the requested size.
    #[error(
        "the event is at position {position}, after a tree of {tree_size} events; request a larger \
         tree_size"
    )]
    AfterTree {
        /// The position of the event.
        position: Position,
        /// The requested size.
        tree_size: u64,
    },
    /// The requested point is before the creation of the user pool.
    #[error("user pool {user_pool_id} was created at {what} {created}, after {requested}")]
    BeforeCreation {
        /// The user pool.
        user_pool_id: UserPoolId,
        /// A position or a time.
        what: &'static str,
        /// The requested one.
        requested: String,
        /// That of its creation.
        created: String,
    },
    /// The log is not the one that the caller read before, as its ID shows.
    #[error(
        "this is not log {expected}, which was read before, but {}; find out whether this is \
         another service, or whether it was started with another data directory",
        found.map_or_else(|| "an empty log".to_owned(), |found| format!("log {found}"))
    )]
    WrongLogId {
        /// The ID that the caller knows.
        expected: LogId,
        /// The ID of this log; `None` if it is empty.
        found: Option<LogId>,
    },
    /// The log is not the one that the caller read before, as a hash shows.
    #[error(
        "this is not the log that was read before: its event at position {position} has hash \
         {found}, not {expected}; find out whether a backup was restored"
    )]
    WrongLogHash {
        /// The position after which the caller wants to continue.
        position: Position,
        /// The hash that the caller knows.
        expected: Hash,
        /// The hash in this log.
        found: Hash,
    },
    /// This server does not show a position that the log has.
    #[error(
        "this server does not show position {position} yet, but position {current}: it has not \
         read that far; try again, or call another server"
    )]
    Behind {
        /// The position that the read must show.
        position: Position,
        /// The last one that is shown.
        current: Position,
    },
    /// The log does not say where it ends.
    #[error(
        "this server cannot reach its log, so it may not show every change; try again, or call \
         another server"
    )]
    Unreachable,
    /// The log was not heard of for too long.
    #[error(
        "this server has not heard of its log for {}, which is longer than --max-staleness {}; \
         try again, or call another server",
        humantime::format_duration(Duration::from_secs(silence.as_secs())),
        humantime::format_duration(*max)
    )]
    Stale {
        /// The time since then.
        silence: Duration,
        /// The longest that is allowed.
        max: Duration,
    },
    /// Stored data cannot be read.
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
        shared: Option<SharedLog>,
        watchers: Watchers,
    ) -> Self {
        let verifying = Arc::new(Semaphore::new(1));
        Self { log, read_model, recent, visible, draining, shared, watchers, verifying }
    }

    /// The log, if servers share it.
    pub(super) const fn shared(&self) -> Option<&SharedLog> {
        self.shared.as_ref()
    }

    /// The last visible event. It is taken from the read model, so that reads and the
    /// history always show the same changes.
    #[must_use]
    pub fn head(&self) -> Head {
        self.read_model.head()
    }

    /// The last visible event, with the root of the Merkle tree up to it.
    #[must_use]
    pub fn state(&self) -> LogState {
        self.read_model.tree().state()
    }

    /// The ID of the log; `None` while it is empty.
    #[must_use]
    pub fn log_id(&self) -> Option<LogId> {
        self.read_model.log_id()
    }

    /// Checks that the log has this ID.
    ///
    /// # Errors
    /// [`HistoryError::WrongLogId`] if it has another one.
    pub async fn check_log(&self, expected: LogId) -> Result<(), HistoryError> {
        if self.log_id().is_none() {
            self.wait_if_exists(Position::START.next()).await?;
        }
        match self.log_id() {
            Some(found) if found == expected => Ok(()),
            found => Err(HistoryError::WrongLogId { expected, found }),
        }
    }

    /// The last durable event, which may not be visible yet.
    #[must_use]
    pub fn durable(&self) -> Head {
        *self.log.head().borrow()
    }

    /// The name of the log engine.
    #[must_use]
    pub fn engine(&self) -> &'static str {
        self.log.engine()
    }

    /// The hash of the event at a position up to `head`; that of an empty log for 0.
    async fn hash_at(&self, position: Position, head: Head) -> Result<Hash, HistoryError> {
        if position == head.position {
            return Ok(head.hash);
        }
        if position == Position::START {
            return Ok(Hash::default());
        }
        let records = self.read_at(vec![position], ReadLimit::PAGE).await?;
        Ok(records.first().map(|record| record.hash).unwrap_or_default())
    }

    /// Verifies the chain and the rules up to the event that is the last visible one now, and
    /// compares it with a head that the caller trusts, if one is given.
    ///
    /// # Errors
    /// The log cannot be read. Damage is a result, not an error.
    pub async fn verify(&self, trusted: Option<Head>) -> Result<Verification, HistoryError> {
        // A log that ends before the trusted head is a result.
        self.wait_if_exists(trusted.unwrap_or_default().position).await?;
        let end = self.head().position;
        // The semaphore is never closed.
        let _turn = self.verifying.acquire().await;
        let trusted = trusted.map(LogCheckpoint::from);
        let verified = audit::verify(self.log.as_ref(), end, trusted.as_slice(), &|_| ()).await?;
        if verified.mismatch.is_some() {
            self.check_known_records().await?;
        } else if verified.root != self.read_model.tree().root(end.0)? {
            return Err(self.report_tree(end.0).await);
        }
        Ok(verified)
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
