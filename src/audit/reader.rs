//! Reading a log up to its end, a page at a time.

use std::vec;

use crate::event_log::{Defect, EventLog, Position, ReadError, ReadLimit, Record};

/// Reads the records of a log in order.
#[derive(Debug)]
pub struct LogReader<'a> {
    log: &'a dyn EventLog,
    position: Position,
    end: Position,
    page: vec::IntoIter<Record>,
}

impl<'a> LogReader<'a> {
    /// Reads from the first record up to `end`.
    #[must_use]
    pub fn new(log: &'a dyn EventLog, end: Position) -> Self {
        Self::after(log, Position::START, end)
    }

    /// Reads the records after `position` up to `end`.
    #[must_use]
    pub fn after(log: &'a dyn EventLog, position: Position, end: Position) -> Self {
        Self { log, position, end, page: Vec::new().into_iter() }
    }

    /// The next record; none at the end.
    ///
    /// # Errors
    /// The log is damaged or cannot be read.
    pub async fn next(&mut self) -> Result<Option<Record>, ReadError> {
        if self.position >= self.end {
            return Ok(None);
        }
        if self.page.as_slice().is_empty() {
            self.page = self.log.read(self.position, ReadLimit::PAGE).await?.into_iter();
        }
        let position = self.position.next();
        let missing = ReadError::Damaged { position, defect: Defect::Missing };
        let record = self.page.next().ok_or(missing)?;
        self.position = position;
        Ok(Some(record))
    }
}
