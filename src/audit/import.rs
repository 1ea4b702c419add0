//! Import: reading an export and verifying every record of it.

use std::io::{self, BufRead, Lines};

use crate::event_log::{Head, Record};

use super::{mismatch::Mismatch, verifier::Verifier};

/// The limits of a page.
const MAX_PAGE_BYTES: usize = 4 * 1024 * 1024;
const MAX_PAGE_RECORDS: usize = 4096;

/// Why an import fails.
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
    /// The export ends too early.
    #[error(transparent)]
    End(#[from] Mismatch),
    /// The export cannot be read.
    #[error("cannot read line {line}")]
    Io {
        /// The number of the line.
        line: u64,
        /// The cause.
        source: io::Error,
    },
}

/// Reads an export page by page.
#[derive(Debug)]
pub struct Importer<R> {
    lines: Lines<R>,
    /// How many lines were read.
    line: u64,
    verifier: Verifier,
}

impl<R: BufRead> Importer<R> {
    /// An importer that has read nothing yet.
    pub fn new(export: R) -> Self {
        Self { lines: export.lines(), line: 0, verifier: Verifier::default() }
    }

    /// The next records, as many as fit into a page; none at the end.
    ///
    /// # Errors
    /// See [`ImportError`].
    pub fn next_page(&mut self) -> Result<Vec<Record>, ImportError> {
        let mut page = Vec::new();
        let mut bytes = 0_usize;
        while bytes < MAX_PAGE_BYTES && page.len() < MAX_PAGE_RECORDS {
            let Some(text) = self.lines.next() else {
                self.verifier.finish()?;
                break;
            };
            self.line = self.line.saturating_add(1);
            let line = self.line;
            let text = text.map_err(|source| ImportError::Io { line, source })?;
            if text.trim().is_empty() {
                return Err(ImportError::BlankLine(line));
            }
            let record = self
                .verifier
                .push_line(&text)
                .map_err(|source| ImportError::Line { line, source })?;
            bytes = bytes.saturating_add(record.stored.len());
            page.push(record);
        }
        Ok(page)
    }

    /// The last record that was read.
    #[must_use]
    pub const fn head(&self) -> Head {
        self.verifier.head()
    }
}
