//! Export: a log, or a range of it, as JSON Lines. A line holds an event in readable form and
//! its stored record, which is authoritative. The first line of a range that does not begin
//! with the first event, or has no event, is its anchor.

use std::{
    fmt,
    io::{self, Write},
};

use chrono::{DateTime, Utc};

use crate::{
    event_log::{Head, Position, Record},
    proto::{self, UserPoolEvent},
};

use super::{anchor::RangeAnchor, mismatch::Mismatch, verifier::Verifier};

/// Why an export fails.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The log is not valid.
    #[error(transparent)]
    Mismatch(#[from] Mismatch),
    /// The export cannot be written.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// The form of an export.
pub trait ExportFormat: fmt::Debug + Sync {
    /// Writes what comes before the first event.
    ///
    /// # Errors
    /// It cannot be written.
    fn begin(&self, out: &mut dyn Write, anchor: Option<RangeAnchor>) -> io::Result<()>;

    /// Writes an event with its record.
    ///
    /// # Errors
    /// It cannot be written.
    fn event(&self, out: &mut Vec<u8>, event: &UserPoolEvent) -> io::Result<()>;
}

/// JSON Lines, which can be verified and imported.
#[derive(Debug)]
pub struct JsonLines;

impl ExportFormat for JsonLines {
    fn begin(&self, out: &mut dyn Write, anchor: Option<RangeAnchor>) -> io::Result<()> {
        match anchor {
            Some(anchor) => writeln!(out, "{}", anchor.to_line()?),
            None => Ok(()),
        }
    }

    fn event(&self, out: &mut Vec<u8>, event: &UserPoolEvent) -> io::Result<()> {
        writeln!(out, "{}", proto::to_json(event)?)
    }
}

/// Where an export ends, if before the end of the log. A batch is left out as a whole, so
/// that an export that begins there is consecutive.
#[derive(Debug, Clone, Copy, Default)]
pub struct ExportEnd {
    /// Records after this position are left out.
    pub position: Option<Position>,
    /// Batches with a record of this time or a later one are left out.
    pub time: Option<DateTime<Utc>>,
}

/// Writes an export in whole batches, because a log that ends inside a batch is not
/// valid, and a running server may have sent only the beginning of one.
#[derive(Debug)]
pub struct Exporter<W> {
    out: W,
    format: &'static dyn ExportFormat,
    verifier: Verifier,
    end: ExportEnd,
    /// The lines of a batch that has not ended yet.
    batch: Vec<u8>,
    /// The record before the range.
    anchor: Option<RangeAnchor>,
    has_begun: bool,
    /// The last record that is written, or the anchor.
    written: Head,
    is_finished: bool,
}

impl<W: Write> Exporter<W> {
    /// An exporter of a whole log that has written nothing yet.
    pub fn new(out: W) -> Self {
        Self {
            out,
            format: &JsonLines,
            verifier: Verifier::default(),
            end: ExportEnd::default(),
            batch: Vec::new(),
            anchor: None,
            has_begun: false,
            written: Head::default(),
            is_finished: false,
        }
    }

    /// An exporter of a range that has written no record yet. The range follows the anchor, or
    /// begins with the first record.
    ///
    /// # Errors
    /// The anchor is not valid.
    pub fn for_range(
        out: W,
        format: &'static dyn ExportFormat,
        anchor: Option<RangeAnchor>,
        end: ExportEnd,
    ) -> Result<Self, ExportError> {
        let mut exporter = Self { format, end, anchor, ..Self::new(out) };
        if let Some(anchor) = anchor {
            exporter.verifier.begin_range(anchor)?;
            exporter.written = anchor.head;
        }
        Ok(exporter)
    }

    /// Writes the next record of the log.
    ///
    /// # Errors
    /// See [`ExportError`].
    pub fn push(&mut self, record: &Record) -> Result<(), ExportError> {
        let event = self.verifier.push(record)?;
        Ok(self.write(record, &UserPoolEvent { record: Some(record.stored.clone()), ..event })?)
    }

    /// Writes the next event of a server, which came with its record.
    ///
    /// # Errors
    /// See [`ExportError`].
    pub fn push_event(&mut self, event: &UserPoolEvent) -> Result<(), ExportError> {
        let record = self.verifier.push_event(event)?;
        Ok(self.write(&record, event)?)
    }

    /// Whether the end of the export was reached: no later record is written.
    #[must_use]
    pub const fn is_finished(&self) -> bool {
        self.is_finished
    }

    /// Ends the export and leaves out a batch that has not ended.
    ///
    /// # Errors
    /// The export cannot be written.
    pub fn finish(mut self) -> io::Result<Head> {
        if !self.has_begun {
            // A range without an event says which log it is of, so that it can be verified.
            let log_id = self.verifier.log_id();
            let empty = log_id.map(|log_id| RangeAnchor { head: Head::default(), log_id });
            self.anchor = self.anchor.or(empty);
            self.begin()?;
        }
        self.out.flush()?;
        Ok(self.written)
    }

    fn begin(&mut self) -> io::Result<()> {
        self.has_begun = true;
        self.format.begin(&mut self.out, self.anchor)
    }

    fn write(&mut self, record: &Record, event: &UserPoolEvent) -> io::Result<()> {
        if self.is_finished {
            return Ok(());
        }
        self.format.event(&mut self.batch, event)?;
        if record.is_last_in_batch() {
            let ExportEnd { position, time } = self.end;
            let recorded = event.record_time.and_then(proto::to_date_time);
            self.is_finished = position.is_some_and(|end| record.position > end)
                || time.is_some_and(|end| recorded.is_some_and(|recorded| recorded >= end));
            if !self.is_finished {
                if !self.has_begun {
                    self.begin()?;
                }
                self.out.write_all(&self.batch)?;
                self.written = record.head();
                self.is_finished = position == Some(record.position);
            }
            self.batch.clear();
        }
        Ok(())
    }
}
