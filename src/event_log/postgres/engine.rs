//! The engine: the sessions of a log, turns, and appends.

use std::{
    mem,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use bytes::Bytes;
use tokio::{
    sync::{Mutex, MutexGuard},
    time::Instant,
};

use crate::{
    event_log::{AppendError, Head, Position, Record, Turn},
    telemetry::metrics::LogMetrics,
};

use super::{
    error::PostgresError,
    seen::Seen,
    session::{Appended, Failed, Session},
    settings::PostgresSettings,
    slot::Slot,
};

/// A log and its sessions.
pub(super) struct Engine {
    pub(super) settings: PostgresSettings,
    pub(super) metrics: LogMetrics,
    /// What was seen of the log so far.
    pub(super) seen: Seen,
    writer: Mutex<Writer>,
    pub(super) reader: Slot,
    /// Asks for the head, and is told of appends.
    pub(super) listener: Slot,
    /// Reads what is durable: waits for standbys, which the others need not wait for.
    pub(super) durable: Slot,
    /// The newest position that the session of the writer has shown.
    shown: AtomicU64,
    /// How far this process has applied the log.
    applied: AtomicU64,
}

/// The session that appends, which has the turn or not.
#[derive(Default)]
struct Writer {
    session: Option<Arc<Session>>,
    is_in_turn: bool,
}

impl Writer {
    /// Takes the session, so that it is closed if the caller gives up.
    fn take(&mut self, seen: &Seen) -> Option<(Arc<Session>, bool)> {
        let is_in_turn = mem::take(&mut self.is_in_turn);
        let session = self.session.take().filter(|session| seen.admits(session));
        session.map(|session| (session, is_in_turn))
    }

    async fn end_turn(&mut self) -> Result<(), PostgresError> {
        if mem::take(&mut self.is_in_turn)
            && let Some(session) = self.session.take()
        {
            session.roll_back().await?;
            self.session = Some(session);
        }
        Ok(())
    }
}

impl Engine {
    /// An engine without sessions. The timeline that was seen before is in `directory`.
    ///
    /// # Errors
    /// That cannot be read.
    pub(super) fn new(
        settings: PostgresSettings,
        directory: Option<&Path>,
        metrics: LogMetrics,
    ) -> Result<Self, PostgresError> {
        let seen = Seen::open(directory, metrics.clone())?;
        let (writer, reader, listener, durable, shown, applied) = Default::default();
        Ok(Self { settings, metrics, seen, writer, reader, listener, durable, shown, applied })
    }

    pub(super) fn set_applied(&self, position: Position) {
        self.applied.store(position.0, Ordering::Relaxed);
    }

    pub(super) fn applied(&self) -> Position {
        Position(self.applied.load(Ordering::Relaxed))
    }

    pub(super) async fn end_turn(&self) {
        // If it fails, the database ends the turn of a session that does nothing.
        let _ = self.writer.lock().await.end_turn().await;
    }

    /// The session in a slot, or a new one.
    pub(super) async fn session(&self, slot: &Slot) -> Result<Arc<Session>, PostgresError> {
        slot.session(&self.seen, &self.settings).await
    }

    /// Returns a result of a session, and does not use the session again if it failed.
    pub(super) async fn kept<T>(
        &self,
        slot: &Slot,
        session: &Arc<Session>,
        result: Result<T, PostgresError>,
    ) -> Result<T, PostgresError> {
        match &result {
            Ok(_) => self.seen.heard(),
            Err(_) => slot.leave(session).await,
        }
        result
    }

    pub(super) async fn latest(&self) -> Result<Head, PostgresError> {
        let session = self.session(&self.listener).await?;
        let before = self.seen.latest();
        let head = async {
            let head = session.head().await?;
            if head.position > before.position {
                session.check_postmaster().await?;
            }
            self.seen.compare(&session, before, head)?;
            self.seen.record(head);
            Ok(head)
        };
        let head = head.await;
        self.kept(&self.listener, &session, head).await
    }

    /// The head and its barrier are of one session: of two, one may be that of a former primary.
    pub(super) async fn durable_head(&self) -> Result<Head, PostgresError> {
        let session = self.session(&self.durable).await?;
        let (before, begun) = (self.seen.latest(), Instant::now());
        let head = session.durable_head().await;
        let head = head.and_then(|head| self.seen.compare(&session, before, head).map(|()| head));
        self.metrics.record_durable_read(begun.elapsed());
        let head = self.kept(&self.durable, &session, head).await?;
        self.seen.record(head);
        Ok(head)
    }

    pub(super) async fn turn(&self) -> Result<Turn, PostgresError> {
        let mut writer = self.writer.lock().await;
        writer.end_turn().await?;
        let session = match writer.take(&self.seen) {
            Some((session, _)) => session,
            None => self.seen.open_session(&self.settings).await?,
        };
        let (before, begun) = (self.seen.latest(), Instant::now());
        let turn = session.begin_turn().await;
        self.metrics.record_turn_wait(begun.elapsed());
        let (now, head) = turn?;
        self.show(&session, before, head)?;
        self.seen.heard();
        *writer = Writer { session: Some(session), is_in_turn: true };
        Ok(Turn { head, now: Some(now) })
    }

    pub(super) async fn append(
        &self,
        expected: Head,
        bodies: Vec<Bytes>,
    ) -> Result<Vec<Record>, AppendError> {
        let records = Record::chain(expected, bodies);
        let Some(last) = records.last().map(Record::head) else {
            let actual = self.latest().await?;
            let is_expected = actual == expected;
            return if is_expected { Ok(records) } else { Err(conflict(expected, actual)) };
        };
        let mut writer = self.writer.lock().await;
        let (session, is_in_turn) = match writer.take(&self.seen) {
            Some(taken) => taken,
            None => (self.seen.open_session(&self.settings).await?, false),
        };
        let begun = Instant::now();
        let stored: Vec<&[u8]> = records.iter().map(|record| record.stored.as_ref()).collect();
        match session.append(expected, &stored, is_in_turn).await {
            Ok(Appended::Durable) => {
                self.metrics.record_append(records.len(), begun.elapsed());
                self.seen.record(last);
                self.seen.heard();
                writer.session = Some(session);
                drop(writer);
                self.announce();
                Ok(records)
            }
            Ok(Appended::Conflict) => Err(self.find_conflict(writer, session, expected).await?),
            Err(Failed::NotAppended(error)) => Err(error.into()),
            Err(Failed::Unknown(error)) => {
                self.seen.leave_sessions();
                Err(AppendError::Unknown(error.into()))
            }
        }
    }

    /// Checks a head that the session of the writer shows. It is recorded as seen only once it is
    /// read or appended to, because its append may not be acknowledged.
    fn show(&self, session: &Session, before: Head, head: Head) -> Result<(), PostgresError> {
        self.seen.compare(session, before, head)?;
        self.shown.fetch_max(head.position.0, Ordering::Relaxed);
        Ok(())
    }

    /// The newest position that any session has shown.
    pub(super) fn end(&self) -> Position {
        self.seen.latest().position.max(Position(self.shown.load(Ordering::Relaxed)))
    }

    /// The conflict of an append that wrote nothing.
    async fn find_conflict(
        &self,
        mut writer: MutexGuard<'_, Writer>,
        session: Arc<Session>,
        expected: Head,
    ) -> Result<AppendError, PostgresError> {
        let before = self.seen.latest();
        let actual = session.head().await?;
        self.show(&session, before, actual)?;
        writer.session = Some(session);
        Ok(conflict(expected, actual))
    }

    /// Tells the other servers of an append. They also ask, so it may fail.
    fn announce(&self) {
        if let Some(session) = self.reader.current(&self.seen) {
            tokio::spawn(async move { session.announce().await });
        }
    }
}

fn conflict(expected: Head, actual: Head) -> AppendError {
    AppendError::Conflict { expected, actual }
}
