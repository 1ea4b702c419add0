//! Export: a log as JSON Lines. A line holds an event in readable form and its stored
//! record, which is authoritative.

use std::io::{self, Write};

use crate::{
    event_log::{Head, Record},
    proto::{self, UserPoolEvent},
};

use super::{mismatch::Mismatch, verifier::Verifier};

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

/// Writes an export in whole batches, because a log that ends inside a batch is not
/// valid, and a running server may have sent only the beginning of one.
#[derive(Debug)]
pub struct Exporter<W> {
    out: W,
    verifier: Verifier,
    /// The lines of a batch that has not ended yet.
    batch: Vec<u8>,
    /// The last record that is written.
    written: Head,
}

impl<W: Write> Exporter<W> {
    /// An exporter that has written nothing yet.
    pub fn new(out: W) -> Self {
        Self { out, verifier: Verifier::default(), batch: Vec::new(), written: Head::default() }
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

    /// Ends the export and leaves out a batch that has not ended.
    ///
    /// # Errors
    /// The export cannot be written.
    pub fn finish(mut self) -> io::Result<Head> {
        self.out.flush()?;
        Ok(self.written)
    }

    fn write(&mut self, record: &Record, event: &UserPoolEvent) -> io::Result<()> {
        writeln!(self.batch, "{}", proto::to_json(event)?)?;
        if record.is_last_in_batch() {
            self.out.write_all(&self.batch)?;
            self.batch.clear();
            self.written = record.head();
        }
        Ok(())
    }
}
