//! How well this server reaches and follows a log that servers share.

use std::time::Duration;

use tokio::time::{Instant, timeout};

use crate::event_log::Position;

use super::{History, shared_log::SharedLog};

/// How long the log may take to say its end.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(1);

/// Asks a log that servers share for its end, and remembers what is not visible yet.
#[derive(Debug)]
pub struct LogContact {
    history: History,
    shared: SharedLog,
    /// When the log last answered.
    heard_at: Instant,
    /// The first end of the log that was not visible when it was told, and when that was.
    pending: Option<(Position, Instant)>,
}

/// How far a server is behind the log, and how long ago it heard of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Contact {
    /// How long an event has not been visible that the log has.
    pub lag: Duration,
    /// How long the log has not answered.
    pub silence: Duration,
}

impl LogContact {
    pub(super) fn new(history: History, shared: SharedLog) -> Self {
        Self { history, shared, heard_at: Instant::now(), pending: None }
    }

    /// Asks the log for its end.
    pub async fn ask(&mut self) -> Contact {
        let answer = timeout(ANSWER_TIMEOUT, self.shared.latest.ask()).await.ok().flatten();
        let now = Instant::now();
        let visible = self.history.head().position;
        self.pending = self.pending.filter(|(position, _)| *position > visible);
        if let Some(end) = answer {
            self.heard_at = now;
            if end.position > visible {
                self.pending.get_or_insert((end.position, now));
            }
        }
        let lag = self.pending.map(|(_, since)| now - since).unwrap_or_default();
        Contact { lag, silence: now - self.heard_at }
    }
}
