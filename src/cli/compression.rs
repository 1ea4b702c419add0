//! Compressed files: written as their names say, read as their contents say.

use std::{
    ffi::OsStr,
    io::{self, BufRead, BufReader, BufWriter, ErrorKind, Read, Write},
    path::Path,
};

use flate2::{bufread::MultiGzDecoder, write::GzEncoder};

use super::zstd::{self, ZstdReader, ZstdWriter};

/// The first bytes of a file that is compressed with gzip.
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// Writes a file, compressed as its name says. It is complete only after [`Self::finish`].
pub(super) enum CompressedWriter<W: Write> {
    Plain(BufWriter<W>),
    Gzip(GzEncoder<BufWriter<W>>),
    Zstd(ZstdWriter<BufWriter<W>>),
}

impl<W: Write + Send + 'static> CompressedWriter<W> {
    /// Compresses with gzip if the name ends in `.gz`, with Zstandard if in `.zst`.
    pub(super) fn new(name: Option<&Path>, out: W) -> Self {
        let out = BufWriter::new(out);
        match name.and_then(Path::extension).and_then(OsStr::to_str) {
            Some("gz") => Self::Gzip(GzEncoder::new(out, flate2::Compression::default())),
            Some("zst") => Self::Zstd(ZstdWriter::new(out)),
            Some(_) | None => Self::Plain(out),
        }
    }

    /// Writes everything that is not written yet.
    pub(super) fn finish(self) -> io::Result<()> {
        match self {
            Self::Plain(mut out) => out.flush(),
            Self::Gzip(out) => out.finish()?.flush(),
            Self::Zstd(out) => out.finish()?.flush(),
        }
    }
}

impl<W: Write + Send + 'static> Write for CompressedWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(out) => out.write(bytes),
            Self::Gzip(out) => out.write(bytes),
            Self::Zstd(out) => out.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(out) => out.flush(),
            Self::Gzip(out) => out.flush(),
            Self::Zstd(out) => out.flush(),
        }
    }
}

/// Decompresses the input if it begins as gzip or Zstandard does. An input that ends inside
/// its compressed form, or does not have its checksum, is an error where that shows.
pub(super) fn decompressed(input: impl Read + 'static) -> io::Result<Box<dyn BufRead>> {
    let mut input = BufReader::new(input);
    let beginning = input.fill_buf()?;
    if beginning.starts_with(&GZIP) {
        // A file may consist of several compressed parts.
        Ok(Box::new(BufReader::new(Decompressed(MultiGzDecoder::new(input)))))
    } else if zstd::is_compressed(beginning) {
        Ok(Box::new(BufReader::new(Decompressed(ZstdReader::new(input)))))
    } else {
        Ok(Box::new(input))
    }
}

/// Decompressed data. Its errors have the same words for every kind of compression.
struct Decompressed<R>(R);

impl<R: Read> Read for Decompressed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Self(decoder) = self;
        decoder.read(buffer).map_err(|error| {
            let is_damage = matches!(
                error.kind(),
                ErrorKind::InvalidData | ErrorKind::InvalidInput | ErrorKind::UnexpectedEof
            );
            let damage = "the compressed data is damaged, or ends too early";
            if is_damage { io::Error::new(error.kind(), damage) } else { error }
        })
    }
}
