//! Waiting until this server shows what a read must show. A server that has the log for itself
//! shows every change that it acknowledged, so nothing waits there.

use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use crate::{
    app::{ReadMode, shared_log::SharedLog},
    event_log::{Head, Position, ReadError},
};

#[cfg(sim_bugs)]
use crate::app::planted_bugs::PlantedBug;

use super::{History, HistoryError};

/// How long a read waits.
const READ_WAIT: Duration = Duration::from_secs(2);

impl History {
    /// Waits until a read shows `min_position`. Without one: what the mode of reads promises.
    ///
    /// # Errors
    /// The position does not exist; or it takes too long, so that another server may be better.
    pub async fn wait_to_read(&self, min_position: Option<Position>) -> Result<(), HistoryError> {
        if let Some(position) = min_position {
            return self.wait_for(position).await;
        }
        let Some(shared) = &self.shared else { return Ok(()) };
        self.check_fork()?;
        match shared.settings.mode {
            ReadMode::Local => match shared.too_long_silence(self.log.as_ref()) {
                Some(silence) => {
                    Err(HistoryError::Stale { silence, max: shared.settings.max_staleness })
                }
                None => Ok(()),
            },
            #[cfg(sim_bugs)]
            _ if PlantedBug::StaleRead.is_planted() => Ok(()),
            ReadMode::Latest | ReadMode::Strict => self.wait_for_end().await,
        }
    }

    /// Waits until every event is visible that was acknowledged before the call.
    ///
    /// # Errors
    /// It takes too long.
    pub async fn wait_for_end(&self) -> Result<(), HistoryError> {
        let Some(shared) = &self.shared else { return Ok(()) };
        let deadline = Instant::now() + READ_WAIT;
        let end = self.latest_by(shared, deadline).await?;
        self.wait_until_visible(end.position, deadline).await
    }

    /// Waits until the event at a position is visible.
    ///
    /// # Errors
    /// [`HistoryError::BeyondEnd`] if the log has no such event; or it takes too long.
    pub async fn wait_for(&self, position: Position) -> Result<(), HistoryError> {
        let visible = self.head().position;
        let Some(shared) = &self.shared else { return check_end(position, visible) };
        self.check_fork()?;
        if position <= visible {
            return Ok(());
        }
        let deadline = Instant::now() + READ_WAIT;
        if position > self.durable().position {
            let end = self.latest_by(shared, deadline).await?;
            check_end(position, end.position)?;
        }
        self.wait_until_visible(position, deadline).await
    }

    /// The same if the log has the event.
    pub(super) async fn wait_if_exists(&self, position: Position) -> Result<(), HistoryError> {
        match self.wait_for(position).await {
            Err(HistoryError::BeyondEnd { .. }) => Ok(()),
            waited => waited,
        }
    }

    /// The same for a watch, which waits as long as its client does.
    pub(super) async fn wait_to_watch(&self, position: Position) -> Result<(), HistoryError> {
        loop {
            match self.wait_for(position).await {
                Err(HistoryError::Behind { .. }) if self.moves() => (),
                waited => return waited,
            }
        }
    }

    /// Whether events may become visible.
    fn moves(&self) -> bool {
        // An error means that the writer has ended.
        !*self.draining.borrow() && self.visible.has_changed().is_ok()
    }

    /// Waits for the end of the log after a read that was beyond the end that this server shows.
    ///
    /// # Errors
    /// The same error, if reading again cannot help; or it takes too long.
    pub(super) async fn wait_beyond(&self, error: HistoryError) -> Result<(), HistoryError> {
        let is_beyond = matches!(error, HistoryError::BeyondEnd { .. });
        if is_beyond && self.shared.is_some() { self.wait_for_end().await } else { Err(error) }
    }

    /// Checks that the log still has what it had.
    fn check_fork(&self) -> Result<(), HistoryError> {
        match self.shared.as_ref().and_then(SharedLog::known_fork) {
            Some(fork) => Err(ReadError::Forked(fork).into()),
            None => Ok(()),
        }
    }

    async fn latest_by(&self, shared: &SharedLog, deadline: Instant) -> Result<Head, HistoryError> {
        let end = shared.latest_by(deadline).await;
        self.check_fork()?;
        end.ok_or(HistoryError::Unreachable)
    }

    async fn wait_until_visible(
        &self,
        position: Position,
        deadline: Instant,
    ) -> Result<(), HistoryError> {
        let mut visible = self.visible.clone();
        let is_visible = |head: &Head| head.position >= position;
        // An error means that the writer has ended, after which nothing becomes visible.
        let waited = timeout_at(deadline, visible.wait_for(is_visible)).await;
        if matches!(waited, Ok(Ok(_))) {
            return Ok(());
        }
        self.check_fork()?;
        Err(HistoryError::Behind { position, current: self.head().position })
    }
}

fn check_end(requested: Position, end: Position) -> Result<(), HistoryError> {
    if requested <= end {
        return Ok(());
    }
    let (requested, current) = (requested.to_string(), end.to_string());
    Err(HistoryError::BeyondEnd { what: "position", requested, current })
}
