//! Writes log lines to stderr, on a thread of its own: a stderr that nobody reads must not
//! stop the server. Lines that find no room in the buffer, or that cannot be written because
//! stderr is closed or its disk is full, are dropped and counted.
//!
//! Many lines are written at a time, because writing a single line costs a tenth of a call.

use std::{
    io::{self, Write as _},
    mem,
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

use tracing::{Level, Metadata};
use tracing_subscriber::fmt::MakeWriter;

/// How many bytes are buffered at most.
const MAX_BUFFERED: usize = 1024 * 1024;
/// How long a line waits for others to be written with it. Warnings and errors do not wait.
const DELAY: Duration = Duration::from_millis(10);
/// How long the end of the process waits for the last lines.
const END_TIMEOUT: Duration = Duration::from_secs(1);

/// How many lines this process has dropped.
static DROPPED: AtomicU64 = AtomicU64::new(0);

/// How many log lines this process has dropped because stderr did not take them.
pub(crate) fn dropped_lines() -> u64 {
    DROPPED.load(Ordering::Relaxed)
}

/// The writer of the log.
#[derive(Debug, Clone, Default)]
pub(super) struct Stderr(Arc<Buffer>);

#[derive(Debug, Default)]
struct Buffer {
    lines: Mutex<Lines>,
    /// Wakes the thread.
    wake: Condvar,
    /// Signals that everything is written.
    written: Condvar,
}

/// The lines that are not written yet.
#[derive(Debug, Default)]
struct Lines {
    bytes: Vec<u8>,
    /// Whether the thread waits for the first line.
    is_idle: bool,
    /// Whether one of them is a warning or an error.
    is_urgent: bool,
    /// Whether the thread has taken lines and is writing them.
    is_writing: bool,
}

/// Takes the line of one event.
#[derive(Debug)]
pub(super) struct LineWriter<'a> {
    buffer: &'a Buffer,
    is_urgent: bool,
}

impl Stderr {
    /// Starts the thread.
    ///
    /// # Errors
    /// The system cannot start another thread.
    pub(super) fn start(&self) -> io::Result<()> {
        let buffer = Arc::clone(&self.0);
        thread::Builder::new().name("stderr".to_owned()).spawn(move || buffer.write_lines())?;
        Ok(())
    }

    /// Waits until all lines are written, or until stderr has not taken them for a second.
    pub(super) fn finish(&self) {
        let mut lines = self.0.lock();
        lines.is_urgent = true;
        self.0.wake.notify_one();
        let unwritten = |lines: &mut Lines| lines.is_writing || !lines.bytes.is_empty();
        // On a timeout, the lines are lost.
        let _ = self.0.written.wait_timeout_while(lines, END_TIMEOUT, unwritten);
    }
}

impl Buffer {
    /// Writes lines until the process ends.
    fn write_lines(&self) {
        let mut writing = Vec::new();
        let mut reported = 0;
        loop {
            self.take(&mut writing);
            let is_written = io::stderr().write_all(&writing).is_ok();
            if !is_written {
                count_dropped(writing.split(|byte| *byte == b'\n').count().saturating_sub(1));
            }
            writing.clear();
            let dropped = dropped_lines();
            if is_written && dropped > reported {
                let lines = dropped.saturating_sub(reported);
                reported = dropped;
                tracing::warn!(lines, "log lines were dropped, because stderr did not take them");
            }
            let mut lines = self.lock();
            lines.is_writing = false;
            if lines.bytes.is_empty() {
                self.written.notify_all();
            }
        }
    }

    /// Waits for lines and moves them to `taken`, which is empty.
    fn take(&self, taken: &mut Vec<u8>) {
        let mut lines = self.lock();
        lines.is_idle = true;
        lines = wait(self.wake.wait_while(lines, |lines| lines.bytes.is_empty()));
        lines.is_idle = false;
        let (mut lines, _) =
            wait(self.wake.wait_timeout_while(lines, DELAY, |lines| !lines.is_urgent));
        lines.is_urgent = false;
        lines.is_writing = true;
        mem::swap(&mut lines.bytes, taken);
    }

    fn lock(&self) -> MutexGuard<'_, Lines> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn wait<T>(waited: Result<T, PoisonError<T>>) -> T {
    waited.unwrap_or_else(PoisonError::into_inner)
}

fn count_dropped(lines: usize) {
    DROPPED.fetch_add(u64::try_from(lines).unwrap_or(u64::MAX), Ordering::Relaxed);
}

impl<'a> MakeWriter<'a> for Stderr {
    type Writer = LineWriter<'a>;

    fn make_writer(&'a self) -> LineWriter<'a> {
        LineWriter { buffer: &self.0, is_urgent: true }
    }

    fn make_writer_for(&'a self, event: &Metadata<'_>) -> LineWriter<'a> {
        LineWriter { buffer: &self.0, is_urgent: *event.level() <= Level::WARN }
    }
}

impl io::Write for LineWriter<'_> {
    /// Takes a whole line.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let mut lines = self.buffer.lock();
        if lines.bytes.len().saturating_add(line.len()) > MAX_BUFFERED {
            count_dropped(1);
            return Ok(line.len());
        }
        lines.bytes.extend_from_slice(line);
        // The thread needs to be woken for the first line, and for the first urgent one.
        let wakes = mem::take(&mut lines.is_idle) || (self.is_urgent && !lines.is_urgent);
        lines.is_urgent |= self.is_urgent;
        drop(lines);
        if wakes {
            self.buffer.wake.notify_one();
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
