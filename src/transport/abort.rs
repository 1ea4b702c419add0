//! The end of the connections of a listener: by force, or when nothing more is written to them.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

use tokio::sync::watch;

/// What a connection of a listener shares with the task that ends it.
#[derive(Debug, Clone)]
pub(crate) struct AbortSignal {
    /// Becomes true when the connection ends at once.
    pub(crate) signal: watch::Receiver<bool>,
    pub(crate) progress: Arc<WriteProgress>,
}

/// How often bytes were written to the sockets of a listener since it began to drain. Calls that
/// have ended can have much left to send to a client that reads slowly.
#[derive(Debug, Default)]
pub(crate) struct WriteProgress {
    /// False until the drain, so that calls before it do not share a counter.
    is_counting: AtomicBool,
    writes: AtomicU64,
}

impl AbortSignal {
    /// A signal with its sender, and the progress of its connections.
    pub(crate) fn new() -> (watch::Sender<bool>, Arc<WriteProgress>, Self) {
        let (sender, signal) = watch::channel(false);
        let progress = Arc::new(WriteProgress::default());
        (sender, Arc::clone(&progress), Self { signal, progress })
    }
}

impl WriteProgress {
    /// Begins to count.
    pub(crate) fn start(&self) {
        self.is_counting.store(true, Ordering::Relaxed);
    }

    /// The number of writes so far.
    pub(crate) fn writes(&self) -> u64 {
        self.writes.load(Ordering::Relaxed)
    }

    /// Counts a write.
    pub(crate) fn add(&self) {
        if self.is_counting.load(Ordering::Relaxed) {
            self.writes.fetch_add(1, Ordering::Relaxed);
        }
    }
}
