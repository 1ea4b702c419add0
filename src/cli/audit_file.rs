//! The files that are verified and imported: compressed or not, and recognized by how they begin.

use std::{
    fs::File,
    io::{self, BufRead, Cursor, Read as _},
    path::Path,
};

use crate::audit::{ExportReader, FileKind};

use super::{compression::decompressed, error::CliError};

/// An export of which nothing is read yet.
pub(super) type Export = ExportReader<Box<dyn BufRead>>;

/// A file that was opened.
pub(super) enum AuditFile {
    /// A proof, or several of them.
    Proofs(String),
    /// An export, which need not be valid.
    Export(Export),
    /// Another file that this program or an auditor has.
    Other(FileKind),
}

impl AuditFile {
    /// Opens a file; `-` is standard input.
    ///
    /// # Errors
    /// It cannot be read, or is no file that an auditor has.
    pub(super) fn open(file: &Path) -> Result<Self, CliError> {
        if file.is_dir() {
            let path = file.display();
            return Err(CliError::argument(format!(
                "{path} is a directory; \"userpool log verify --data-dir {path}\" verifies the log \
                 of a stopped server"
            )));
        }
        let read = || {
            let mut input = if file == Path::new("-") {
                decompressed(io::stdin())
            } else {
                File::open(file).and_then(decompressed)
            }?;
            let mut beginning = Vec::new();
            (&mut input).take(FileKind::BEGINNING).read_to_end(&mut beginning)?;
            Self::recognize(beginning, input)
        };
        let opened = read().map_err(|error| CliError::file(file, &error))?;
        opened.ok_or_else(|| {
            // Not a wrong argument for sure: a damaged export looks like this, too.
            CliError::message(format!(
                "{} is neither an export, which \"userpool log export\" writes, nor a proof, which \
                 \"userpool proof\" writes",
                file.display()
            ))
        })
    }

    /// `None` if the file is none that an auditor has.
    fn recognize(beginning: Vec<u8>, rest: Box<dyn BufRead>) -> io::Result<Option<Self>> {
        let kind = FileKind::of(&beginning);
        // An export that is empty, or whose first line is damaged, is still taken for an export, so
        // that the error says what is wrong with it. Each of its lines is a whole document.
        let line = beginning.trim_ascii_start().split(|byte| *byte == b'\n').next();
        let first = line.map(<[u8]>::trim_ascii).filter(|line| *line != b"{");
        let is_line = first.is_some_and(|line| line.first().is_none_or(|byte| *byte == b'{'));
        let mut input = Cursor::new(beginning).chain(rest);
        Ok(match kind {
            Some(FileKind::Proof) => {
                let mut text = String::new();
                input.read_to_string(&mut text)?;
                Some(Self::Proofs(text))
            }
            Some(FileKind::Export) => Some(Self::Export(ExportReader::new(Box::new(input)))),
            Some(kind) => Some(Self::Other(kind)),
            None if is_line => Some(Self::Export(ExportReader::new(Box::new(input)))),
            None => None,
        })
    }
}
