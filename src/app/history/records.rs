//! Reads the records of the history. If a log that servers share seems to be damaged, it may have
//! forked without this server having noticed. Then the history is not damaged, and another server may
//! answer.

#[cfg(sim_bugs)]
use crate::app::planted_bugs::PlantedBug;
use crate::{
    app::fork,
    event_log::{Defect, Position, ReadError, ReadLimit, Record},
};

use super::{History, HistoryError};

impl History {
    /// The records after `after`, where this server shows at least one.
    ///
    /// # Errors
    /// The log cannot be read, is damaged or has forked.
    pub(super) async fn read(
        &self,
        after: Position,
        limit: ReadLimit,
    ) -> Result<Vec<Record>, HistoryError> {
        let read = self.log.read(after, limit).await;
        let read = read.and_then(|records| {
            if records.is_empty() { Err(missing(after.next())) } else { Ok(records) }
        });
        self.explained(read).await
    }

    /// The records at `positions`.
    ///
    /// # Errors
    /// As for [`read`](Self::read).
    pub(super) async fn read_at(
        &self,
        positions: Vec<Position>,
        limit: ReadLimit,
    ) -> Result<Vec<Record>, HistoryError> {
        self.explained(self.log.read_at(positions, limit).await).await
    }

    /// Why the tree of the first `size` records is not that of the log: that has forked, or the
    /// read model is damaged, which is reported.
    pub(super) async fn report_tree(&self, size: u64) -> HistoryError {
        match self.check_known_records().await {
            Ok(()) => self.read_model.report_tree(size).into(),
            Err(error) => error,
        }
    }

    async fn explained<T>(&self, read: Result<T, ReadError>) -> Result<T, HistoryError> {
        #[cfg(sim_bugs)]
        if PlantedBug::ForkAsDamage.is_planted() {
            return Ok(read?);
        }
        if matches!(read, Err(ReadError::Damaged { .. })) {
            self.check_known_records().await?;
        }
        Ok(read?)
    }

    /// Checks that a log which servers share still has what this server shows.
    ///
    /// # Errors
    /// It has forked, or cannot be read.
    pub(super) async fn check_known_records(&self) -> Result<(), HistoryError> {
        let Some(shared) = &self.shared else { return Ok(()) };
        match fork::find(self.log.as_ref(), self.head()).await {
            Ok(None) | Err(ReadError::Damaged { .. }) => Ok(()),
            Ok(Some(found)) => {
                fork::report(&shared.forked, found);
                Err(ReadError::Forked(found).into())
            }
            Err(error @ (ReadError::Forked(_) | ReadError::Unavailable(_))) => Err(error.into()),
        }
    }
}

/// The error of a read that should return the record at a position, and returns none.
pub(super) const fn missing(position: Position) -> ReadError {
    ReadError::Damaged { position, defect: Defect::Missing }
}
