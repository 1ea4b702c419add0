//! Commands become events, events become state: the writer, the read model and
//! what keeps them together. Knows nothing of gRPC.

mod append;
mod batch;
mod error;
mod history;
#[cfg(sim_bugs)]
pub mod planted_bugs;
mod projection;
mod projector;
mod read_model;
mod source;
mod stored;
mod unsynced;
mod writer;

use std::{path::Path, sync::Arc, time::Duration};

use bytes::Bytes;
use tokio::{
    sync::{mpsc, oneshot, watch},
    time::timeout,
};

use crate::{
    event_log::{EventLog, ReadLimit},
    proto::Actor,
    telemetry::{
        metrics::{AppMetrics, Refusal},
        spans::Tracer,
    },
    user_pool::{Checked, DomainPrefix, Limits, UserPoolId},
};

pub use self::{
    error::{ExecuteError, LoadError, StartError},
    history::{
        AsOf, EventFilter, EventPage, EventQuery, Follow, Followed, History, HistoryError, Noted,
        Replay, Replayed, Watch,
    },
    projection::rebuild,
    read_model::{CACHE, Domain, PoolEntry, ReadModel, ReadModelError},
    source::{Source, SystemSource},
    stored::{EncodedPool, StoredPool},
};
use self::{
    history::Recent,
    projector::Projector,
    writer::{Writer, WriterState},
};

/// How many commands may wait for the writer.
const QUEUE: usize = 1024;

/// How long the log may take to finish what it has begun, once no call waits for it.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(10);

/// Who asks, and what for: what is recorded with an event beside what happened.
#[derive(Debug, Clone, Default)]
pub struct Context {
    /// Who asks.
    pub actor: Actor,
    /// What ties this request to others in logs.
    pub correlation_id: String,
    /// The W3C trace that the request is part of.
    pub traceparent: Option<String>,
    /// SHA-256 of the request; tells a retry from another request with its ID. Zeros
    /// where the request has none.
    pub fingerprint: [u8; 32],
}

/// What a command led to.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// The user pool after the command, encoded; the last state of a deleted one.
    pub user_pool: Bytes,
    /// Its revision.
    pub revision: i64,
    /// The position of its last event; 0 where the command was only validated.
    pub position: i64,
}

impl From<EncodedPool> for Outcome {
    fn from(pool: EncodedPool) -> Self {
        let EncodedPool { user_pool, revision, position, .. } = pool;
        Self { user_pool: user_pool.unwrap_or_default(), revision, position }
    }
}

/// What the application is made with.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The prefix of user pool IDs.
    pub region: String,
    /// What Cognito limits.
    pub limits: Limits,
    /// How many bytes of the read model are kept in memory, or a few more.
    pub cache: u64,
    /// Where it counts what it does.
    pub metrics: AppMetrics,
    /// Where it tells what it spends time on.
    pub tracer: Tracer,
}

/// The application: commands in, state out.
#[derive(Debug)]
pub struct App {
    read_model: Arc<ReadModel>,
    commands: mpsc::Sender<writer::Job>,
    source: Arc<dyn Source>,
    settings: Settings,
    /// Completes when the writer has stopped, with whether the log failed.
    stopped: watch::Receiver<WriterState>,
    history: History,
    draining: watch::Sender<bool>,
    closing: watch::Sender<bool>,
}

impl App {
    /// Brings the read model in `read_model` up to `log` and starts the writer.
    ///
    /// # Errors
    /// See [`StartError`]. The log is only read.
    pub async fn start(
        log: Arc<dyn EventLog>,
        read_model: &Path,
        source: Arc<dyn Source>,
        settings: Settings,
    ) -> Result<Self, StartError> {
        let read_model = match projection::catch_up(log.as_ref(), read_model, &settings).await {
            Ok(read_model) => read_model,
            Err(LoadError::ReadModel(source)) => {
                return Err(StartError::ReadModel { path: read_model.to_owned(), source });
            }
            Err(error @ (LoadError::Log(_) | LoadError::Decode(_))) => return Err(error.into()),
            Err(error @ LoadError::EndLost { .. }) => return Err(StartError::EndLost(error)),
        };
        Self::with_read_model(log, read_model, source, settings).await
    }

    /// Projects the whole of `log` into a read model in memory and starts the writer.
    ///
    /// # Errors
    /// See [`StartError`]. The log is only read.
    pub async fn start_in_memory(
        log: Arc<dyn EventLog>,
        source: Arc<dyn Source>,
        settings: Settings,
    ) -> Result<Self, StartError> {
        Self::with_read_model(log, ReadModel::in_memory(), source, settings).await
    }

    async fn with_read_model(
        log: Arc<dyn EventLog>,
        read_model: ReadModel,
        source: Arc<dyn Source>,
        settings: Settings,
    ) -> Result<Self, StartError> {
        let read_model = Arc::new(read_model);
        let (commands, jobs) = mpsc::channel(QUEUE);
        let (draining, drained) = watch::channel(false);
        let (closing, closed) = watch::channel(false);
        let recent = Arc::new(Recent::default());
        let projector = Projector::new(
            Arc::clone(&log),
            Arc::clone(&read_model),
            Arc::clone(&recent),
            settings.metrics.clone(),
        )
        .map_err(LoadError::from)?;
        projector.catch_up().await?;
        let history = History::new(
            Arc::clone(&log),
            Arc::clone(&read_model),
            recent,
            projector.visible(),
            drained,
            settings.metrics.watchers.clone(),
        );
        let writer = Writer {
            log,
            read_model: Arc::clone(&read_model),
            projector,
            source: Arc::clone(&source),
            settings: settings.clone(),
        };
        let stopped = writer::start(writer, writer::Jobs { waiting: jobs, closed })?;
        Ok(Self { read_model, commands, source, settings, stopped, history, draining, closing })
    }

    /// The limits that requests are checked against.
    #[must_use]
    pub const fn limits(&self) -> &Limits {
        &self.settings.limits
    }

    /// Time and fresh identifiers.
    #[must_use]
    pub fn source(&self) -> Arc<dyn Source> {
        Arc::clone(&self.source)
    }

    /// Carries out a command: decided, recorded, durable and visible on return.
    ///
    /// A caller that gives up before the command is taken up cancels it; after
    /// that it completes without the caller.
    ///
    /// # Errors
    /// See [`ExecuteError`]; each variant says whether anything was recorded.
    pub async fn execute(
        &self,
        checked: Checked,
        context: Context,
    ) -> Result<Outcome, ExecuteError> {
        let (answer, answered) = oneshot::channel();
        let job = writer::Job { checked, context, answer };
        self.commands.try_send(job).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => {
                self.settings.metrics.refused.count(Refusal::Queue);
                ExecuteError::Overloaded
            }
            mpsc::error::TrySendError::Closed(_) => self.gone(),
        })?;
        // Without an answer the writer failed, and nobody knows how far it had come.
        answered.await.unwrap_or(Err(ExecuteError::LogUnavailable))
    }

    /// The user pool as it is now, or nothing where there never was one.
    ///
    /// # Errors
    /// The read model cannot be read.
    pub fn describe(&self, id: &UserPoolId) -> Result<Option<EncodedPool>, ReadModelError> {
        self.read_model.encoded_pool(id)
    }

    /// The domain, or nothing where the prefix is free.
    ///
    /// # Errors
    /// The read model cannot be read.
    pub fn describe_domain(&self, prefix: &DomainPrefix) -> Result<Option<Domain>, ReadModelError> {
        self.read_model.domain(prefix.as_str())
    }

    /// User pools in the order of their creation, after the creation position.
    ///
    /// # Errors
    /// The read model cannot be read.
    pub fn list(&self, after: u64, limit: usize) -> Result<Vec<PoolEntry>, ReadModelError> {
        self.read_model.pools(after, limit)
    }

    /// Domains by prefix, after the given one.
    ///
    /// # Errors
    /// The read model cannot be read.
    pub fn list_domains(&self, after: &str, limit: usize) -> Result<Vec<Domain>, ReadModelError> {
        self.read_model.domains(after, limit)
    }

    /// The recorded history.
    #[must_use]
    pub const fn history(&self) -> &History {
        &self.history
    }

    /// Tells how many commands wait for the writer, and how many may; nothing once the
    /// application is gone, which this does not keep.
    pub fn waiting(&self) -> impl Fn() -> Option<(usize, usize)> + Send + Sync + 'static {
        let commands = self.commands.downgrade();
        move || {
            let commands = commands.upgrade()?;
            let capacity = commands.max_capacity();
            Some((capacity.saturating_sub(commands.capacity()), capacity))
        }
    }

    /// Tells those who follow the history that the server is about to stop.
    pub fn drain(&self) {
        self.draining.send_replace(true);
    }

    /// Takes no further command, and returns whether those that were taken are
    /// carried out and the writer has let go of the log, whoever else still holds
    /// this. Where the log hangs, it has not after 10 seconds.
    pub async fn close(&self) -> bool {
        self.closing.send_replace(true);
        let mut stopped = self.stopped.clone();
        let ended = stopped.wait_for(|state| *state != WriterState::Running);
        timeout(CLOSE_TIMEOUT, ended).await.is_ok()
    }

    /// Waits until the log has failed: from then on nothing is acknowledged.
    pub async fn failed(&self) {
        let mut stopped = self.stopped.clone();
        let ended = stopped.wait_for(|state| *state == WriterState::Failed).await.is_err();
        if ended {
            // The writer ended in order, so the log never fails.
            std::future::pending::<()>().await;
        }
    }

    fn gone(&self) -> ExecuteError {
        match *self.stopped.borrow() {
            WriterState::Failed => ExecuteError::LogUnavailable,
            WriterState::Running | WriterState::Ended => ExecuteError::ShuttingDown,
        }
    }
}

/// How much of the log is read at a time.
const PAGE: ReadLimit = ReadLimit { records: 1024, bytes: 4 * 1024 * 1024 };
