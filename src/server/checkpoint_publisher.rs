//! The checkpoints that the server signs at an interval and at each stop, and keeps in the data
//! directory: what an auditor compares with.

use std::{
    convert::Infallible, future::pending, io, path::PathBuf, str::FromStr, sync::Arc,
    time::Duration,
};

use futures_util::future::join_all;
use tokio::{sync::Mutex, task, time::sleep};

use crate::{
    app::App,
    audit::{
        Note, NoteSignature,
        checkpoint::{self, KeyError, Signer},
    },
    event_log::{Head, LogId, Position},
    proto::SignedCheckpoint,
    telemetry::{
        error_chain,
        metrics::{CheckpointMetrics, CosignatureOutcome},
    },
};

use super::witness_client::{CosignError, WitnessClient};

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

/// Signs checkpoints, asks witnesses to cosign them, and appends them to a file.
#[derive(Debug)]
pub(super) struct CheckpointPublisher {
    pub(super) app: Arc<App>,
    pub(super) signer: Arc<Signer>,
    /// The file. Locked while it is written.
    pub(super) path: Arc<Mutex<PathBuf>>,
    pub(super) interval: CheckpointInterval,
    pub(super) witnesses: Vec<WitnessClient>,
    pub(super) metrics: CheckpointMetrics,
}

/// A checkpoint in the file.
#[derive(Debug, Clone)]
pub(super) struct PublishedCheckpoint {
    head: Head,
    note: Note,
    signed: SignedCheckpoint,
}

impl CheckpointPublisher {
    /// Publishes a checkpoint after each interval, unless the log has not changed since the last
    /// one. One that could not be written is published again after the next interval. The last
    /// one is published again with each new cosignature of a witness.
    pub(super) async fn run(&mut self) -> Infallible {
        let Some(interval) = self.interval.0 else { return pending().await };
        let mut last = self.last_published().await;
        loop {
            sleep(interval).await;
            let head = self.app.history().head();
            let is_published = last.as_ref().is_some_and(|last| last.head == head);
            if !is_published && head.position > Position::START {
                // Without cosignatures first: witnesses may take their time.
                last = self.publish().await.or(last);
            }
            if let Some(last) = &mut last {
                self.add_cosignatures(last).await;
            }
        }
    }

    /// Publishes a checkpoint now, without cosignatures. Returns it if it was written.
    pub(super) async fn publish(&self) -> Option<PublishedCheckpoint> {
        let state = self.app.history().state();
        let signed = self.signer.sign(&state, self.app.source().now());
        self.append(PublishedCheckpoint::parse(signed)?).await
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
        if let Some(cosigned) = self.append(cosigned).await {
            self.signer.set_witnessed(cosigned.signed.clone());
            *last = cosigned;
        }
    }

    /// Appends a checkpoint to the file. Returns it if it was written. If this is dropped, the
    /// write goes on, and the next one waits for it.
    async fn append(&self, checkpoint: PublishedCheckpoint) -> Option<PublishedCheckpoint> {
        let cosignatures = checkpoint.note.signatures.len().saturating_sub(1);
        let path = Arc::clone(&self.path).lock_owned().await;
        let signed = checkpoint.signed.clone();
        #[expect(clippy::disallowed_methods, reason = "a simulation has no such file")]
        let written = task::spawn_blocking(move || checkpoint::append(&path, &signed)).await;
        let written = written.map_err(io::Error::other).flatten();
        self.metrics.count_write(written.is_ok());
        match written {
            Ok(()) => {
                tracing::info!(position = %checkpoint.head.position, cosignatures, "checkpoint signed");
                Some(checkpoint)
            }
            Err(error) => {
                tracing::warn!(%error, "cannot write the checkpoint");
                None
            }
        }
    }

    /// Reads the newest checkpoint that a witness cosigned, for the answers to clients.
    pub(super) async fn read_witnessed(
        signer: &Arc<Signer>,
        path: PathBuf,
        log_id: Option<LogId>,
    ) -> Result<(), KeyError> {
        let (signer, file) = (Arc::clone(signer), path.clone());
        #[expect(clippy::disallowed_methods, reason = "a simulation has no such file")]
        let read = task::spawn_blocking(move || signer.read_witnessed(&file, log_id)).await;
        read.map_err(|error| KeyError::Io { path, source: io::Error::other(error) })?
    }

    /// The last checkpoint in the file, if it has the key and the name of this log. That of an
    /// empty log has the name of every empty log, so no witness is asked for it.
    async fn last_published(&self) -> Option<PublishedCheckpoint> {
        let key = self.signer.note_key(self.app.history().state().log_id);
        // If the file cannot be read, writing it reports that.
        let last = PublishedCheckpoint::parse(checkpoint::last(&self.path.lock().await).ok()??)?;
        (last.head.position > Position::START && last.note.verify(&key).is_ok()).then_some(last)
    }
}

impl PublishedCheckpoint {
    /// `None` for a checkpoint without a note.
    fn parse(signed: SignedCheckpoint) -> Option<Self> {
        let head = checkpoint::verify(&signed).ok()?.head;
        Some(Self { head, note: Note::parse(&signed.note).ok()?, signed })
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
