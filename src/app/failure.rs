//! How an application fails, and what the commands are told that it does not answer.

use std::future::pending;

use super::{App, ExecuteError, Failure, writer::WriterState};

impl App {
    /// Waits until the writer has failed, or damage is found in the read model. After that,
    /// no command is acknowledged.
    pub async fn failed(&self) -> Failure {
        let (mut state, mut damaged) = (self.writer_state.clone(), self.read_model.damaged());
        let writer = async {
            loop {
                if let WriterState::Failed(failure) = *state.borrow_and_update() {
                    return failure;
                }
                if state.changed().await.is_err() {
                    // The writer ended without a failure, so it never fails.
                    return pending().await;
                }
            }
        };
        let read_model = async {
            if damaged.wait_for(|damaged| *damaged).await.is_err() {
                pending::<()>().await;
            }
        };
        let forked = async {
            match self.history.shared() {
                Some(shared) => shared.fork().await,
                None => pending().await,
            }
        };
        tokio::select! {
            biased;
            () = read_model => Failure::ReadModel,
            fork = forked => Failure::Forked(fork),
            failure = writer => failure,
        }
    }

    /// The error of a command that the writer did not answer because it failed, possibly after
    /// the append.
    pub(super) fn failed_error(&self) -> ExecuteError {
        self.forked.borrow().map_or(ExecuteError::LogUnavailable, ExecuteError::Forked)
    }

    pub(super) fn closed_error(&self) -> ExecuteError {
        match *self.writer_state.borrow() {
            WriterState::Failed(_) => self.failed_error(),
            WriterState::Running | WriterState::Ended => ExecuteError::ShuttingDown,
        }
    }
}
