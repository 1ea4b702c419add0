//! The task that accepts the connections of a listener and serves them.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::watch,
    task::{JoinError, JoinHandle},
    time,
};

use crate::transport::abort::{AbortSignal, WriteProgress};

/// How long running calls may take after the shutdown begins.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(30);

/// A running task. Dropping it stops it at once.
#[derive(Debug)]
pub(super) struct AcceptTask {
    task: JoinHandle<()>,
    drain: watch::Sender<bool>,
    abort: watch::Sender<bool>,
    progress: Arc<WriteProgress>,
}

/// The signals that end the task.
#[derive(Debug)]
pub(super) struct ShutdownSignals {
    /// Becomes true when no more connections are accepted and the open ones are to end.
    pub(super) drain: watch::Receiver<bool>,
    /// Says when the open connections end at once.
    pub(super) abort: AbortSignal,
}

impl AcceptTask {
    /// Starts the task that `serve` makes.
    pub(super) fn spawn<F>(serve: impl FnOnce(ShutdownSignals) -> F) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let (drain, drained) = watch::channel(false);
        let (abort, progress, aborted) = AbortSignal::new();
        let task = tokio::spawn(serve(ShutdownSignals { drain: drained, abort: aborted }));
        Self { task, drain, abort, progress }
    }

    /// Accepts no more connections, waits for the running calls, and closes. Does not wait for
    /// connections after `idle`, when no call runs. Returns whether calls had to be aborted.
    ///
    /// # Errors
    /// The task panicked.
    pub(super) async fn drain(
        &mut self,
        idle: impl Future<Output = ()>,
    ) -> Result<bool, JoinError> {
        self.progress.start();
        self.drain.send_replace(true);
        let drained = time::timeout(DRAIN_TIMEOUT, async {
            tokio::select! {
                result = self.join() => Some(result),
                () = idle => None,
            }
        });
        let drained = drained.await;
        self.abort.send_replace(true);
        let has_aborted = drained.is_err();
        match drained {
            Ok(Some(result)) => result?,
            Ok(None) | Err(_) => self.join().await?,
        }
        Ok(has_aborted)
    }

    /// What was written to the connections since the drain.
    pub(super) fn progress(&self) -> Arc<WriteProgress> {
        Arc::clone(&self.progress)
    }

    /// Waits until all connections are closed.
    ///
    /// # Errors
    /// The task panicked.
    pub(super) async fn join(&mut self) -> Result<(), JoinError> {
        (&mut self.task).await
    }
}

impl Drop for AcceptTask {
    fn drop(&mut self) {
        self.task.abort();
        self.abort.send_replace(true);
    }
}
