//! A numbered sequence of events: the whole log, whose places are positions, or the stream
//! of one user pool, whose places are revisions.

use crate::{
    audit::{codec, decode_with_record},
    event_log::{Position, ReadLimit, Record},
    proto::{UserPoolEvent, to_unsigned},
    user_pool::UserPoolId,
};

use super::{super::LoadError, History, HistoryError};

/// A sequence of events with places from 1 to its length.
#[derive(Debug)]
pub(super) struct EventSequence<'a> {
    history: &'a History,
    stream: Option<UserPoolId>,
    length: u64,
    include_records: bool,
}

impl<'a> EventSequence<'a> {
    /// The whole log up to `head`.
    pub(super) fn log(history: &'a History, head: Position) -> Self {
        Self { history, stream: None, length: head.0, include_records: false }
    }

    /// The events of one user pool up to `head`.
    ///
    /// # Errors
    /// The user pool never existed, or the read model cannot be read.
    pub(super) fn stream(
        history: &'a History,
        id: &UserPoolId,
        head: Position,
    ) -> Result<Self, HistoryError> {
        let not_found = || HistoryError::NotFound { user_pool_id: id.clone() };
        let pool = history.read_model.pool(id)?.ok_or_else(not_found)?;
        let stream = Some(id.clone());
        let length = to_unsigned(pool.revision);
        let mut sequence = Self { history, stream, length, include_records: false };
        // The read model may have moved on since `head` was read.
        sequence.length = sequence.count_up_to(head)?;
        Ok(sequence)
    }

    /// The first events of a user pool, up to a revision that it has.
    pub(super) fn revisions(history: &'a History, id: &UserPoolId, last: u64) -> Self {
        Self { history, stream: Some(id.clone()), length: last, include_records: false }
    }

    /// Sets whether each event is read with its stored record.
    pub(super) fn with_records(self, include_records: bool) -> Self {
        Self { include_records, ..self }
    }

    pub(super) const fn length(&self) -> u64 {
        self.length
    }

    /// The number of its events at or before this position.
    pub(super) fn count_up_to(&self, position: Position) -> Result<u64, HistoryError> {
        let Some(id) = &self.stream else { return Ok(self.length.min(position.0)) };
        let (mut below, mut above) = (0, self.length);
        while below < above {
            let middle = below + (above - below).div_ceil(2);
            let found = self.history.read_model.positions(id, middle..=middle)?;
            if found.first().is_some_and(|found| *found <= position) {
                below = middle;
            } else {
                above = middle - 1;
            }
        }
        Ok(below)
    }

    /// The number of leading events that match. No event may match after one that does not.
    pub(super) async fn partition_point(
        &self,
        matches: impl Fn(&UserPoolEvent) -> bool,
    ) -> Result<u64, HistoryError> {
        let (mut below, mut above) = (0, self.length);
        while below < above {
            let middle = below + (above - below).div_ceil(2);
            let event = self.read(middle, 1, false, ReadLimit { records: 1, bytes: 0 }).await?;
            if event.first().is_some_and(&matches) {
                below = middle;
            } else {
                above = middle - 1;
            }
        }
        Ok(below)
    }

    /// Reads at most `count` events from place `first`, towards the end or, if `backward`,
    /// towards the beginning. Returns as many as the limit allows, but at least one if
    /// there is one.
    pub(super) async fn read(
        &self,
        first: u64,
        count: u64,
        backward: bool,
        limit: ReadLimit,
    ) -> Result<Vec<UserPoolEvent>, HistoryError> {
        let records = self.read_records(first, count, backward, limit).await?;
        records.iter().map(|record| self.event(record)).collect()
    }

    /// Reads the records of events, as [`read`](Self::read).
    pub(super) async fn read_records(
        &self,
        first: u64,
        count: u64,
        backward: bool,
        limit: ReadLimit,
    ) -> Result<Vec<Record>, HistoryError> {
        let count = count.min(u64::try_from(limit.records).unwrap_or(u64::MAX).max(1));
        let (low, high) = if backward {
            (first.saturating_sub(count).saturating_add(1), first)
        } else {
            (first, first.saturating_add(count).saturating_sub(1))
        };
        let places = low.max(1)..=high.min(self.length);
        if places.is_empty() {
            return Ok(Vec::new());
        }
        match &self.stream {
            None if !backward => {
                let records = usize::try_from(places.end() - places.start() + 1);
                let records = records.unwrap_or(limit.records);
                let before = Position(places.start() - 1);
                self.history.read(before, ReadLimit { records, ..limit }).await
            }
            stream => {
                let mut positions = match stream {
                    None => places.map(Position).collect(),
                    Some(id) => self.history.read_model.positions(id, places)?,
                };
                if backward {
                    positions.reverse();
                }
                self.history.read_at(positions, limit).await
            }
        }
    }

    /// The event of a record of this sequence.
    pub(super) fn event(&self, record: &Record) -> Result<UserPoolEvent, HistoryError> {
        let decode = if self.include_records { decode_with_record } else { codec::decode };
        Ok(decode(record).map_err(LoadError::from)?)
    }
}
