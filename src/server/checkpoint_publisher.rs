//! The checkpoints that the server signs at an interval and at each stop: what an auditor compares
//! with. Servers that share a log also share its checkpoints, so that one of them signs in each
//! interval, unless two do so at the same moment.

use std::{convert::Infallible, future::pending, io, str::FromStr, sync::Arc, time::Duration};

use chrono::TimeDelta;
use futures_util::future::join_all;
use tokio::{task, time::sleep};

use crate::{
    app::App,
    audit::{
        NoteKey, NoteSignature,
        checkpoint::{KeyError, Signer},
    },
    event_log::Position,
    telemetry::{
        error_chain,
        metrics::{CheckpointMetrics, CosignatureOutcome},
    },
};

use super::{
    checkpoint_store::{CheckpointStore, PublishedCheckpoint},
    witness_client::{CosignError, WitnessClient},
};

/// The value that turns the interval off.
const OFF: &str = "off";
/// The shortest interval: the file of the checkpoints grows with each.
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

/// Signs checkpoints, asks witnesses to cosign them, and keeps them.
#[derive(Debug)]
pub(super) struct CheckpointPublisher {
    pub(super) app: Arc<App>,
    pub(super) signer: Arc<Signer>,
    pub(super) store: CheckpointStore,
    pub(super) interval: CheckpointInterval,
    pub(super) witnesses: Vec<WitnessClient>,
    pub(super) metrics: CheckpointMetrics,
}

impl CheckpointPublisher {
    /// Publishes a checkpoint after each interval, unless the log has not changed since the last
    /// one, or another server has published one in this interval. One that could not be written is
    /// published again after the next interval. The last one is published again with each new
    /// cosignature of a witness.
    pub(super) async fn run(&mut self) -> Infallible {
        let Some(interval) = self.interval.0 else { return pending().await };
        let mut last = self.store.last_in_file(&self.note_key()).await;
        loop {
            sleep(interval).await;
            Box::pin(self.publish_if_due(&mut last, interval)).await;
            self.show_witnessed().await;
        }
    }

    /// Copies the newest shared checkpoint, publishes one if none was signed in this interval, and
    /// asks witnesses.
    async fn publish_if_due(&mut self, last: &mut Option<PublishedCheckpoint>, interval: Duration) {
        let shared = self.store.newest_shared(&self.note_key(), 0).await;
        let head = self.app.history().head();
        if let Some(shared) = &shared
            // This server cannot prove yet that the log continues to what it has not read.
            && shared.head.position <= head.position
            && last.as_ref().is_none_or(|last| last.rank() < shared.rank())
            // Also in the file, because the database can lose the checkpoint.
            && self.store.copy(shared).await
        {
            *last = Some(shared.clone());
        }
        let is_published = last.as_ref().is_some_and(|last| last.head == head)
            || shared.as_ref().is_some_and(|shared| {
                // An older one beyond this server's end may be of records that the log has lost.
                shared.head == head || self.is_recent(shared, interval)
            });
        if !is_published && head.position > Position::START {
            // Without cosignatures first: witnesses may take their time.
            *last = self.publish().await.or(last.take());
        }
        let Some(last) = last else { return };
        // Witnesses do not cosign a checkpoint that is older than the newest.
        if shared.is_none_or(|shared| shared.head.position <= last.head.position) {
            self.store.add_again(last).await;
            self.add_cosignatures(last).await;
        }
    }

    /// Publishes a checkpoint now, without cosignatures. Returns it if it was written.
    pub(super) async fn publish(&self) -> Option<PublishedCheckpoint> {
        let state = self.app.history().state();
        let signed = self.signer.sign(&state, self.app.source().now());
        self.store.keep(PublishedCheckpoint::parse(signed)?).await
    }

    /// Asks all witnesses that have not cosigned a checkpoint at once, and publishes it with the
    /// new cosignatures, if there are any.
    async fn add_cosignatures(&mut self, last: &mut PublishedCheckpoint) {
        let (history, metrics) = (self.app.history(), &self.metrics);
        let PublishedCheckpoint { head, note, .. } = &*last;
        let missing = self.witnesses.iter_mut().filter(|witness| !witness.has_cosigned(note));
        let asked = join_all(missing.map(|witness| async move {
            let cosigned = witness.cosign(history, note, head.position.0).await;
            report(witness.name(), &cosigned, metrics);
            cosigned.ok()
        }));
        let cosignatures: Vec<_> = asked.await.into_iter().flatten().collect();
        if cosignatures.is_empty() {
            return;
        }
        let mut cosigned = last.clone();
        cosigned.note.signatures.extend(cosignatures);
        cosigned.signed.note = cosigned.note.to_string();
        if let Some(cosigned) = self.store.keep(cosigned).await {
            self.signer.set_witnessed(cosigned.signed.clone());
            *last = cosigned;
        }
    }

    /// Reads the newest checkpoint that a witness cosigned, for the answers to clients.
    pub(super) async fn read_witnessed(&self) -> Result<(), KeyError> {
        let (signer, path) = (Arc::clone(&self.signer), self.store.path().await);
        let (file, log_id) = (path.clone(), self.app.history().state().log_id);
        #[expect(clippy::disallowed_methods, reason = "a simulation has no such file")]
        let read = task::spawn_blocking(move || signer.read_witnessed(&file, log_id)).await;
        read.map_err(|error| KeyError::Io { path, source: io::Error::other(error) })??;
        self.show_witnessed().await;
        Ok(())
    }

    /// Shows clients the newest checkpoint for which any server has a cosignature.
    async fn show_witnessed(&self) {
        let own = self.signer.witnessed().and_then(PublishedCheckpoint::parse);
        if let Some(shared) = self.store.newest_shared(&self.note_key(), 1).await
            && own.is_none_or(|own| own.rank() < shared.rank())
        {
            self.signer.set_witnessed(shared.signed);
        }
    }

    /// Whether a checkpoint was signed less than 0.9 intervals ago. Less than a whole one, because
    /// the intervals of two servers do not begin together. False if its time is in the future.
    fn is_recent(&self, checkpoint: &PublishedCheckpoint, interval: Duration) -> bool {
        let age = self.app.source().now() - checkpoint.at;
        let interval = TimeDelta::from_std(interval / 10 * 9).unwrap_or(TimeDelta::MAX);
        age >= TimeDelta::zero() && age < interval
    }

    /// The key of the log's checkpoints, with the name of the log.
    fn note_key(&self) -> NoteKey {
        self.signer.note_key(self.app.history().state().log_id)
    }
}

/// Logs and counts what came of asking a witness.
fn report(
    witness: &str,
    cosigned: &Result<NoteSignature, CosignError>,
    metrics: &CheckpointMetrics,
) {
    let outcome = match cosigned {
        Ok(_) => CosignatureOutcome::Cosigned,
        Err(error) => {
            let is_refusal = error.is_refusal();
            let error = error_chain(error);
            tracing::warn!(witness, error, "a witness did not cosign the checkpoint");
            if is_refusal { CosignatureOutcome::Refused } else { CosignatureOutcome::Failed }
        }
    };
    metrics.count_cosignature(witness, outcome);
}
