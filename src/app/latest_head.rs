//! Asks a log that servers share for its end, once for all calls that wait for it.
//!
//! One request is in flight at a time. A call that comes while one is in flight takes the
//! answer to the next one, because records may have been acknowledged since that one was sent.

use std::sync::Arc;

use tokio::sync::watch;

use crate::{
    event_log::{EventLog, Fork, Head, ReadError},
    telemetry::{WarnLimiter, error_chain},
};

#[cfg(sim_bugs)]
use super::planted_bugs::PlantedBug;
use super::{ReadMode, fork};

/// Asks for the end of the log. Clones share their requests.
#[derive(Debug, Clone)]
pub(super) struct LatestHead {
    /// The number of the last request that some call waits for.
    wanted: Arc<watch::Sender<u64>>,
    answered: watch::Receiver<Answer>,
}

/// The answer to a request.
#[derive(Debug, Clone, Copy, Default)]
struct Answer {
    /// The number of the request.
    request: u64,
    /// The end of the log; `None` if the log did not answer.
    head: Option<Head>,
}

/// Sends the requests.
pub(super) struct HeadReader {
    pub(super) log: Arc<dyn EventLog>,
    pub(super) mode: ReadMode,
    /// The last record that was projected.
    pub(super) visible: watch::Receiver<Head>,
    /// Where the answers go, so that they are projected.
    pub(super) told: watch::Sender<Head>,
    pub(super) forked: watch::Sender<Option<Fork>>,
}

impl LatestHead {
    /// Starts the task that sends the requests. It ends when the last clone is dropped.
    pub(super) fn start(reader: HeadReader) -> Self {
        let (wanted, requests) = watch::channel(0);
        let (answers, answered) = watch::channel(Answer::default());
        tokio::spawn(reader.run(requests, answers));
        Self { wanted: Arc::new(wanted), answered }
    }

    /// The end of the log, which includes every record that was acknowledged before the call.
    /// `None` if the log did not answer, or has forked.
    pub(super) async fn ask(&self) -> Option<Head> {
        let mut request = 0;
        self.wanted.send_modify(|wanted| {
            *wanted = wanted.saturating_add(1);
            request = *wanted;
        });
        #[cfg(sim_bugs)]
        if PlantedBug::EarlierQuestion.is_planted() {
            request = request.saturating_sub(1).max(self.answered.borrow().request + 1);
        }
        let mut answered = self.answered.clone();
        let answer = answered.wait_for(|answer| answer.request >= request).await;
        answer.ok().and_then(|answer| answer.head)
    }
}

impl HeadReader {
    /// Answers requests until the log forks.
    async fn run(self, requests: watch::Receiver<u64>, answers: watch::Sender<Answer>) {
        tokio::select! {
            biased;
            fork = self.log.forked() => fork::report(&self.forked, fork),
            () = self.answer(requests, answers) => (),
        }
    }

    async fn answer(&self, mut requests: watch::Receiver<u64>, answers: watch::Sender<Answer>) {
        let warnings = WarnLimiter::default();
        loop {
            let last = answers.borrow().request;
            let next = requests.wait_for(|request| *request > last).await.map(|next| *next);
            let Ok(request) = next else { return };
            let head = match self.read().await {
                Ok(head) => {
                    self.told.send_replace(head);
                    Some(head)
                }
                Err(error) => {
                    if let ReadError::Forked(fork) = &error {
                        fork::report(&self.forked, *fork);
                    } else if warnings.allow() {
                        tracing::warn!(error = error_chain(&error), "the log did not say its end");
                    }
                    None
                }
            };
            answers.send_replace(Answer { request, head });
        }
    }

    async fn read(&self) -> Result<Head, ReadError> {
        let heads = [*self.visible.borrow(), *self.told.borrow(), *self.log.head().borrow()];
        let known = heads.into_iter().max_by_key(|head| head.position).unwrap_or_default();
        let mode = self.mode;
        #[cfg(sim_bugs)]
        let mode = if PlantedBug::FormerPrimary.is_planted() { ReadMode::Latest } else { mode };
        let head = match mode {
            ReadMode::Strict => self.log.durable_head().await?,
            ReadMode::Latest | ReadMode::Local => self.log.latest().await?,
        };
        fork::check_end(known, head).map_err(ReadError::Forked)?;
        Ok(head)
    }
}
