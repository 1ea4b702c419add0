//! What was seen of a log: its newest head since this process started, and its newest timeline,
//! also before. It shows whether the database has lost records.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
};

use tokio::{sync::watch, time::Instant};

use crate::{
    event_log::{Fork, Head, Position},
    fs::{read_optional, write_atomic},
    telemetry::metrics::LogMetrics,
};

use super::{error::PostgresError, session::Session, settings::PostgresSettings};

/// The newest state of a log.
pub(super) struct Seen {
    head: watch::Sender<Head>,
    fork: watch::Sender<Option<Fork>>,
    contact: Mutex<Instant>,
    timeline: AtomicU32,
    /// Sessions of an earlier generation are not used again.
    generation: AtomicU64,
    /// The file that keeps the timeline for the next process.
    timeline_file: Option<PathBuf>,
    metrics: LogMetrics,
}

impl Seen {
    /// Reads the timeline that an earlier process has seen.
    pub(super) fn open(
        directory: Option<&Path>,
        metrics: LogMetrics,
    ) -> Result<Self, PostgresError> {
        let timeline_file = directory.map(|directory| directory.join("timeline"));
        let text = match &timeline_file {
            Some(path) => read_optional(path)
                .map_err(|source| PostgresError::Timeline { path: path.clone(), source })?,
            None => None,
        };
        let text = text.unwrap_or_default();
        let timeline = String::from_utf8_lossy(&text).trim().parse().unwrap_or_default();
        Ok(Self {
            head: watch::Sender::default(),
            fork: watch::Sender::new(None),
            contact: Mutex::new(Instant::now()),
            timeline: AtomicU32::new(timeline),
            generation: AtomicU64::new(0),
            timeline_file,
            metrics,
        })
    }

    pub(super) fn head(&self) -> watch::Receiver<Head> {
        self.head.subscribe()
    }

    pub(super) fn latest(&self) -> Head {
        *self.head.borrow()
    }

    pub(super) fn last_contact(&self) -> Instant {
        *self.contact.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records that the database has answered.
    pub(super) fn heard(&self) {
        *self.contact.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    /// Waits until the log has forked.
    pub(super) async fn forked(&self) -> Fork {
        let mut fork = self.fork.subscribe();
        loop {
            if let Some(fork) = *fork.borrow_and_update() {
                return fork;
            }
            // The sender lives as long as this.
            let _ = fork.changed().await;
        }
    }

    /// Does not use the open sessions again: they may be those of a former primary.
    pub(super) fn leave_sessions(&self) {
        self.generation.fetch_add(1, Ordering::SeqCst);
    }

    /// Whether a session may be used: it is open, not left, and not that of a primary which
    /// another session has found replaced.
    pub(super) fn admits(&self, session: &Session) -> bool {
        let known = self.timeline.load(Ordering::SeqCst);
        !session.is_closed()
            && session.generation == self.generation.load(Ordering::SeqCst)
            && session.timeline.is_none_or(|timeline| timeline >= known)
    }

    /// Opens a session, and checks that the log still has what was seen of it.
    ///
    /// # Errors
    /// See [`PostgresError`].
    pub(super) async fn open_session(
        &self,
        settings: &PostgresSettings,
    ) -> Result<Arc<Session>, PostgresError> {
        if let Some(fork) = *self.fork.borrow() {
            return Err(fork.into());
        }
        let generation = self.generation.load(Ordering::SeqCst);
        // What is known now, the database had before the head was read.
        let known = self.latest();
        let session = Session::open(settings, generation).await?;
        Self::check_timeline(settings, &session, self.timeline.load(Ordering::SeqCst))?;
        let head = session.durable_head().await?;
        // Only now: a node that was promoted by mistake cannot commit.
        self.record_timeline(settings, &session)?;
        self.check_fork(&session, known, head).await?;
        self.record(head);
        self.heard();
        self.metrics.count_session();
        Ok(Arc::new(session))
    }

    async fn check_fork(
        &self,
        session: &Session,
        known: Head,
        head: Head,
    ) -> Result<(), PostgresError> {
        if known.position == Position::START {
            return Ok(());
        }
        let found = if head.position < known.position {
            head
        } else {
            match session.hash_at(known.position).await? {
                Some(hash) if hash == known.hash => return Ok(()),
                hash => Head { position: known.position, hash: hash.unwrap_or_default() },
            }
        };
        let fork = Fork { known, found };
        tracing::error!(%fork, "the log has lost or replaced records");
        self.fork.send_replace(Some(fork));
        Err(fork.into())
    }

    fn check_timeline(
        settings: &PostgresSettings,
        session: &Session,
        known: u32,
    ) -> Result<(), PostgresError> {
        match session.timeline {
            Some(found) if found < known => {
                Err(PostgresError::FormerPrimary { place: settings.place(), found, known })
            }
            Some(_) | None => Ok(()),
        }
    }

    fn record_timeline(
        &self,
        settings: &PostgresSettings,
        session: &Session,
    ) -> Result<(), PostgresError> {
        let Some(found) = session.timeline else { return Ok(()) };
        let known = self.timeline.fetch_max(found, Ordering::SeqCst);
        Self::check_timeline(settings, session, known)?;
        if found > known
            && let Some(path) = &self.timeline_file
            && let Err(error) = write_atomic(path, found.to_string().as_bytes(), 0o600)
        {
            tracing::warn!(%error, "cannot record the timeline of the database");
        }
        Ok(())
    }

    /// Compares a head that an open session shows with `before`, the newest head when it was
    /// asked.
    ///
    /// # Errors
    /// It is older. A new session decides whether records are lost.
    pub(super) fn compare(
        &self,
        session: &Session,
        before: Head,
        head: Head,
    ) -> Result<(), PostgresError> {
        let is_replaced = head.position == before.position && head.hash != before.hash;
        if head.position < before.position || is_replaced {
            self.leave_sessions();
            return Err(session.stale());
        }
        Ok(())
    }

    /// Records a head, unless a newer one was seen.
    pub(super) fn record(&self, head: Head) {
        self.head.send_if_modified(|known| {
            let is_newer = head.position > known.position;
            if is_newer {
                *known = head;
            }
            is_newer
        });
    }
}
