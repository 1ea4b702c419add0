//! The application: the writer turns commands into events, the projector applies events
//! to the read model, and the history reads the log. Knows nothing of gRPC.

mod append;
mod batch;
mod clock;
mod context;
mod error;
mod failure;
mod fork;
mod history;
mod jobs;
mod latest_head;
mod log_contact;
mod outcome;
#[cfg(sim_bugs)]
pub mod planted_bugs;
mod projection;
mod projector;
mod read_model;
mod seen_head;
mod settings;
mod shared_log;
mod source;
mod stored;
mod writer;

use std::{path::Path, sync::Arc, time::Duration};

use tokio::{
    sync::{mpsc, oneshot, watch},
    task::AbortHandle,
    time::{Instant, timeout},
};

use crate::{
    event_log::{EventLog, Fork, ReadError},
    telemetry::{WarnLimiter, metrics::RefusalReason},
    user_pool::{CheckedCommand, DomainName, Limits, PoolFilter, UserPoolId},
};

pub(crate) use self::fork::find as find_fork;
use self::{
    clock::Clock,
    history::Recent,
    jobs::{Job, Jobs},
    latest_head::{HeadReader, LatestHead},
    projector::Projector,
    seen_head::SeenHead,
    shared_log::SharedLog,
    writer::{Writer, WriterState},
};
pub use self::{
    clock::{ClockError, ClockSettings},
    context::{Context, is_correlation_id},
    error::{ExecuteError, Failure, LoadError, StartError},
    history::{
        ConsistencyProof, ConsistencyQuery, CountPage, CountQuery, EventFilter, EventPage,
        EventQuery, Follow, FollowItem, History, HistoryError, InclusionProof, InclusionQuery,
        ReplayPoint, ReplayQuery, ReplayResult, VerifyQuery, WatchQuery, parse_min_position,
    },
    log_contact::{Contact, LogContact},
    outcome::Outcome,
    projection::{Comparison, compare, rebuild},
    read_model::{CACHE, Damage, Domain, PoolPage, ReadModel, ReadModelError},
    settings::{ReadMode, ReadSettings, Settings},
    source::{Source, SystemSource},
    stored::{EncodedPool, StoredPool},
};

/// The name of the file with the last event that this server has seen of a log that servers share,
/// beside the read model.
const SEEN_HEAD: &str = "seen_head";

/// The capacity of the writer's queue, in commands.
const MAX_WAITING: usize = 1024;

/// How long the log may take to finish the running batch when the application closes.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(10);

/// The application: executes commands and answers reads.
#[derive(Debug)]
pub struct App {
    read_model: Arc<ReadModel>,
    commands: mpsc::Sender<Job>,
    source: Arc<dyn Source>,
    settings: Settings,
    /// Whether the writer runs, has ended or has failed.
    writer_state: watch::Receiver<WriterState>,
    history: History,
    /// How a log that servers share has forked, if it has.
    forked: watch::Sender<Option<Fork>>,
    draining: watch::Sender<bool>,
    closing: watch::Sender<bool>,
    /// Ends the scrub of a read model on disk.
    scrub: Option<AbortHandle>,
}

impl App {
    /// Brings the read model in the directory `read_model` up to date with `log`, and
    /// starts the writer.
    ///
    /// # Errors
    /// See [`StartError`]. The log is only read.
    pub async fn start(
        log: Arc<dyn EventLog>,
        read_model: &Path,
        source: Arc<dyn Source>,
        settings: Settings,
    ) -> Result<Self, StartError> {
        let seen_head = Self::open_seen_head(log.as_ref(), read_model).await?;
        let read_model = match projection::catch_up(log.as_ref(), read_model, &settings).await {
            Ok(read_model) => read_model,
            Err(LoadError::ReadModel(source)) => {
                return Err(StartError::ReadModel { path: read_model.to_owned(), source });
            }
            Err(error @ LoadError::EndLost { .. }) => return Err(StartError::EndLost(error)),
            Err(LoadError::Log(ReadError::Forked(fork))) => return Err(StartError::Forked(fork)),
            Err(
                error
                @ (LoadError::Log(_) | LoadError::Decode(_) | LoadError::Contradiction { .. }),
            ) => return Err(error.into()),
        };
        let mut app = Self::with_read_model(log, read_model, seen_head, source, settings).await?;
        let scrub = tokio::spawn(read_model::scrub(Arc::downgrade(&app.read_model)));
        app.scrub = Some(scrub.abort_handle());
        Ok(app)
    }

    /// Builds a read model of `log` in memory, and starts the writer.
    ///
    /// # Errors
    /// See [`StartError`]. The log is only read.
    pub async fn start_in_memory(
        log: Arc<dyn EventLog>,
        source: Arc<dyn Source>,
        settings: Settings,
    ) -> Result<Self, StartError> {
        let read_model = projection::build_in_memory(log.as_ref()).await?;
        Self::with_read_model(log, read_model, None, source, settings).await
    }

    /// Opens the file beside the read model with the last event that this server has seen, if
    /// servers share the log, and checks that the log still has that event.
    async fn open_seen_head(
        log: &dyn EventLog,
        read_model: &Path,
    ) -> Result<Option<SeenHead>, StartError> {
        if !log.is_shared() {
            return Ok(None);
        }
        let path = read_model.with_file_name(SEEN_HEAD);
        let (seen_head, seen) =
            SeenHead::open(&path).map_err(|source| StartError::SeenHead { path, source })?;
        match fork::find(log, seen).await.map_err(LoadError::from)? {
            None => Ok(Some(seen_head)),
            Some(fork) => Err(StartError::Forked(fork)),
        }
    }

    async fn with_read_model(
        log: Arc<dyn EventLog>,
        read_model: ReadModel,
        seen_head: Option<SeenHead>,
        source: Arc<dyn Source>,
        settings: Settings,
    ) -> Result<Self, StartError> {
        let read_model = Arc::new(read_model);
        let (commands, jobs) = mpsc::channel(MAX_WAITING);
        let (draining, drained) = watch::channel(false);
        let (closing, closed) = watch::channel(false);
        let recent = Arc::new(Recent::default());
        let told = watch::Sender::default();
        let projector = Projector::new(
            Arc::clone(&log),
            told.subscribe(),
            Arc::clone(&read_model),
            Arc::clone(&recent),
            seen_head,
            settings.metrics.clone(),
        );
        projector.catch_up().await?;
        let last_event = read_model.changes().last_record_time();
        let clock = Clock::start(
            Arc::clone(&source),
            settings.clock,
            settings.metrics.clone(),
            last_event,
        )?;
        let forked = watch::Sender::<Option<Fork>>::default();
        let shared = log.is_shared().then(|| SharedLog {
            settings: settings.reads,
            latest: LatestHead::start(HeadReader {
                log: Arc::clone(&log),
                mode: settings.reads.mode,
                visible: projector.visible(),
                told,
                forked: forked.clone(),
            }),
            forked: forked.clone(),
        });
        let history = History::new(
            Arc::clone(&log),
            Arc::clone(&read_model),
            recent,
            projector.visible(),
            drained,
            shared,
            settings.metrics.watchers.clone(),
        );
        let writer = Writer {
            log,
            read_model: Arc::clone(&read_model),
            projector,
            source: Arc::clone(&source),
            clock,
            forked: forked.clone(),
            settings: settings.clone(),
            warnings: WarnLimiter::default(),
        };
        let writer_state = writer::start(writer, Jobs { waiting: jobs, closed })?;
        Ok(Self {
            read_model,
            commands,
            source,
            settings,
            writer_state,
            history,
            forked,
            draining,
            closing,
            scrub: None,
        })
    }

    /// The limits that requests are checked against.
    #[must_use]
    pub const fn limits(&self) -> &Limits {
        &self.settings.limits
    }

    /// The source of time and new identifiers.
    #[must_use]
    pub fn source(&self) -> Arc<dyn Source> {
        Arc::clone(&self.source)
    }

    /// Executes a command. Its change is durable and visible on return.
    ///
    /// Dropping the future cancels the command unless the writer has taken it; after that
    /// it may complete without its caller.
    ///
    /// # Errors
    /// See [`ExecuteError`]; each variant says whether anything was recorded.
    pub async fn execute(
        &self,
        checked: CheckedCommand,
        context: Context,
    ) -> Result<Outcome, ExecuteError> {
        if let Some(fork) = *self.forked.borrow() {
            return Err(ExecuteError::Forked(fork));
        }
        let (answer, answered) = oneshot::channel();
        let sent_at = Instant::now();
        let job = Job { checked: Some(checked), context, sent_at, answer };
        self.commands.try_send(job).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => {
                self.settings.metrics.refused.count(RefusalReason::Queue);
                ExecuteError::Overloaded
            }
            mpsc::error::TrySendError::Closed(_) => self.closed_error(),
        })?;
        let answered = async { answered.await.unwrap_or_else(|_| Err(self.failed_error())) };
        let Some(shared) = self.history.shared() else { return answered.await };
        tokio::select! {
            biased;
            answer = answered => answer,
            fork = shared.fork() => Err(ExecuteError::Forked(fork)),
        }
    }

    /// The current user pool, or `None` if it never existed.
    ///
    /// # Errors
    /// The read model cannot be read.
    pub fn describe(&self, id: &UserPoolId) -> Result<Option<EncodedPool>, ReadModelError> {
        self.read_model.encoded_pool(id)
    }

    /// The region in the IDs of new user pools.
    #[must_use]
    pub fn region(&self) -> &str {
        &self.settings.region
    }

    /// The domain, or `None` if the name is free.
    ///
    /// # Errors
    /// The read model cannot be read.
    pub fn describe_domain(&self, name: &DomainName) -> Result<Option<Domain>, ReadModelError> {
        self.read_model.domain(name.as_str())
    }

    /// The page of the user pools that meet `filter` and come after `place`, the
    /// [`PoolPage::next`] of the previous page, or the first page.
    ///
    /// # Errors
    /// The read model cannot be read.
    pub async fn find(
        &self,
        filter: &PoolFilter,
        place: Option<Vec<u8>>,
        limit: usize,
    ) -> Result<PoolPage, ReadModelError> {
        self.read_model.find(filter, place, limit).await
    }

    /// Domains by name, after the given one.
    ///
    /// # Errors
    /// The read model cannot be read.
    pub fn list_domains(&self, after: &str, limit: usize) -> Result<Vec<Domain>, ReadModelError> {
        self.read_model.domains(after, limit)
    }

    /// How many user pools and domains there are.
    #[must_use]
    pub fn counts(&self) -> (u64, u64) {
        self.read_model.counts()
    }

    /// The recorded history.
    #[must_use]
    pub const fn history(&self) -> &History {
        &self.history
    }

    /// The contact with a log that servers share; `None` if this server has the log for itself.
    #[must_use]
    pub fn log_contact(&self) -> Option<LogContact> {
        let shared = self.history.shared().cloned();
        shared.map(|shared| LogContact::new(self.history.clone(), shared))
    }

    /// What reads show; `None` if this server has the log for itself, so that they show all.
    #[must_use]
    pub fn reads(&self) -> Option<ReadMode> {
        self.history.shared().map(|shared| shared.settings.mode)
    }

    /// Returns a function that reads the length and the capacity of the writer's queue. It
    /// does not keep the application alive, and returns `None` once that is dropped.
    pub fn waiting(&self) -> impl Fn() -> Option<(usize, usize)> + Send + Sync + 'static {
        let commands = self.commands.downgrade();
        move || {
            let commands = commands.upgrade()?;
            let capacity = commands.max_capacity();
            Some((capacity.saturating_sub(commands.capacity()), capacity))
        }
    }

    /// Ends every watch, because the server is stopping.
    pub fn drain(&self) {
        self.draining.send_replace(true);
    }

    /// Rejects further commands, and waits until the writer has executed those in its queue
    /// and has released the log. Returns `false` if the log hangs for 10 seconds.
    pub async fn close(&self) -> bool {
        self.closing.send_replace(true);
        let mut state = self.writer_state.clone();
        let ended = state.wait_for(|state| *state != WriterState::Running);
        timeout(CLOSE_TIMEOUT, ended).await.is_ok()
    }
}

impl Drop for App {
    fn drop(&mut self) {
        if let Some(scrub) = &self.scrub {
            scrub.abort();
        }
    }
}
