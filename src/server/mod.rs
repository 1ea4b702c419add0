//! Listening, serving, and stopping in order.

pub mod data_dir;
mod error;
mod futile;
mod levels;
mod monitoring;
mod serving;

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use tokio::task;

use crate::{
    app::{self, App, Settings, Source},
    audit::checkpoint::{self, KeyError, Signer},
    auth::{Access, Grants, TokenSettings},
    event_log::{EventLog, Head, SledLog},
    fs::reload::{FileLoader, Reload, ReloadTask},
    grpc::{self, Services, StartupGate},
    service::Operations,
    telemetry::{
        metrics::Metrics,
        spans::{Collector, SpansError, Tracer},
    },
    transport::{
        Capacity, Endpoint, Listener, Phase, Tls,
        listen::{self, Reach},
    },
    user_pool::Limits,
};

use self::data_dir::DataDir;
pub use self::{error::ServerError, futile::Futile};
use self::{
    monitoring::Monitoring,
    serving::{Callers, Serving},
};

/// What a server is started with.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where it listens.
    pub listen: Endpoint,
    /// Where it keeps everything.
    pub data_dir: PathBuf,
    /// The prefix of user pool IDs.
    pub region: String,
    /// The 12 digits that it shows as the owner of domains.
    pub account_id: String,
    /// What Cognito limits.
    pub limits: Limits,
    /// How many bytes of user pools are kept in memory, or a few more.
    pub cache: u64,
    /// How many connections there may be; fewer where `ulimit -n` is lower.
    pub connections: usize,
    /// How many calls may run.
    pub capacity: Capacity,
    /// Who may call what.
    pub grants: Grants,
    /// Where its metrics are served, and whether it is alive and ready; nowhere where
    /// this is nothing.
    pub metrics_listen: Option<Endpoint>,
    /// What connections over TCP are encrypted with.
    pub tls: Option<Tls>,
    /// Whose bearer tokens are taken.
    pub tokens: Option<TokenSettings>,
    /// Whether it may listen beyond this machine without that.
    pub insecure: bool,
    /// Where its spans are sent; nowhere where this is nothing.
    pub otlp_endpoint: Option<Collector>,
}

impl Config {
    /// The defaults of `userpool serve`, at `listen` on `data_dir`.
    #[must_use]
    pub fn new(listen: Endpoint, data_dir: PathBuf) -> Self {
        Self {
            listen,
            data_dir,
            region: "us-east-1".to_owned(),
            account_id: "000000000000".to_owned(),
            limits: Limits::default(),
            cache: app::CACHE,
            connections: 10_000,
            capacity: Capacity::default(),
            grants: Grants::default(),
            metrics_listen: None,
            tls: None,
            tokens: None,
            insecure: false,
            otlp_endpoint: None,
        }
    }

    /// Whether it may listen where others can reach it.
    fn is_safe(&self, reach: Reach) -> Result<(), ServerError> {
        let endpoint = self.listen.clone();
        match (reach, &self.tls) {
            (Reach::File, Some(_)) => Err(ServerError::TlsOnSocket { endpoint }),
            (Reach::Network, None) if !self.insecure => Err(ServerError::Exposed { endpoint }),
            (Reach::Network | Reach::Machine, _) | (Reach::File, None) => Ok(()),
        }
    }

    /// All that is wrong with it, as far as that can be seen without listening and
    /// without touching the data directory, which a server may be using. Also what is
    /// futile, with which it would start.
    pub async fn check(&self) -> Vec<ServerError> {
        let mut problems = Vec::new();
        let reach = listen::check(&self.listen).await.map_err(listening(&self.listen));
        let known = reach.as_ref().ok().copied();
        problems.extend(reach.err());
        if let Some(endpoint) = &self.metrics_listen {
            let checked = listen::check(endpoint).await.map_err(listening(endpoint));
            problems.extend(checked.err());
        }
        problems.extend(known.and_then(|reach| self.is_safe(reach).err()));
        let tls = self.tls.as_ref().map(Tls::load);
        problems.extend(tls.and_then(Result::err).map(ServerError::from));
        let tokens = self.tokens.as_ref().map(TokenSettings::load);
        problems.extend(tokens.and_then(Result::err).map(ServerError::from));
        let data_dir = DataDir::check(&self.data_dir, &self.region).map_err(ServerError::from);
        problems.extend(data_dir.err());
        problems.extend(self.tracer().err().map(ServerError::from));
        problems.extend(futile::all(self, known).into_iter().map(ServerError::from));
        problems
    }

    fn tracer(&self) -> Result<Tracer, SpansError> {
        self.otlp_endpoint.as_ref().map_or_else(|| Ok(Tracer::default()), Tracer::to)
    }
}

/// A server that is ready to serve. Dropped, it ends at once.
#[derive(Debug)]
pub struct Ready {
    front: Front,
    app: Arc<App>,
    signer: Arc<Signer>,
    /// Where the last checkpoint is noted.
    checkpoints: PathBuf,
    /// Given back only when everything else is closed.
    data_dir: Option<DataDir>,
}

impl Ready {
    /// Listens, opens the data directory, and brings the read model up to the log.
    /// In the meantime health answers `NOT_SERVING`, and every other call is refused.
    ///
    /// # Errors
    /// See [`ServerError`].
    pub async fn start(config: Config, source: Arc<dyn Source>) -> Result<Self, ServerError> {
        // First, so that a wrong address leaves no directory behind.
        let opening = Opening::at(config, source).await?;
        let data_dir = &opening.config.data_dir;
        let data_dir = DataDir::open(data_dir, &opening.config.region, opening.source.now())?;
        let signer = opening.signer()?;
        let log = SledLog::open_measured(&data_dir.log(), opening.metrics.log.clone())?;
        let head = *log.head().borrow();
        tracing::info!(position = %head.position, hash = %head.hash, "log opened");
        let mut ready = opening.open(signer, Arc::new(log), &data_dir.read_model()).await?;
        ready.data_dir = Some(data_dir);
        Ok(ready)
    }

    /// The same on any log.
    ///
    /// # Errors
    /// See [`ServerError`].
    pub async fn on(
        log: Arc<dyn EventLog>,
        read_model: &Path,
        config: Config,
        source: Arc<dyn Source>,
    ) -> Result<Self, ServerError> {
        let opening = Opening::at(config, source).await?;
        let signer = opening.signer()?;
        opening.open(signer, log, read_model).await
    }

    /// Where it listens: the endpoint that was asked for, with the port chosen.
    #[must_use]
    pub fn endpoint(&self) -> Endpoint {
        self.front.endpoint.clone()
    }

    /// Where its metrics are served, with the port chosen.
    #[must_use]
    pub fn metrics_endpoint(&self) -> Option<Endpoint> {
        self.front.monitoring.as_ref().map(|monitoring| monitoring.endpoint.clone())
    }

    /// Serves until `stop` completes, then finishes what is running.
    ///
    /// # Errors
    /// [`ServerError::LogFailed`] where the log failed in the meantime.
    pub async fn serve(self, stop: impl Future<Output = ()>) -> Result<(), ServerError> {
        // The first is dropped last, wherever this ends.
        let Self { data_dir, checkpoints, signer, app, front } = self;
        let Front { mut serving, reloading, tracer, monitoring, .. } = front;
        let log_failed = tokio::select! {
            result = serving.ended() => return result.map_err(ServerError::from),
            () = stop => false,
            () = app.failed() => true,
        };
        serving.enter(Phase::Stopping);
        tracing::info!("stopping: running calls are finished, new ones refused");
        app.drain();
        if serving.drain().await? {
            tracing::warn!("calls were still running and are cut off");
        }
        if !app.close().await {
            // Where the log is at is not known, so there is nothing to sign.
            return Err(ServerError::LogHangs);
        }
        // With the lock on the data directory still held.
        let noted = app.history().head().map_err(io::Error::other).and_then(|head| {
            checkpoint::note(&checkpoints, &signer.sign(head, app.source().now())).map(|()| head)
        });
        match noted {
            Ok(Head { position, .. }) => tracing::info!(%position, "checkpoint signed"),
            Err(error) => tracing::warn!(%error, "the last checkpoint cannot be noted"),
        }
        drop(reloading);
        drop(app);
        drop(data_dir);
        drop(monitoring);
        // Waits for the collector for a few seconds at most; a panic in there is its own.
        task::spawn_blocking(move || tracer.flush()).await.ok();
        tracing::info!("stopped");
        if log_failed { Err(ServerError::LogFailed) } else { Ok(()) }
    }
}

/// What is there from the moment at which a server listens.
#[derive(Debug)]
struct Front {
    endpoint: Endpoint,
    serving: Serving,
    reloading: Option<ReloadTask>,
    tracer: Tracer,
    /// Answers to the last.
    monitoring: Option<Monitoring>,
}

/// A server that listens, and has nothing to serve yet.
struct Opening {
    front: Front,
    door: StartupGate,
    metrics: Arc<Metrics>,
    config: Config,
    source: Arc<dyn Source>,
}

impl Opening {
    async fn at(config: Config, source: Arc<dyn Source>) -> Result<Self, ServerError> {
        let tracer = config.tracer()?;
        let listener = bind(&config.listen).await?;
        config.is_safe(listener.reach())?;
        if listener.reach() == Reach::Network && config.grants.is_empty() {
            tracing::warn!("whoever can connect may do everything; name --readers and --writers");
        }
        let watched = match &config.metrics_listen {
            Some(endpoint) => Some(bind(endpoint).await?),
            None => None,
        };
        let endpoint = listener.endpoint();
        let tls = config.tls.clone().map(Tls::loader).transpose()?;
        let tokens = config.tokens.clone().map(TokenSettings::loader).transpose()?;
        let (keys, tokens) = tokens.unzip();
        let callers = Callers {
            tls: tls.as_ref().map(FileLoader::current),
            access: Access { tokens, grants: config.grants.clone() },
        };
        let tls = tls.map(|tls| -> Box<dyn Reload> { Box::new(tls) });
        let keys = keys.map(|keys| -> Box<dyn Reload> { Box::new(keys) });
        let reloading = ReloadTask::start(tls.into_iter().chain(keys).collect());
        let reloading = reloading.map_err(ServerError::Reloading)?;
        let metrics = Arc::new(Metrics::new(&grpc::methods()));
        let (serving, door) = Serving::start(
            listener,
            callers,
            &config,
            Arc::clone(&source),
            Arc::clone(&metrics),
            tracer.clone(),
        );
        levels::of_process(&metrics, serving.phase(), config.data_dir.clone());
        let monitoring = watched
            .map(|watched| Monitoring::start(watched, serving.phase(), Arc::clone(&metrics)));
        let front = Front { endpoint, serving, reloading, tracer, monitoring };
        Ok(Self { front, door, metrics, config, source })
    }

    /// The key that checkpoints are signed with. Asked for before the log is touched.
    fn signer(&self) -> Result<Signer, KeyError> {
        let data_dir = &self.config.data_dir;
        Signer::open(&data_dir::signing_key(data_dir), &data_dir::checkpoints(data_dir))
    }

    async fn open(
        self,
        signer: Signer,
        log: Arc<dyn EventLog>,
        read_model: &Path,
    ) -> Result<Ready, ServerError> {
        let signer = Arc::new(signer);
        let Self { front, door, metrics, config, source } = self;
        let data_dir = config.data_dir;
        let checkpoints = data_dir::checkpoints(&data_dir);
        let Config { region, limits, cache, .. } = config;
        let (app_metrics, tracer) = (metrics.app.clone(), front.tracer.clone());
        let settings = Settings { region, limits, cache, metrics: app_metrics, tracer };
        levels::of_log(&metrics, log.head());
        let app = App::start(log, read_model, source, settings).await;
        let app = Arc::new(app.map_err(|source| ServerError::Start { data_dir, source })?);
        levels::of_app(&metrics, &app);
        let operations = Operations::new(Arc::clone(&app), Arc::clone(&signer), config.account_id);
        let operations = Arc::new(operations);
        door.open(Services::new(&operations)?);
        front.serving.enter(Phase::Serving);
        Ok(Ready { front, app, signer, checkpoints, data_dir: None })
    }
}

async fn bind(endpoint: &Endpoint) -> Result<Listener, ServerError> {
    Listener::bind(endpoint).await.map_err(listening(endpoint))
}

fn listening(endpoint: &Endpoint) -> impl FnOnce(io::Error) -> ServerError {
    let endpoint = endpoint.clone();
    move |source| ServerError::Listen { endpoint, source }
}
