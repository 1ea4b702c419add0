//! The checkpoints that the server signs at an interval and at each stop, and keeps in the data
//! directory: what an auditor compares with.

use std::{
    convert::Infallible, future::pending, path::PathBuf, str::FromStr, sync::Arc, time::Duration,
};

use tokio::time::sleep;

use crate::{
    app::App,
    audit::checkpoint::{self, Signer},
    event_log::{Head, Position},
};

/// The value that turns the interval off.
const OFF: &str = "off";
/// The shortest interval: the file of the checkpoints is written again for each.
const MIN_INTERVAL: Duration = Duration::from_secs(1);

/// The time between two checkpoints. `None`: only at each stop.
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
    /// one. One that could not be written is published again after the next interval.
    pub(super) async fn run(&self) -> Infallible {
        let Some(interval) = self.interval.0 else { return pending().await };
        let mut last = self.last_published();
        loop {
            sleep(interval).await;
            let head = self.app.history().head();
            if head != last && head.position > Position::START {
                last = self.publish().unwrap_or(last);
            }
        }
    }

    /// Publishes a checkpoint now. Returns the end of the log in it, if it was written.
    pub(super) fn publish(&self) -> Option<Head> {
        let state = self.app.history().state();
        let signed = self.signer.sign(&state, self.app.source().now());
        match checkpoint::append(&self.path, &signed) {
            Ok(()) => {
                tracing::info!(position = %state.head.position, "checkpoint signed");
                Some(state.head)
            }
            Err(error) => {
                tracing::warn!(%error, "cannot write the checkpoint");
                None
            }
        }
    }

    /// The end of the log in the last checkpoint in the file, if it has the key of this server.
    fn last_published(&self) -> Head {
        // If the file cannot be read, writing it reports that.
        let last = checkpoint::last(&self.path).ok().flatten();
        let last = last.filter(|(_, key)| *key == self.signer.public_key());
        last.map_or_else(Head::default, |(head, _)| head)
    }
}
