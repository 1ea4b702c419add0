//! Streams that are compressed with Zstandard: one frame is written, with the checksum of its
//! content, and any number of frames is read.

use std::{
    cell::RefCell,
    error::Error,
    io::{self, BufRead, Cursor, Read, Write},
    mem,
    rc::Rc,
    sync::mpsc::{Receiver, SyncSender, sync_channel},
    thread::{self, JoinHandle},
};

use ruzstd::{
    decoding::{
        BlockDecodingStrategy, FrameDecoder,
        errors::{FrameDecoderError, ReadFrameHeaderError},
    },
    encoding::{CompressionLevel, FrameCompressor},
};

/// The first bytes of a frame.
const MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// How much of the content is passed to the compressor at a time.
const CHUNK_BYTES: usize = 128 * 1024;

/// Whether an input that begins so is compressed with Zstandard.
pub(super) fn is_compressed(beginning: &[u8]) -> bool {
    beginning.starts_with(&MAGIC)
}

/// Compresses a stream as one frame, so that a truncated file is detected.
///
/// The encoder reads its content, so it runs on a thread of its own.
pub(super) struct ZstdWriter<W> {
    chunk: Vec<u8>,
    /// Takes the chunks, and `None` at the end.
    chunks: SyncSender<Option<Vec<u8>>>,
    compressor: Option<JoinHandle<io::Result<W>>>,
}

impl<W: Write + Send + 'static> ZstdWriter<W> {
    pub(super) fn new(out: W) -> Self {
        let (chunks, received) = sync_channel(1);
        #[expect(clippy::disallowed_methods, reason = "no simulation runs a command")]
        let compressor = thread::spawn(move || compress(received, out));
        Self { chunk: Vec::with_capacity(CHUNK_BYTES), chunks, compressor: Some(compressor) }
    }

    /// Ends the frame.
    pub(super) fn finish(mut self) -> io::Result<W> {
        self.send_chunk()?;
        // If the compressor has failed, it says why.
        let _ = self.chunks.send(None);
        self.join()
    }

    fn send_chunk(&mut self) -> io::Result<()> {
        let chunk = mem::replace(&mut self.chunk, Vec::with_capacity(CHUNK_BYTES));
        match self.chunks.send(Some(chunk)) {
            Ok(()) => Ok(()),
            Err(_) => self.join().map(drop),
        }
    }

    /// Waits for the end of the compressor.
    fn join(&mut self) -> io::Result<W> {
        let ended = self.compressor.take().map(JoinHandle::join);
        ended.and_then(Result::ok).unwrap_or_else(|| Err(io::Error::other("the encoder failed")))
    }
}

impl<W: Write + Send + 'static> Write for ZstdWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let space = CHUNK_BYTES.saturating_sub(self.chunk.len());
        let taken = bytes.get(..space).unwrap_or(bytes);
        self.chunk.extend_from_slice(taken);
        if self.chunk.len() >= CHUNK_BYTES {
            self.send_chunk()?;
        }
        Ok(taken.len())
    }

    /// Writes nothing, because the frame goes on.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Compresses the chunks until `None` arrives. If the channel closes before it, the frame stays
/// incomplete.
fn compress<W: Write>(chunks: Receiver<Option<Vec<u8>>>, out: W) -> io::Result<W> {
    let failure = Rc::default();
    let content = Content { chunks, chunk: Cursor::default(), failure: Rc::clone(&failure) };
    let mut encoder = FrameCompressor::new(CompressionLevel::Fastest);
    encoder.set_source(content);
    encoder.set_drain(Frame { out, failure: Rc::clone(&failure) });
    encoder.compress();
    let frame = encoder.take_drain();
    match (failure.take(), frame) {
        (None, Some(frame)) => Ok(frame.out),
        (failure, _) => Err(failure.unwrap_or_else(|| io::ErrorKind::Other.into())),
    }
}

/// Why the frame is not written on. The encoder itself expects that nothing fails.
type Failure = Rc<RefCell<Option<io::Error>>>;

/// What the encoder reads.
struct Content {
    chunks: Receiver<Option<Vec<u8>>>,
    chunk: Cursor<Vec<u8>>,
    failure: Failure,
}

impl Read for Content {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let read = self.chunk.read(buffer)?;
            if read > 0 || buffer.is_empty() || self.failure.borrow().is_some() {
                return Ok(read);
            }
            match self.chunks.recv() {
                Ok(Some(chunk)) => self.chunk = Cursor::new(chunk),
                Ok(None) => return Ok(0),
                Err(_) => *self.failure.borrow_mut() = Some(io::ErrorKind::Interrupted.into()),
            }
        }
    }
}

/// What the encoder writes.
struct Frame<W> {
    out: W,
    failure: Failure,
}

impl<W: Write> Write for Frame<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.failure.borrow().is_none()
            && let Err(error) = self.out.write_all(bytes)
        {
            *self.failure.borrow_mut() = Some(error);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
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
                Err(error) => return Err(damaged(&error)),
            }
        }
    }

    /// Checks the content of a frame against the checksum that follows it, if there is one.
    fn end_frame(&mut self) -> io::Result<()> {
        self.is_inside_frame = false;
        match self.decoder.get_checksum_from_data() {
            Some(stated) if self.decoder.get_calculated_checksum() != Some(stated) => {
                Err(io::ErrorKind::InvalidData.into())
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
                self.decoder
                    .decode_blocks(&mut self.input, step)
                    .map_err(|error| damaged(&error))?;
            }
            let read = self.decoder.read(buffer)?;
            if read > 0 {
                return Ok(read);
            }
            self.end_frame()?;
        }
    }
}

/// The error of the input that the decoder met, or else the one of its data.
fn damaged(error: &FrameDecoderError) -> io::Error {
    let mut cause: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<io::Error>() {
            return io::Error::new(error.kind(), error.to_string());
        }
        cause = error.source();
    }
    io::ErrorKind::InvalidData.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Text that repeats itself now and then, as an export does.
    fn content(length: usize) -> Vec<u8> {
        let mut state = 7_u32;
        let words = std::iter::repeat_with(|| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            format!("{{\"word\":\"{}\"}}\n", state >> 20)
        });
        words.flat_map(String::into_bytes).take(length).collect()
    }

    #[test]
    fn a_stream_of_any_length_is_read_as_it_was_written() {
        let lengths = [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 3_500_000];
        for length in lengths {
            let content = content(length);
            let mut writer = ZstdWriter::new(Vec::new());
            content.chunks(70_001).for_each(|chunk| writer.write_all(chunk).expect("memory"));
            let compressed = writer.finish().expect("memory");
            assert!(is_compressed(&compressed), "{length}");
            let mut read = Vec::new();
            ZstdReader::new(compressed.as_slice()).read_to_end(&mut read).expect("whole");
            assert!(read == content, "{length}");
            for length in (1..compressed.len()).step_by(compressed.len() / 64 + 1) {
                let short = compressed.get(..length).unwrap_or_default();
                ZstdReader::new(short).read_to_end(&mut Vec::new()).expect_err("cut");
            }
        }
    }

    /// Fails after a number of bytes.
    struct Disk(usize);

    impl Write for Disk {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 = self.0.checked_sub(bytes.len()).ok_or(io::ErrorKind::StorageFull)?;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_full_disk_is_reported_before_the_end() {
        let mut writer = ZstdWriter::new(Disk(200_000));
        let written = writer.write_all(&content(10_000_000)).expect_err("a full disk");
        assert_eq!(written.kind(), io::ErrorKind::StorageFull);
        let mut writer = ZstdWriter::new(Disk(100));
        writer.write_all(&content(1000)).expect("not written yet");
        let finished = writer.finish().err().map(|error| error.kind());
        assert_eq!(finished, Some(io::ErrorKind::StorageFull));
    }

    #[test]
    fn frames_of_other_encoders_without_content_are_skipped() {
        let mut writer = ZstdWriter::new(Vec::new());
        writer.write_all(b"content").expect("memory");
        let frame = writer.finish().expect("memory");
        let skippable = [&[0x5a, 0x2a, 0x4d, 0x18, 3, 0, 0, 0][..], b"own"].concat();
        let stream = [&frame[..], &skippable, &frame].concat();
        let mut read = String::new();
        ZstdReader::new(stream.as_slice()).read_to_string(&mut read).expect("whole");
        assert_eq!(read, "contentcontent");
        let cut = stream.get(..frame.len() + skippable.len() - 1).unwrap_or_default();
        ZstdReader::new(cut).read_to_end(&mut Vec::new()).expect_err("cut");
    }
}
