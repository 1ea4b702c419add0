//! The signals that stop the server.

use std::{io, process};

use tokio::signal::unix::{Signal, SignalKind, signal};

/// The signals that stop the server: the first gracefully, the second at once.
pub(super) struct StopSignals {
    terminate: Signal,
    interrupt: Signal,
}

impl StopSignals {
    pub(super) fn listen() -> io::Result<Self> {
        let terminate = signal(SignalKind::terminate())?;
        Ok(Self { terminate, interrupt: signal(SignalKind::interrupt())? })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => (),
            _ = self.interrupt.recv() => (),
        }
    }

    /// Waits for the first signal. A second one then ends the process at once.
    pub(super) async fn first(mut self) {
        self.next().await;
        tokio::spawn(async move {
            self.next().await;
            tracing::warn!("stopped by a second signal, without waiting for running calls");
            // No cleanup, because that may hang. Acknowledged changes are durable.
            process::exit(1);
        });
    }
}
