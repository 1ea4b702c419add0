//! The projector: applies the records of the log to the read model, in their order,
//! whichever server appended them. Nothing else changes a read model that is in use.

use std::{cmp::Ordering, future::pending, sync::Arc};

use tokio::{
    sync::watch,
    time::{Instant, sleep},
};

use crate::{
    audit::codec,
    event_log::{Defect, EventLog, Head, Position, ReadError, Record},
    proto::UserPoolEvent,
    telemetry::{WarnLimiter, error_chain, metrics::AppMetrics},
};

use super::{
    LoadError, PAGE, ReadModel, ReadModelError, append::RETRY_PAUSE, history::Recent,
    read_model::Changes,
};

/// Moves the read model, the recent events and the visible head.
#[derive(Debug)]
pub(super) struct Projector {
    log: Arc<dyn EventLog>,
    log_head: watch::Receiver<Head>,
    read_model: Arc<ReadModel>,
    recent: Arc<Recent>,
    /// The last record that was applied. Readers of the history see the log up to here.
    visible: watch::Sender<Head>,
    metrics: AppMetrics,
    read_warnings: WarnLimiter,
}

impl Projector {
    /// A projector that continues where the read model stands.
    ///
    /// # Errors
    /// The read model cannot be read.
    pub(super) fn new(
        log: Arc<dyn EventLog>,
        read_model: Arc<ReadModel>,
        recent: Arc<Recent>,
        metrics: AppMetrics,
    ) -> Result<Self, ReadModelError> {
        let changes = read_model.changes()?;
        metrics.set_user_pools(changes.user_pool_count());
        let (log_head, visible) = (log.head(), watch::Sender::new(changes.head()));
        let read_warnings = WarnLimiter::default();
        Ok(Self { log, log_head, read_model, recent, visible, metrics, read_warnings })
    }

    /// The last record that was applied, now and whenever it moves.
    pub(super) fn visible(&self) -> watch::Receiver<Head> {
        self.visible.subscribe()
    }

    /// Waits until the log has records that were not applied.
    pub(super) async fn wait_for_records(&mut self) {
        let applied = self.applied().position;
        if self.log_head.wait_for(|head| head.position > applied).await.is_err() {
            // The log never moves again.
            pending::<()>().await;
        }
    }

    /// Applies the records up to the head of the log.
    ///
    /// # Errors
    /// The log or the read model cannot be used any more.
    pub(super) async fn catch_up(&self) -> Result<(), LoadError> {
        let end = self.log_head.borrow().position;
        self.catch_up_to(end).await
    }

    /// Applies the records up to a head that another writer has moved the log to.
    ///
    /// # Errors
    /// As for [`catch_up`](Self::catch_up), and where the log does not continue the
    /// records that were applied.
    pub(super) async fn follow(&self, actual: Head) -> Result<(), LoadError> {
        let applied = self.applied();
        match actual.position.cmp(&applied.position) {
            Ordering::Greater => self.catch_up_to(actual.position).await,
            Ordering::Equal if actual.hash == applied.hash => Ok(()),
            Ordering::Equal => Err(broken_chain(actual.position, Defect::BrokenChain)),
            Ordering::Less => {
                Err(LoadError::EndLost { end: actual.position, projected: applied.position })
            }
        }
    }

    async fn catch_up_to(&self, end: Position) -> Result<(), LoadError> {
        while self.applied().position < end {
            match self.log.read(self.applied().position, PAGE).await {
                Ok(records) if !records.is_empty() => self.project(records)?,
                // The engine may hear of a head before it can read up to there.
                Ok(_) => sleep(RETRY_PAUSE).await,
                Err(ReadError::Unavailable(error)) => {
                    if self.read_warnings.allow() {
                        let error = error_chain(&*error);
                        tracing::warn!(error, "the log cannot be read; retrying");
                    }
                    sleep(RETRY_PAUSE).await;
                }
                Err(error @ ReadError::Damaged { .. }) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Applies records that follow those applied before.
    fn project(&self, records: Vec<Record>) -> Result<(), LoadError> {
        let mut head = self.applied();
        let mut changes = self.read_model.changes()?;
        let mut events = Vec::with_capacity(records.len());
        for record in &records {
            record
                .check_follows(head)
                .map_err(|defect| broken_chain(head.position.next(), defect))?;
            head = record.head();
            let mut event = codec::decode(record)?;
            changes.project(&self.read_model, &mut event)?;
            events.push(event);
        }
        Ok(self.apply(changes, events, records)?)
    }

    /// Applies records that follow those applied before, with the changes that they lead
    /// to and their events without payloads.
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
        changes.end(head);
        let user_pools = changes.user_pool_count();
        let begun = Instant::now();
        self.read_model.apply(changes)?;
        self.metrics.record_apply(begun.elapsed());
        self.metrics.set_checkpoint(head.position.0);
        self.metrics.set_user_pools(user_pools);
        self.recent.push(events.into_iter().zip(records));
        self.visible.send_replace(head);
        Ok(())
    }

    fn applied(&self) -> Head {
        *self.visible.borrow()
    }
}

/// The log is not the one that was applied up to now.
fn broken_chain(position: Position, defect: Defect) -> LoadError {
    LoadError::Log(ReadError::Damaged { position, defect })
}
