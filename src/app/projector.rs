//! The projector: applies the records of the log to the read model, in order, no matter
//! which server appended them. Nothing else changes a read model that is in use.

use std::{future::pending, sync::Arc};

use tokio::{
    sync::watch,
    time::{Instant, sleep},
};

use crate::{
    audit::codec,
    event_log::{Defect, EventLog, Fork, Head, Position, ReadError, ReadLimit, Record},
    proto::UserPoolEvent,
    telemetry::{WarnLimiter, error_chain, metrics::AppMetrics},
};

#[cfg(sim_bugs)]
use super::planted_bugs::Branch;
use super::{
    LoadError, ReadModel, ReadModelError, append::RETRY_PAUSE, fork, history::Recent,
    read_model::Changes, seen_head::SeenHead,
};

/// Updates the read model, the recent events and the visible head.
#[derive(Debug)]
pub(super) struct Projector {
    log: Arc<dyn EventLog>,
    log_head: watch::Receiver<Head>,
    /// The end of the log as it was told when it was asked for.
    told: watch::Receiver<Head>,
    read_model: Arc<ReadModel>,
    recent: Arc<Recent>,
    /// The last record that was applied. Readers of the history see the log up to here.
    visible: watch::Sender<Head>,
    /// Of a log that servers share.
    seen_head: Option<SeenHead>,
    metrics: AppMetrics,
    read_warnings: WarnLimiter,
}

impl Projector {
    /// Creates a projector that continues after the last record of the read model.
    pub(super) fn new(
        log: Arc<dyn EventLog>,
        told: watch::Receiver<Head>,
        read_model: Arc<ReadModel>,
        recent: Arc<Recent>,
        seen_head: Option<SeenHead>,
        metrics: AppMetrics,
    ) -> Self {
        let changes = read_model.changes();
        metrics.set_user_pools(changes.user_pool_count());
        log.set_applied(changes.head().position);
        let (log_head, visible) = (log.head(), watch::Sender::new(changes.head()));
        let read_warnings = WarnLimiter::default();
        Self { log, log_head, told, read_model, recent, visible, seen_head, metrics, read_warnings }
    }

    /// A receiver of the last applied record.
    pub(super) fn visible(&self) -> watch::Receiver<Head> {
        self.visible.subscribe()
    }

    /// Waits until the log has records that are not applied yet.
    pub(super) async fn wait_for_records(&mut self) {
        let applied = self.applied().position;
        let is_later = |head: &Head| head.position > applied;
        let has_records = tokio::select! {
            Ok(_) = self.log_head.wait_for(is_later) => true,
            Ok(_) = self.told.wait_for(is_later) => true,
            else => false,
        };
        if !has_records {
            // The log never moves again.
            pending::<()>().await;
        }
    }

    /// Applies the records up to the head of the log.
    ///
    /// # Errors
    /// The log or the read model cannot be used any more.
    pub(super) async fn catch_up(&self) -> Result<(), LoadError> {
        let end = self.log_head.borrow().position.max(self.told.borrow().position);
        self.catch_up_to(end).await
    }

    /// Applies the records up to the end of the log as a [turn](EventLog::turn) found it. It may
    /// be older than what is applied already.
    ///
    /// # Errors
    /// As for [`catch_up`](Self::catch_up).
    pub(super) async fn catch_up_in_turn(&self, head: Head) -> Result<(), LoadError> {
        self.catch_up_to(head.position).await
    }

    /// Applies the records up to `actual`, the head that another writer has appended.
    ///
    /// # Errors
    /// As for [`catch_up`](Self::catch_up), or the log does not continue the applied
    /// records.
    pub(super) async fn catch_up_after_conflict(&self, actual: Head) -> Result<(), LoadError> {
        fork::check_end(self.applied(), actual).map_err(ReadError::Forked)?;
        #[cfg(sim_bugs)]
        Branch::DecidedAgain.reach();
        self.catch_up_to(actual.position).await
    }

    async fn catch_up_to(&self, end: Position) -> Result<(), LoadError> {
        while self.applied().position < end {
            match self.log.read(self.applied().position, ReadLimit::PAGE).await {
                Ok(records) if !records.is_empty() => self.project(records)?,
                // The engine may learn of a head before it can read up to it.
                Ok(_) => sleep(RETRY_PAUSE).await,
                Err(ReadError::Unavailable(error)) => {
                    if self.read_warnings.allow() {
                        let error = error_chain(&*error);
                        tracing::warn!(error, "the log cannot be read; retrying");
                    }
                    sleep(RETRY_PAUSE).await;
                }
                Err(error @ (ReadError::Damaged { .. } | ReadError::Forked(_))) => {
                    return Err(error.into());
                }
            }
        }
        Ok(())
    }

    /// Applies the next records.
    fn project(&self, records: Vec<Record>) -> Result<(), LoadError> {
        let mut head = self.applied();
        let mut changes = self.read_model.changes();
        let mut events = Vec::with_capacity(records.len());
        for record in &records {
            record.check_follows(head).map_err(|defect| self.broken_chain(head, record, defect))?;
            head = record.head();
            let mut event = codec::decode(record)?;
            changes.project(&self.read_model, &mut event)?;
            events.push(event);
        }
        Ok(self.apply(changes, events, records)?)
    }

    /// Applies the next records, given the changes that they cause and their events
    /// without payloads.
    ///
    /// # Errors
    /// The read model cannot be written.
    pub(super) fn apply(
        &self,
        mut changes: Changes,
        events: Vec<UserPoolEvent>,
        records: Vec<Record>,
    ) -> Result<(), ReadModelError> {
        let Some(head) = records.last().map(Record::head) else { return Ok(()) };
        changes.set_head(&records);
        let user_pools = changes.user_pool_count();
        let begun = Instant::now();
        self.read_model.apply(changes)?;
        self.metrics.record_apply(begun.elapsed());
        self.metrics.set_included(head.position.0);
        self.metrics.set_user_pools(user_pools);
        self.recent.push(events.into_iter().zip(records));
        if let Some(seen_head) = &self.seen_head {
            seen_head.record(head);
        }
        self.log.set_applied(head.position);
        self.visible.send_replace(head);
        Ok(())
    }

    fn applied(&self) -> Head {
        *self.visible.borrow()
    }

    /// The error if the record after `head` does not follow it.
    fn broken_chain(&self, head: Head, record: &Record, defect: Defect) -> ReadError {
        if matches!(defect, Defect::BrokenChain) && self.log.is_shared() {
            // What it follows is what the log has now in the place of `head`.
            let found = Head { position: head.position, hash: record.previous_hash };
            return ReadError::Forked(Fork { known: head, found });
        }
        ReadError::Damaged { position: head.position.next(), defect }
    }
}
