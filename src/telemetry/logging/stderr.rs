//! Stderr, whoever has closed it, and however full its disk is: what cannot be told
//! is not told. It must not end the service.
//!
//! While there is much to say, many lines are written at a time: to write one costs
//! as much as a tenth of a call. What tells of trouble is written at once, with
//! everything that was said before it.

use std::{
    io::{self, Write as _},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::{sync::Notify, task};
use tracing::{Level, Metadata};
use tracing_subscriber::fmt::MakeWriter;

/// How much is held back, in bytes.
const HELD: usize = 64 * 1024;

/// Where lines are written to.
#[derive(Debug, Clone, Default)]
pub(super) struct Stderr(Arc<Lines>);

#[derive(Debug, Default)]
struct Lines {
    held: Mutex<Held>,
    /// Locked while lines are written, so that they leave in their order; empty
    /// otherwise.
    leaving: Mutex<Vec<u8>>,
    some: Notify,
}

/// Lines that are to be written.
#[derive(Debug, Default)]
struct Held {
    lines: Vec<u8>,
    /// Whether there is a task that writes them.
    watched: bool,
}

/// Takes the line of one event.
#[derive(Debug)]
pub(super) struct Line<'a> {
    lines: &'a Lines,
    at_once: bool,
}

impl Stderr {
    /// From here on lines may be held back, for as long as the runtime runs.
    pub(super) fn hold_back(&self) {
        lock(&self.0.held).watched = true;
        tokio::spawn(Watch(Arc::clone(&self.0)).run());
    }
}

impl Lines {
    fn write(&self) {
        let mut leaving = lock(&self.leaving);
        std::mem::swap(&mut *leaving, &mut lock(&self.held).lines);
        let _ = io::stderr().write_all(&leaving);
        leaving.clear();
    }
}

impl<'a> MakeWriter<'a> for Stderr {
    type Writer = Line<'a>;

    fn make_writer(&'a self) -> Line<'a> {
        Line { lines: &self.0, at_once: true }
    }

    fn make_writer_for(&'a self, event: &Metadata<'_>) -> Line<'a> {
        Line { lines: &self.0, at_once: *event.level() <= Level::WARN }
    }
}

impl io::Write for Line<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let (first, full) = {
            let mut held = lock(&self.lines.held);
            let first = held.lines.is_empty();
            held.lines.extend_from_slice(bytes);
            (first, !held.watched || held.lines.len() >= HELD)
        };
        if self.at_once || full {
            self.lines.write();
        } else if first {
            self.lines.some.notify_one();
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Writes what is held back, also when the runtime ends.
struct Watch(Arc<Lines>);

impl Watch {
    async fn run(self) {
        loop {
            self.0.some.notified().await;
            // Whoever is ready may have something to say, too.
            task::yield_now().await;
            self.0.write();
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        lock(&self.0.held).watched = false;
        self.0.write();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
