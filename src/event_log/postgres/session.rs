//! A session of the database. It is used only after its first durable head: whatever it shows is
//! then on a quorum, also if the primary crashed with commits that were not acknowledged.

use std::{
    sync::{Arc, atomic::Ordering},
    time::{Duration, SystemTime},
};

use futures_util::future::{join, join3};
use tokio::time::timeout;
use tokio_postgres::{Client, Row, Statement, error::SqlState, types::ToSql};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::event_log::{Hash, Head, Position};

use super::{
    connection::{CancelOnDrop, Driver, Messages, Raw},
    durability::DurabilityState,
    error::{PostgresError, said, said_undefined},
    settings::{Durability, PostgresSettings},
    sql,
};

/// How long the database may take to answer, unless it waits for a lock.
pub(super) const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);
/// How long it may take until a session can be used, with every server tried.
const OPEN_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a turn may take: longer than the lock timeout of the session.
const TURN_TIMEOUT: Duration = Duration::from_secs(8);

/// What a log is, by its row.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LogRow {
    /// The prefix of its user pool IDs.
    pub region: String,
    /// The public key of its checkpoints.
    pub checkpoint_key: Vec<u8>,
}

impl LogRow {
    /// Reads a row of [`sql::LOG`].
    pub(super) fn of(row: &Row) -> Result<Self, tokio_postgres::Error> {
        Ok(Self { region: row.try_get(0)?, checkpoint_key: row.try_get(3)? })
    }
}

/// A session of the database.
pub(super) struct Session {
    pub(super) client: Client,
    log: String,
    place: String,
    head: Statement,
    hash: Statement,
    turn: Statement,
    append: Statement,
    pub(super) read: Statement,
    pub(super) read_at: Statement,
    messages: Arc<Messages>,
    _driver: Driver,
    tls: MakeRustlsConnect,
    pub(super) row: LogRow,
    /// The timeline of the primary, if it tells.
    pub(super) timeline: Option<u32>,
    /// The generation of sessions that it is of.
    pub(super) generation: u64,
}

/// What became of an append.
pub(super) enum Appended {
    /// It is durable.
    Durable,
    /// Another record is there. Nothing was written.
    Conflict,
}

/// Why an append was not acknowledged.
pub(super) enum Failed {
    /// Nothing was written.
    NotAppended(PostgresError),
    /// It may have been written.
    Unknown(PostgresError),
}

impl Session {
    /// Connects to the primary, and checks what it is. The session may be used only after its
    /// first [`durable_head`](Self::durable_head).
    ///
    /// # Errors
    /// See [`PostgresError`].
    pub(super) async fn open(
        settings: &PostgresSettings,
        generation: u64,
    ) -> Result<Self, PostgresError> {
        let place = settings.place();
        let opened = Self::connect(settings, place.clone(), generation);
        let opened = timeout(OPEN_TIMEOUT, opened).await;
        opened.map_err(|_| PostgresError::NoAnswer { place, after: OPEN_TIMEOUT })?
    }

    async fn connect(
        settings: &PostgresSettings,
        place: String,
        generation: u64,
    ) -> Result<Self, PostgresError> {
        let failed = |source| PostgresError::Database { place: place.clone(), source };
        let Raw { client, messages, driver, tls } = Raw::connect(settings).await?;
        let log = settings.name.to_string();
        let row = match client.query_opt(sql::LOG, &[&log]).await {
            Ok(row) => row.ok_or_else(|| PostgresError::Missing(place.clone()))?,
            Err(error) if said_undefined(&error) => {
                return Err(PostgresError::Missing(place));
            }
            Err(error) => return Err(failed(error)),
        };
        let (format, min_reader): (i32, i32) =
            (row.try_get(1).map_err(failed)?, row.try_get(2).map_err(failed)?);
        if format > sql::FORMAT || min_reader > sql::READER {
            return Err(PostgresError::Newer(place));
        }
        let row = LogRow::of(&row).map_err(failed)?;
        if settings.durability == Durability::Synchronous {
            check_durability(&client, &place).await?;
        }
        let timeline = client.query_one(sql::TIMELINE, &[]).await;
        // Not every database that speaks the protocol has timelines.
        let timeline = timeline.and_then(|row| row.try_get::<_, i64>(0)).ok();
        let prepare = |statement: &'static str| client.prepare(statement);
        let (head, hash, turn) =
            join3(prepare(sql::HEAD), prepare(sql::HASH), prepare(sql::TURN)).await;
        let (append, read, read_at) =
            join3(prepare(sql::APPEND), prepare(sql::READ), prepare(sql::READ_AT)).await;
        Ok(Self {
            head: head.map_err(failed)?,
            hash: hash.map_err(failed)?,
            turn: turn.map_err(failed)?,
            append: append.map_err(failed)?,
            read: read.map_err(failed)?,
            read_at: read_at.map_err(failed)?,
            log,
            place: place.clone(),
            messages,
            _driver: driver,
            row,
            timeline: timeline.and_then(|timeline| u32::try_from(timeline).ok()),
            generation,
            client,
            tls,
        })
    }

    /// Whether it has ended.
    pub(super) fn is_closed(&self) -> bool {
        self.client.is_closed()
    }

    /// Waits for an answer, for a limited time.
    pub(super) async fn answer<T>(
        &self,
        asked: impl Future<Output = Result<T, tokio_postgres::Error>>,
    ) -> Result<T, PostgresError> {
        self.answer_within(ANSWER_TIMEOUT, asked).await
    }

    async fn answer_within<T>(
        &self,
        after: Duration,
        asked: impl Future<Output = Result<T, tokio_postgres::Error>>,
    ) -> Result<T, PostgresError> {
        match timeout(after, asked).await {
            Ok(answer) => answer.map_err(|error| self.failed(error)),
            Err(_) => Err(PostgresError::NoAnswer { place: self.place.clone(), after }),
        }
    }

    fn failed(&self, source: tokio_postgres::Error) -> PostgresError {
        PostgresError::Database { place: self.place.clone(), source }
    }

    /// Reads, and then waits until everything that was visible is on a quorum. So the database is
    /// still the primary, and what was read includes all that was acknowledged before.
    ///
    /// Nothing depends on the commit that waits, so it is canceled when nobody waits for it any
    /// more. Otherwise the database would keep a process for each, as long as it has no standby.
    pub(super) async fn durable<T>(
        &self,
        read: impl Future<Output = Result<T, tokio_postgres::Error>>,
    ) -> Result<T, PostgresError> {
        let warnings = self.warnings();
        let mut cancel = CancelOnDrop::new(&self.client, &self.tls);
        let asked = async {
            let (read, waited) = join(read, self.client.batch_execute(sql::BARRIER)).await;
            waited?;
            read
        };
        let read = self.answer(asked).await?;
        cancel.disarm();
        if self.warnings() > warnings {
            return Err(PostgresError::NotReplicated(self.place.clone()));
        }
        Ok(read)
    }

    /// The end of the log, once everything up to there is on a quorum.
    pub(super) async fn durable_head(&self) -> Result<Head, PostgresError> {
        self.durable(self.ask_head()).await
    }

    /// Checks that the postmaster lives.
    ///
    /// When it is killed, each other process of the database ends the next time it waits for
    /// something. A commit that waits for a standby becomes visible as its process ends, and
    /// another process may show it before it ends itself. No standby need have it. So this asks
    /// for something that waits.
    pub(super) async fn check_postmaster(&self) -> Result<(), PostgresError> {
        self.answer(self.client.batch_execute(sql::WAIT)).await
    }

    /// Checks that the database keeps what it acknowledges.
    pub(super) async fn check_durability(&self) -> Result<(), PostgresError> {
        let checked = timeout(ANSWER_TIMEOUT, check_durability(&self.client, &self.place)).await;
        let place = self.place.clone();
        checked.map_err(|_| PostgresError::NoAnswer { place, after: ANSWER_TIMEOUT })?
    }

    /// The end of the log.
    pub(super) async fn head(&self) -> Result<Head, PostgresError> {
        self.answer(self.ask_head()).await
    }

    async fn ask_head(&self) -> Result<Head, tokio_postgres::Error> {
        head_of(self.client.query_opt(&self.head, &[&self.log]).await?)
    }

    /// The hash of a record, if it is there.
    pub(super) async fn hash_at(&self, position: Position) -> Result<Option<Hash>, PostgresError> {
        let position = position.to_int();
        let params: [&(dyn ToSql + Sync); 2] = [&self.log, &position];
        let row = self.answer(self.client.query_opt(&self.hash, &params)).await?;
        row.map(|row| hash_in(&row, 0)).transpose().map_err(|error| self.failed(error))
    }

    /// Begins a transaction, waits for the lock of the log, and reads the end of the log then.
    pub(super) async fn begin_turn(&self) -> Result<(SystemTime, Head), PostgresError> {
        let params: [&(dyn ToSql + Sync); 1] = [&self.log];
        // In one round trip. A statement sees what was there when it began, so the head cannot
        // be read by the one that waits.
        let asked = async {
            let begin = self.client.batch_execute("begin");
            let turn = self.client.query_one(&self.turn, &params);
            let (transaction, turn, head) = join3(begin, turn, self.ask_head()).await;
            transaction?;
            let turn = turn?;
            Ok((turn.try_get(0)?, turn.try_get(1)?, head?))
        };
        let (now, min_reader, head): (SystemTime, i32, Head) =
            self.answer_within(TURN_TIMEOUT, asked).await?;
        if min_reader > sql::READER {
            return Err(PostgresError::Newer(self.place.clone()));
        }
        Ok((now, head))
    }

    /// Ends a turn without an append.
    pub(super) async fn roll_back(&self) -> Result<(), PostgresError> {
        self.answer(self.client.batch_execute("rollback")).await
    }

    /// Appends stored records after `expected`, and commits, in one round trip.
    pub(super) async fn append(
        &self,
        expected: Head,
        stored: &[&[u8]],
        is_in_turn: bool,
    ) -> Result<Appended, Failed> {
        if self.is_closed() {
            return Err(Failed::NotAppended(PostgresError::Stale(self.place.clone())));
        }
        let warnings = self.warnings();
        let (position, hash) = (expected.position.to_int(), expected.hash.0.as_slice());
        let params: [&(dyn ToSql + Sync); 4] = [&self.log, &position, &hash, &stored];
        let begin =
            async { if is_in_turn { Ok(()) } else { self.client.batch_execute("begin").await } };
        let insert = self.client.execute(&self.append, &params);
        let commit = self.client.batch_execute("commit");
        let answered = timeout(ANSWER_TIMEOUT, join3(begin, insert, commit)).await;
        let Ok((_, inserted, committed)) = answered else {
            let place = self.place.clone();
            return Err(Failed::Unknown(PostgresError::NoAnswer { place, after: ANSWER_TIMEOUT }));
        };
        match (inserted, committed) {
            (Ok(0), _) => Ok(Appended::Conflict),
            (Err(error), _) if said(&error) == Some(&SqlState::UNIQUE_VIOLATION) => {
                Ok(Appended::Conflict)
            }
            // The statement failed, and its transaction with it.
            (Err(error), _) if error.as_db_error().is_some() => {
                Err(Failed::NotAppended(self.failed(error)))
            }
            (Err(error), _) | (Ok(_), Err(error)) => Err(Failed::Unknown(self.failed(error))),
            // It is committed here, and perhaps nowhere else.
            (Ok(_), Ok(())) if self.warnings() > warnings => {
                Err(Failed::Unknown(PostgresError::NotReplicated(self.place.clone())))
            }
            (Ok(_), Ok(())) => Ok(Appended::Durable),
        }
    }

    /// Announces an append. Not part of it: that would hold a lock of the whole instance while
    /// the commit waits for a standby.
    pub(super) async fn announce(&self) -> Result<(), PostgresError> {
        let channel = sql::channel(&self.log);
        let notify = format!("begin; set local synchronous_commit = off; notify {channel}; commit");
        self.answer(self.client.batch_execute(&notify)).await
    }

    /// Has appends announced to this session.
    pub(super) async fn listen(&self) -> Result<(), PostgresError> {
        let listen = format!("listen {}", sql::channel(&self.log));
        self.answer(self.client.batch_execute(&listen)).await
    }

    /// How often the database has warned, as it does when the wait for a standby is canceled.
    fn warnings(&self) -> u64 {
        self.messages.warnings.load(Ordering::SeqCst)
    }

    /// Waits until an append is announced.
    pub(super) async fn wait_for_append(&self) {
        self.messages.appended.notified().await;
    }

    pub(super) fn stale(&self) -> PostgresError {
        PostgresError::Stale(self.place.clone())
    }

    pub(super) fn log(&self) -> &String {
        &self.log
    }
}

async fn check_durability(client: &Client, place: &str) -> Result<(), PostgresError> {
    let failed = |source| PostgresError::Database { place: place.to_owned(), source };
    let row = client.query_one(sql::DURABILITY, &[]).await.map_err(failed)?;
    let state = DurabilityState::of(&row).map_err(failed)?;
    state
        .check()
        .map_err(|problems| PostgresError::NotDurable { place: place.to_owned(), problems })
}

/// The head in a row of [`sql::HEAD`].
pub(super) fn head_of(row: Option<Row>) -> Result<Head, tokio_postgres::Error> {
    let Some(row) = row else { return Ok(Head::default()) };
    Ok(Head { position: Position::from_int(row.try_get(0)?), hash: hash_in(&row, 1)? })
}

/// The hash in a column. One of another length belongs to no record.
fn hash_in(row: &Row, column: usize) -> Result<Hash, tokio_postgres::Error> {
    let hash: &[u8] = row.try_get(column)?;
    Ok(Hash(hash.try_into().unwrap_or_default()))
}
