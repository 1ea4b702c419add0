//! The checkpoints that the server signs at an interval and at each stop: what an auditor compares
//! with. They are kept in the data directory. Servers that share a log also share its checkpoints,
//! so that only one of them signs and asks witnesses in each interval.

use std::{
    convert::Infallible, future::pending, io, path::PathBuf, str::FromStr, sync::Arc,
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::join_all;
use tokio::{sync::Mutex, task, time::sleep};

use crate::{
    app::App,
    audit::{
        Note, NoteSignature,
        checkpoint::{self, KeyError, Signer},
    },
    event_log::{Head, Position},
    proto::{self, SignedCheckpoint},
    telemetry::{
        error_chain,
        metrics::{CheckpointMetrics, CosignatureOutcome},
    },
};

use super::{
    shared_checkpoints::SharedCheckpoints,
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
    /// The file. Locked while it is written.
    pub(super) path: Arc<Mutex<PathBuf>>,
    /// Those of all servers, if they share the log.
    pub(super) shared: Option<SharedCheckpoints>,
    pub(super) interval: CheckpointInterval,
    pub(super) witnesses: Vec<WitnessClient>,
    pub(super) metrics: CheckpointMetrics,
}

/// A checkpoint that is kept.
#[derive(Debug, Clone)]
pub(super) struct PublishedCheckpoint {
    head: Head,
    at: DateTime<Utc>,
    note: Note,
    signed: SignedCheckpoint,
}

impl CheckpointPublisher {
    /// Publishes a checkpoint after each interval, unless the log has not changed since the last
    /// one, or another server has published one in this interval. One that could not be written is
    /// published again after the next interval. The last one is published again with each new
    /// cosignature of a witness.
    pub(super) async fn run(&mut self) -> Infallible {
        let Some(interval) = self.interval.0 else { return pending().await };
        let mut last = self.last_published().await;
        loop {
            sleep(interval).await;
            let shared = self.newest_shared(|_| true).await;
            let head = self.app.history().head();
            let is_recent = shared.as_ref().is_some_and(|shared| self.is_recent(shared, interval));
            // Of one beyond this server's end, it has no proof for witnesses yet.
            if let Some(shared) = shared.filter(|shared| shared.head.position <= head.position) {
                self.keep(&mut last, shared).await;
            }
            let is_published = last.as_ref().is_some_and(|last| last.head == head);
            if !is_published && !is_recent && head.position > Position::START {
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

    /// Keeps a checkpoint of this server, for itself and for the others. Returns it if it was
    /// written.
    async fn append(&self, checkpoint: PublishedCheckpoint) -> Option<PublishedCheckpoint> {
        let cosignatures = checkpoint.note.signatures.len().saturating_sub(1);
        let mut is_written = self.write(&checkpoint.signed).await;
        if let Some(shared) = &self.shared {
            is_written &= shared.add(checkpoint.head.position, &checkpoint.signed).await;
        }
        self.metrics.count_write(is_written);
        if is_written {
            tracing::info!(position = %checkpoint.head.position, cosignatures, "checkpoint signed");
        }
        is_written.then_some(checkpoint)
    }

    /// Appends a checkpoint to the file. Returns whether it was written. If this is dropped, the
    /// write goes on, and the next one waits for it.
    async fn write(&self, signed: &SignedCheckpoint) -> bool {
        let path = Arc::clone(&self.path).lock_owned().await;
        let signed = signed.clone();
        #[expect(clippy::disallowed_methods, reason = "a simulation has no such file")]
        let written = task::spawn_blocking(move || checkpoint::append(&path, &signed)).await;
        let written = written.map_err(io::Error::other).flatten();
        if let Err(error) = &written {
            tracing::warn!(%error, "cannot write the checkpoint");
        }
        written.is_ok()
    }

    /// Replaces the last checkpoint by that of another server, if that is newer or has more
    /// cosignatures, and keeps it in the file as well: the database can lose its own.
    async fn keep(&self, last: &mut Option<PublishedCheckpoint>, shared: PublishedCheckpoint) {
        if last.as_ref().is_some_and(|last| last.progress() >= shared.progress()) {
            return;
        }
        self.write(&shared.signed).await;
        if shared.is_witnessed() {
            self.signer.set_witnessed(shared.signed.clone());
        }
        *last = Some(shared);
    }

    /// Reads the newest checkpoint that a witness cosigned, for the answers to clients.
    pub(super) async fn read_witnessed(&self) -> Result<(), KeyError> {
        let (signer, path) = (Arc::clone(&self.signer), self.path.lock().await.clone());
        let (file, log_id) = (path.clone(), self.app.history().state().log_id);
        #[expect(clippy::disallowed_methods, reason = "a simulation has no such file")]
        let read = task::spawn_blocking(move || signer.read_witnessed(&file, log_id)).await;
        read.map_err(|error| KeyError::Io { path, source: io::Error::other(error) })??;
        let own = self.signer.witnessed().and_then(PublishedCheckpoint::parse);
        let shared = self.newest_shared(PublishedCheckpoint::is_witnessed).await;
        if let Some(shared) = shared
            && own.is_none_or(|own| own.progress() < shared.progress())
        {
            self.signer.set_witnessed(shared.signed);
        }
        Ok(())
    }

    /// The newest checkpoint of all servers with the key and the name of this log, for which this
    /// is true.
    async fn newest_shared(
        &self,
        is_searched: impl Fn(&PublishedCheckpoint) -> bool,
    ) -> Option<PublishedCheckpoint> {
        let key = self.signer.note_key(self.app.history().state().log_id);
        let parse = |signed: &SignedCheckpoint| {
            let parsed = PublishedCheckpoint::parse(signed.clone());
            parsed.filter(|parsed| parsed.note.verify(&key).is_ok() && is_searched(parsed))
        };
        let newest = self.shared.as_ref()?.newest(|signed| parse(signed).is_some()).await;
        newest.as_ref().and_then(parse)
    }

    /// Whether a checkpoint was signed in this interval, nearly: the intervals of two servers do
    /// not begin at the same time. One that seems to be of the future is not believed.
    fn is_recent(&self, checkpoint: &PublishedCheckpoint, interval: Duration) -> bool {
        let age = self.app.source().now() - checkpoint.at;
        let interval = TimeDelta::from_std(interval / 10 * 9).unwrap_or(TimeDelta::MAX);
        age >= TimeDelta::zero() && age < interval
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
        let at = signed.time.and_then(proto::to_date_time)?;
        Some(Self { head, at, note: Note::parse(&signed.note).ok()?, signed })
    }

    /// Whether a witness has cosigned it.
    fn is_witnessed(&self) -> bool {
        self.note.signatures.len() > 1
    }

    /// How much it says: of two, the one with the newer record, and then with more cosignatures.
    fn progress(&self) -> (Position, usize) {
        (self.head.position, self.note.signatures.len())
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
