//! Where a server keeps signed checkpoints: in a file of its data directory, and in the database of
//! a log that servers share, for the others.

use std::{io, path::PathBuf, sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use tokio::{sync::Mutex, task, time::timeout};

use crate::{
    audit::{Note, NoteKey, checkpoint},
    event_log::{Head, Position, PostgresCheckpoints},
    proto::{self, SignedCheckpoint},
    telemetry::{error_chain, metrics::CheckpointMetrics},
};

/// How long adding a checkpoint to the database may take. It also delays a stop.
const ADD_TIMEOUT: Duration = Duration::from_secs(5);

/// The checkpoints of a server.
#[derive(Debug)]
pub(super) struct CheckpointStore {
    /// Locked while the file is written.
    file: Arc<Mutex<PathBuf>>,
    shared: Option<PostgresCheckpoints>,
    metrics: CheckpointMetrics,
}

/// A signed checkpoint, and what it states.
#[derive(Debug, Clone)]
pub(super) struct PublishedCheckpoint {
    pub(super) head: Head,
    pub(super) at: DateTime<Utc>,
    pub(super) note: Note,
    pub(super) signed: SignedCheckpoint,
}

impl PublishedCheckpoint {
    /// `None` for a checkpoint that is invalid or has no note.
    pub(super) fn parse(signed: SignedCheckpoint) -> Option<Self> {
        let head = checkpoint::verify(&signed).ok()?.head;
        let at = signed.time.and_then(proto::to_date_time)?;
        Some(Self { head, at, note: Note::parse(&signed.note).ok()?, signed })
    }

    /// How many witnesses cosigned it.
    pub(super) fn cosignatures(&self) -> usize {
        self.note.signatures.len().saturating_sub(1)
    }

    /// Orders checkpoints: by the position, then by the number of cosignatures.
    pub(super) fn rank(&self) -> (Position, usize) {
        (self.head.position, self.cosignatures())
    }

    /// Whether it was signed with this key, which has the name of the log. False for an empty log,
    /// because all empty logs have the same name.
    fn is_signed_with(&self, key: &NoteKey) -> bool {
        self.head.position > Position::START && self.note.verify(key).is_ok()
    }
}

impl CheckpointStore {
    pub(super) fn new(
        file: PathBuf,
        shared: Option<PostgresCheckpoints>,
        metrics: CheckpointMetrics,
    ) -> Self {
        Self { file: Arc::new(Mutex::new(file)), shared, metrics }
    }

    /// The path of the file.
    pub(super) async fn path(&self) -> PathBuf {
        self.file.lock().await.clone()
    }

    /// Writes a checkpoint that this server signed to the file and to the database. Returns it if
    /// the file has it. If the database fails, [`add_again`](Self::add_again) tries it later.
    pub(super) async fn keep(
        &self,
        checkpoint: PublishedCheckpoint,
    ) -> Option<PublishedCheckpoint> {
        let is_written = self.write(&checkpoint.signed).await;
        let is_shared = self.add(&checkpoint).await;
        self.metrics.count_write(is_written && is_shared);
        let position = checkpoint.head.position;
        if is_written {
            let cosignatures = checkpoint.cosignatures();
            tracing::info!(%position, cosignatures, "checkpoint signed");
        }
        is_written.then_some(checkpoint)
    }

    /// Adds the last checkpoint in the file to the database, because the first attempt may have
    /// failed. Does nothing if it is there.
    pub(super) async fn add_again(&self, checkpoint: &PublishedCheckpoint) {
        if !self.add(checkpoint).await {
            self.metrics.count_write(false);
        }
    }

    /// Writes a checkpoint of another server to the file. Returns whether it was written.
    pub(super) async fn copy(&self, checkpoint: &PublishedCheckpoint) -> bool {
        let is_written = self.write(&checkpoint.signed).await;
        self.metrics.count_write(is_written);
        is_written
    }

    /// Appends a checkpoint to the file. Returns whether it was written. If this is dropped, the
    /// write goes on, and the next one waits for it.
    async fn write(&self, signed: &SignedCheckpoint) -> bool {
        let path = Arc::clone(&self.file).lock_owned().await;
        let signed = signed.clone();
        #[expect(clippy::disallowed_methods, reason = "a simulation has no such file")]
        let written = task::spawn_blocking(move || checkpoint::append(&path, &signed)).await;
        let written = written.map_err(io::Error::other).flatten();
        if let Err(error) = &written {
            tracing::warn!(%error, "cannot write the checkpoint");
        }
        written.is_ok()
    }

    /// Adds a checkpoint to the database. Returns false if it may not be there, and true if the log is
    /// not in a database.
    async fn add(&self, checkpoint: &PublishedCheckpoint) -> bool {
        let Some(shared) = &self.shared else { return true };
        let (position, cosignatures) = checkpoint.rank();
        let added = async {
            let line =
                checkpoint::to_line(&checkpoint.signed).map_err(|error| error_chain(&error))?;
            let added = shared.add(position, cosignatures, &line).await;
            added.map_err(|error| error_chain(&error))
        };
        let no_answer = |_| Err("the database does not answer".to_owned());
        let added = timeout(ADD_TIMEOUT, added).await.unwrap_or_else(no_answer);
        if let Err(error) = &added {
            tracing::warn!(error, "cannot write the checkpoint to the database");
        }
        added.is_ok()
    }

    /// The newest checkpoint in the database with at least so many cosignatures. `None` if the log is
    /// in the data directory, the database cannot be read, or none of its 10 newest ones is signed
    /// with this key.
    pub(super) async fn newest_shared(
        &self,
        key: &NoteKey,
        cosignatures: i32,
    ) -> Option<PublishedCheckpoint> {
        let newest = match self.shared.as_ref()?.newest(cosignatures).await {
            Ok(newest) => newest,
            Err(error) => {
                let error = error_chain(&error);
                tracing::warn!(error, "cannot read the checkpoints in the database");
                return None;
            }
        };
        let checkpoints = newest.iter().filter_map(|line| checkpoint::from_line(line));
        checkpoints.filter_map(PublishedCheckpoint::parse).find(|newest| newest.is_signed_with(key))
    }

    /// The last checkpoint in the file, if it is signed with this key.
    pub(super) async fn last_in_file(&self, key: &NoteKey) -> Option<PublishedCheckpoint> {
        // If the file cannot be read, writing it reports that.
        let last = checkpoint::last(&self.file.lock().await).ok()??;
        PublishedCheckpoint::parse(last).filter(|last| last.is_signed_with(key))
    }
}
