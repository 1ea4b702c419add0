//! The writer's queue.

use tokio::{
    sync::{mpsc, oneshot, watch},
    time::Instant,
};

use crate::user_pool::CheckedCommand;

use super::{Context, ExecuteError, Outcome};

/// The maximum number of commands in a batch.
pub(super) const MAX_BATCH: usize = 512;

/// A command in the writer's queue.
#[derive(Debug)]
pub(super) struct Job {
    /// Taken when it is decided, unless it may have to be decided again.
    pub(super) checked: Option<CheckedCommand>,
    pub(super) context: Context,
    pub(super) sent_at: Instant,
    pub(super) answer: oneshot::Sender<Result<Outcome, ExecuteError>>,
}

/// The writer's queue, and whether the application is closed.
#[derive(Debug)]
pub(super) struct Jobs {
    pub(super) waiting: mpsc::Receiver<Job>,
    pub(super) closed: watch::Receiver<bool>,
}

impl Jobs {
    /// Waits for commands and takes them. Returns 0 after the last command.
    pub(super) async fn next(&mut self, batch: &mut Vec<Job>) -> usize {
        tokio::select! {
            biased;
            () = closed(&mut self.closed) => {
                self.waiting.close();
                self.waiting.recv_many(batch, MAX_BATCH).await
            }
            taken = self.waiting.recv_many(batch, MAX_BATCH) => taken,
        }
    }

    /// Takes the commands that are waiting, up to a whole batch.
    pub(super) fn fill(&mut self, batch: &mut Vec<Job>) {
        while batch.len() < MAX_BATCH
            && let Ok(job) = self.waiting.try_recv()
        {
            batch.push(job);
        }
    }
}

async fn closed(closed: &mut watch::Receiver<bool>) {
    // An error means that the application was dropped, which closes it as well.
    closed.wait_for(|closed| *closed).await.map(|_| ()).ok();
}
