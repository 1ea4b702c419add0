//! The checkpoints in the database of the log, which all its servers add to and read.

use crate::{
    audit::checkpoint,
    event_log::{Position, PostgresCheckpoints},
    proto::SignedCheckpoint,
    telemetry::error_chain,
};

/// The checkpoints of a log that several servers share.
#[derive(Debug, Clone)]
pub(super) struct SharedCheckpoints(pub(super) PostgresCheckpoints);

impl SharedCheckpoints {
    /// Adds a checkpoint of the log up to `position`. Returns whether it was added, as far as is
    /// known.
    pub(super) async fn add(&self, position: Position, checkpoint: &SignedCheckpoint) -> bool {
        let added = match checkpoint::to_line(checkpoint) {
            Ok(line) => self.0.add(position, &line).await.map_err(|error| error_chain(&error)),
            Err(error) => Err(error_chain(&error)),
        };
        if let Err(error) = &added {
            tracing::warn!(error, "cannot write the checkpoint to the database");
        }
        added.is_ok()
    }

    /// The newest valid checkpoint for which this is true. A database that cannot be read has none.
    pub(super) async fn newest(
        &self,
        is_searched: impl Fn(&SignedCheckpoint) -> bool,
    ) -> Option<SignedCheckpoint> {
        let mut before = None;
        loop {
            let page = match self.0.newest(before).await {
                Ok(page) => page,
                Err(error) => {
                    let error = error_chain(&error);
                    tracing::warn!(error, "cannot read the checkpoints in the database");
                    return None;
                }
            };
            before = Some(page.last()?.id);
            let mut checkpoints = page.iter().filter_map(|row| checkpoint::from_line(&row.text));
            if let Some(found) = checkpoints.find(|checkpoint| is_searched(checkpoint)) {
                return Some(found);
            }
        }
    }
}
