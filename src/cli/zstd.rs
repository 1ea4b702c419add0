//! Streams that are compressed with Zstandard: frames one after another, each with the
//! checksum of its content.

use std::{
    io::{self, BufRead, Read, Write},
    mem,
};

use ruzstd::{
    decoding::{
        BlockDecodingStrategy, FrameDecoder,
        errors::{FrameDecoderError, ReadFrameHeaderError},
    },
    encoding::{CompressionLevel, compress_to_vec},
};

/// The first bytes of a frame.
const MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// How much of the content a frame holds. The encoder finds no repetition over more than
/// 128 KiB, so a longer frame would not be denser.
const FRAME_BYTES: usize = 1024 * 1024;

/// Whether an input that begins so is compressed with Zstandard.
pub(super) fn is_compressed(beginning: &[u8]) -> bool {
    beginning.starts_with(&MAGIC)
}

/// Compresses a stream.
pub(super) struct ZstdWriter<W> {
    out: W,
    /// The content of the next frame.
    content: Vec<u8>,
}

impl<W: Write> ZstdWriter<W> {
    pub(super) fn new(out: W) -> Self {
        Self { out, content: Vec::with_capacity(FRAME_BYTES) }
    }

    /// Writes the last frame.
    pub(super) fn finish(mut self) -> io::Result<W> {
        self.write_frame()?;
        Ok(self.out)
    }

    fn write_frame(&mut self) -> io::Result<()> {
        let frame = compress_to_vec(self.content.as_slice(), CompressionLevel::Fastest);
        self.content.clear();
        self.out.write_all(&frame)
    }
}

impl<W: Write> Write for ZstdWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let space = FRAME_BYTES.saturating_sub(self.content.len());
        let taken = bytes.get(..space).unwrap_or(bytes);
        self.content.extend_from_slice(taken);
        if self.content.len() >= FRAME_BYTES {
            self.write_frame()?;
        }
        Ok(taken.len())
    }

    /// Does not end the frame.
    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// Decompresses a stream.
pub(super) struct ZstdReader<R> {
    input: R,
    decoder: FrameDecoder,
    is_inside_frame: bool,
}

impl<R: BufRead> ZstdReader<R> {
    pub(super) fn new(input: R) -> Self {
        Self { input, decoder: FrameDecoder::new(), is_inside_frame: false }
    }

    /// Begins the next frame. Returns whether there is one.
    fn begin_frame(&mut self) -> io::Result<bool> {
        loop {
            if self.input.fill_buf()?.is_empty() {
                return Ok(false);
            }
            match self.decoder.reset(&mut self.input) {
                Ok(()) => return Ok(true),
                // A frame without content, which other encoders write for their own use.
                Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame {
                    length,
                    ..
                })) => {
                    let mut skipped = (&mut self.input).take(length.into());
                    if io::copy(&mut skipped, &mut io::sink())? < length.into() {
                        return Err(io::ErrorKind::UnexpectedEof.into());
                    }
                }
                Err(error) => return Err(damaged(error)),
            }
        }
    }

    /// Checks the content of a frame against the checksum that follows it, if there is one.
    fn end_frame(&mut self) -> io::Result<()> {
        self.is_inside_frame = false;
        match self.decoder.get_checksum_from_data() {
            Some(stated) if self.decoder.get_calculated_checksum() != Some(stated) => {
                Err(damaged("the content does not have its checksum"))
            }
            Some(_) | None => Ok(()),
        }
    }
}

impl<R: BufRead> Read for ZstdReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        loop {
            if !mem::replace(&mut self.is_inside_frame, true) && !self.begin_frame()? {
                self.is_inside_frame = false;
                return Ok(0);
            }
            while self.decoder.can_collect() == 0 && !self.decoder.is_finished() {
                let step = BlockDecodingStrategy::UptoBlocks(1);
                self.decoder.decode_blocks(&mut self.input, step).map_err(damaged)?;
            }
            let read = self.decoder.read(buffer)?;
            if read > 0 {
                return Ok(read);
            }
            self.end_frame()?;
        }
    }
}

fn damaged(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}
