//! A log that servers share, as reads and health see it.

use std::{future::pending, time::Duration};

use tokio::{
    sync::watch,
    time::{Instant, sleep, timeout_at},
};

use crate::event_log::{EventLog, Fork, Head};

use super::{ReadSettings, append::RETRY_PAUSE, latest_head::LatestHead};

/// A log that servers share.
#[derive(Debug, Clone)]
pub(super) struct SharedLog {
    pub(super) settings: ReadSettings,
    pub(super) latest: LatestHead,
    pub(super) forked: watch::Sender<Option<Fork>>,
}

impl SharedLog {
    /// How the log has forked, if it has.
    pub(super) fn known_fork(&self) -> Option<Fork> {
        *self.forked.borrow()
    }

    /// Waits until the log has forked.
    pub(super) async fn fork(&self) -> Fork {
        let mut forked = self.forked.subscribe();
        match forked.wait_for(Option::is_some).await.ok().and_then(|fork| *fork) {
            Some(fork) => fork,
            // Nobody looks any more.
            None => pending().await,
        }
    }

    /// The end of the log; `None` if it did not say that before the deadline, or has forked.
    pub(super) async fn latest_by(&self, deadline: Instant) -> Option<Head> {
        let ask = async {
            loop {
                match self.latest.ask().await {
                    Some(head) => return Some(head),
                    None if self.known_fork().is_some() => return None,
                    None => sleep(RETRY_PAUSE).await,
                }
            }
        };
        timeout_at(deadline, ask).await.ok().flatten()
    }

    /// How long ago the log was last heard of, if that is longer than reads of this server allow.
    pub(super) fn too_long_silence(&self, log: &dyn EventLog) -> Option<Duration> {
        let silence = log.last_contact().map(|heard| heard.elapsed())?;
        (silence > self.settings.max_staleness).then_some(silence)
    }
}
