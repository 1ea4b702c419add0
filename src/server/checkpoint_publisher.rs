//! The checkpoints that the server signs unasked, every so often and at each stop, and keeps in
//! the data directory: what an auditor compares with.

use std::{
    convert::Infallible, future::pending, path::PathBuf, str::FromStr, sync::Arc, time::Duration,
};

use tokio::time::sleep;

use crate::{
    app::App,
    audit::checkpoint::{self, Signer},
    event_log::{Head, Position},
};

/// The name of an interval without end.
const OFF: &str = "off";
/// The shortest interval: the file of the checkpoints is written again for each.
const MIN_INTERVAL: Duration = Duration::from_secs(1);

/// The time between two checkpoints; none for those at each stop alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CheckpointInterval(pub Option<Duration>);

/// The text is not a [`CheckpointInterval`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected a duration of at least 1s, such as 10m or 1h, or off")]
pub struct CheckpointIntervalError;

impl FromStr for CheckpointInterval {
    type Err = CheckpointIntervalError;

    fn from_str(text: &str) -> Result<Self, CheckpointIntervalError> {
        let interval = match text {
            OFF => None,
            text => {
                let interval = humantime::parse_duration(text).ok();
                let interval = interval.filter(|interval| *interval >= MIN_INTERVAL);
                Some(interval.ok_or(CheckpointIntervalError)?)
            }
        };
        Ok(Self(interval))
    }
}

impl Default for CheckpointInterval {
    /// One hour.
    fn default() -> Self {
        Self(Some(Duration::from_hours(1)))
    }
}

/// Signs checkpoints, and appends them to a file.
#[derive(Debug)]
pub(super) struct CheckpointPublisher {
    pub(super) app: Arc<App>,
    pub(super) signer: Arc<Signer>,
    /// The file.
    pub(super) path: PathBuf,
    pub(super) interval: CheckpointInterval,
}

impl CheckpointPublisher {
    /// Publishes a checkpoint after each interval, unless the log has not changed since the last
    /// one.
    pub(super) async fn run(&self) -> Infallible {
        let Some(interval) = self.interval.0 else { return pending().await };
        let mut last = Head::default();
        loop {
            sleep(interval).await;
            let head = self.app.history().head();
            if head != last && head.position > Position::START {
                self.publish();
                last = head;
            }
        }
    }

    /// Publishes a checkpoint now.
    pub(super) fn publish(&self) {
        let state = self.app.history().state();
        let signed = self.signer.sign(&state, self.app.source().now());
        match checkpoint::append(&self.path, &signed) {
            Ok(()) => tracing::info!(position = %state.head.position, "checkpoint signed"),
            Err(error) => tracing::warn!(%error, "cannot write the checkpoint"),
        }
    }
}
