//! The lines of a file from its end, so that the last ones are found without reading the others.

use std::{fs::File, io, mem, os::unix::fs::FileExt as _, path::Path};

/// How many bytes are read at once.
const CHUNK_BYTES: u16 = 32 * 1024;

/// The lines of a file, last first, without their line feeds. If the file ends with a line feed,
/// the first one is empty.
#[derive(Debug)]
pub(crate) struct ReverseLines {
    file: File,
    /// Where `rest` begins in the file.
    start: u64,
    /// What has been read and not returned.
    rest: Vec<u8>,
}

impl ReverseLines {
    /// The lines of the file at `path`; `None` if there is no such file.
    pub(crate) fn open(path: &Path) -> io::Result<Option<Self>> {
        match File::open(path) {
            Ok(file) => Self::of(file).map(Some),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The lines of a file.
    pub(crate) fn of(file: File) -> io::Result<Self> {
        let start = file.metadata()?.len();
        Ok(Self { file, start, rest: Vec::new() })
    }

    /// Reads the chunk before `rest`.
    fn read_chunk(&mut self) -> io::Result<()> {
        let length = u16::try_from(self.start).map_or(CHUNK_BYTES, |start| start.min(CHUNK_BYTES));
        let start = self.start.saturating_sub(length.into());
        let mut chunk = vec![0; length.into()];
        self.file.read_exact_at(&mut chunk, start)?;
        chunk.append(&mut self.rest);
        (self.start, self.rest) = (start, chunk);
        Ok(())
    }
}

impl Iterator for ReverseLines {
    type Item = io::Result<Vec<u8>>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(feed) = self.rest.iter().rposition(|byte| *byte == b'\n') {
                let line = self.rest.split_off(feed.saturating_add(1));
                self.rest.truncate(feed);
                return Some(Ok(line));
            }
            if self.start == 0 {
                return (!self.rest.is_empty()).then(|| Ok(mem::take(&mut self.rest)));
            }
            if let Err(error) = self.read_chunk() {
                (self.start, self.rest) = (0, Vec::new());
                return Some(Err(error));
            }
        }
    }
}
