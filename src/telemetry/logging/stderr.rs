//! Writes log lines to stderr. A line that cannot be written, because stderr is closed
//! or its disk is full, is lost: logging must not stop the server.
//!
//! Under load, many lines are written at a time, because writing a single line costs a
//! tenth of a call. Warnings and errors are written at once, with all lines before them.

use std::{
    io::{self, Write as _},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::{sync::Notify, task};
use tracing::{Level, Metadata};
use tracing_subscriber::fmt::MakeWriter;

/// How many bytes are buffered at most.
const MAX_BUFFERED: usize = 64 * 1024;

/// The writer of the log.
#[derive(Debug, Clone, Default)]
pub(super) struct Stderr(Arc<LineQueue>);

#[derive(Debug, Default)]
struct LineQueue {
    pending: Mutex<PendingLines>,
    /// Locked while lines are written, so that they keep their order; otherwise empty.
    writing: Mutex<Vec<u8>>,
    /// Wakes the task when there are lines to write.
    has_lines: Notify,
}

/// The lines that are not written yet.
#[derive(Debug, Default)]
struct PendingLines {
    bytes: Vec<u8>,
    /// Whether a task writes them.
    has_task: bool,
}

/// Takes the line of one event.
#[derive(Debug)]
pub(super) struct LineWriter<'a> {
    queue: &'a LineQueue,
    is_urgent: bool,
}

impl Stderr {
    /// Starts buffering lines, until the runtime ends.
    pub(super) fn start_buffering(&self) {
        lock(&self.0.pending).has_task = true;
        tokio::spawn(WriteTask(Arc::clone(&self.0)).run());
    }
}

impl LineQueue {
    fn write(&self) {
        let mut writing = lock(&self.writing);
        std::mem::swap(&mut *writing, &mut lock(&self.pending).bytes);
        let _ = io::stderr().write_all(&writing);
        writing.clear();
    }
}

impl<'a> MakeWriter<'a> for Stderr {
    type Writer = LineWriter<'a>;

    fn make_writer(&'a self) -> LineWriter<'a> {
        LineWriter { queue: &self.0, is_urgent: true }
    }

    fn make_writer_for(&'a self, event: &Metadata<'_>) -> LineWriter<'a> {
        LineWriter { queue: &self.0, is_urgent: *event.level() <= Level::WARN }
    }
}

impl io::Write for LineWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let (is_first, is_full) = {
            let mut pending = lock(&self.queue.pending);
            let is_first = pending.bytes.is_empty();
            pending.bytes.extend_from_slice(bytes);
            (is_first, !pending.has_task || pending.bytes.len() >= MAX_BUFFERED)
        };
        if self.is_urgent || is_full {
            self.queue.write();
        } else if is_first {
            self.queue.has_lines.notify_one();
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Writes the pending lines, the last ones when the runtime ends.
struct WriteTask(Arc<LineQueue>);

impl WriteTask {
    async fn run(self) {
        loop {
            self.0.has_lines.notified().await;
            // Tasks that are ready may add lines.
            task::yield_now().await;
            self.0.write();
        }
    }
}

impl Drop for WriteTask {
    fn drop(&mut self) {
        lock(&self.0.pending).has_task = false;
        self.0.write();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
