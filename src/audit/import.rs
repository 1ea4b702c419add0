//! Reading an export and verifying every record of it.

use std::io::{self, BufRead, Read as _};

use crate::event_log::Record;

use super::{mismatch::Mismatch, verifier::Verifier};

/// The limits of a page.
const MAX_PAGE_BYTES: usize = 4 * 1024 * 1024;
const MAX_PAGE_RECORDS: usize = 4096;

/// The longest line that is read. A request has at most 1 MiB, so no event comes near it.
const MAX_LINE_BYTES: u64 = 64 * 1024 * 1024;

/// Why an export cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// A line of the export is not valid.
    #[error("line {line}")]
    Line {
        /// The number of the line in the export, from 1.
        line: u64,
        /// What is wrong with it.
        source: Mismatch,
    },
    /// A line of the export is blank.
    #[error("line {0} is blank, but each line of an export is an event")]
    BlankLine(u64),
    /// The export has no line.
    #[error("the export is empty")]
    Empty,
    /// The export cannot be read.
    #[error("cannot read line {line}")]
    Io {
        /// The number of the line.
        line: u64,
        /// The cause.
        source: io::Error,
    },
}

/// Reads one export page by page. Consecutive exports of one log are read one after another,
/// with one [`Verifier`].
#[derive(Debug)]
pub struct ExportReader<R> {
    export: R,
    /// How many lines were read.
    line: u64,
}

impl<R: BufRead> ExportReader<R> {
    /// A reader that has read nothing yet.
    pub const fn new(export: R) -> Self {
        Self { export, line: 0 }
    }

    /// The next records, as many as fit into a page, which the verifier has taken; none at the
    /// end.
    ///
    /// # Errors
    /// See [`ImportError`].
    pub fn next_page(&mut self, verifier: &mut Verifier) -> Result<Vec<Record>, ImportError> {
        let mut page = Vec::new();
        let mut bytes = 0_usize;
        while bytes < MAX_PAGE_BYTES && page.len() < MAX_PAGE_RECORDS {
            let Some(text) = self.next_line()? else {
                break;
            };
            let line = self.line;
            if text.trim().is_empty() {
                return Err(ImportError::BlankLine(line));
            }
            let taken = verifier.push_line(&text).map_err(|mismatch| {
                let source = if line == 1 { mismatch.at_beginning() } else { mismatch };
                ImportError::Line { line, source }
            })?;
            bytes = bytes.saturating_add(text.len());
            page.extend(taken);
        }
        if self.line == 0 {
            return Err(ImportError::Empty);
        }
        Ok(page)
    }

    /// The next line, which need not end; `None` at the end.
    fn next_line(&mut self) -> Result<Option<String>, ImportError> {
        let line = self.line.saturating_add(1);
        let io_error = |source| ImportError::Io { line, source };
        let mut text = String::new();
        let mut limited = (&mut self.export).take(MAX_LINE_BYTES);
        let read = limited.read_line(&mut text).map_err(io_error)?;
        if read == 0 {
            return Ok(None);
        }
        self.line = line;
        if limited.limit() == 0 {
            let limit = MAX_LINE_BYTES / 1024 / 1024;
            return Err(io_error(io::Error::other(format!("it is longer than {limit} MiB"))));
        }
        Ok(Some(text))
    }
}
