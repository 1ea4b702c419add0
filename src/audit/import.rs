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
    /// The export is not valid.
    #[error(transparent)]
    Mismatch(#[from] Mismatch),
    /// The export cannot be read.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Reads an export page by page.
#[derive(Debug)]
pub struct Importer<R> {
    lines: Lines<R>,
    verifier: Verifier,
}

impl<R: BufRead> Importer<R> {
    /// An importer that has read nothing yet.
    pub fn new(export: R) -> Self {
        Self { lines: export.lines(), verifier: Verifier::default() }
    }

    /// The next records, as many as fit into a page; none at the end.
    ///
    /// # Errors
    /// See [`ImportError`].
    pub fn next_page(&mut self) -> Result<Vec<Record>, ImportError> {
        let mut page = Vec::new();
        let mut bytes = 0_usize;
        while bytes < MAX_PAGE_BYTES && page.len() < MAX_PAGE_RECORDS {
            let Some(line) = self.lines.next() else {
                self.verifier.finish()?;
                break;
            };
            let record = self.verifier.push_line(&line?)?;
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
