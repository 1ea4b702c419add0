//! The server: starts, serves, and shuts down gracefully.

mod accept_task;
mod checkpoint_publisher;
mod checkpoint_store;
mod config;
mod config_check;
mod config_warning;
pub mod data_dir;
mod error;
mod gauges;
mod grpc_server;
mod http1_server;
mod log_health;
mod monitoring;
mod open_log;
mod plain_http;
#[cfg(test)]
mod tests;
mod witness_client;
mod witness_server;

use std::{future::pending, path::Path, sync::Arc, time::Duration};

use tokio::task::{self, JoinError};
use tower::Layer as _;

use crate::{
    app::{App, Failure, Settings, Source},
    audit::checkpoint::Signer,
    auth::{Access, TokenSettings},
    aws::{self, AwsJson, Door, DoorSettings, Gate},
    console::{self, ConsoleAccess, ConsoleSettings},
    event_log::{EventLog, PostgresCheckpoints},
    fs::reload::{FileLoader, Reload, ReloadTask},
    grpc::{self, Services, StartupGate},
    service::Operations,
    telemetry::{metrics::Metrics, spans::Tracer},
    transport::{Endpoint, Listener, Phase, ServerTls, acceptor::ConnectionLimits},
};

use self::{
    checkpoint_publisher::CheckpointPublisher,
    checkpoint_store::CheckpointStore,
    data_dir::DataDir,
    error::cannot_listen,
    grpc_server::{GrpcServer, Security},
    http1_server::Http1Server,
    monitoring::Monitoring,
    open_log::{OpenLog, open_signer},
    witness_client::WitnessClient,
};
pub use self::{
    checkpoint_publisher::{CheckpointInterval, CheckpointIntervalError},
    config::Config,
    config_warning::ConfigWarning,
    error::ServerError,
    witness_client::{WitnessAddress, WitnessAddressError},
    witness_server::WitnessServer,
};

/// A started server. Dropping it stops it at once.
#[derive(Debug)]
pub struct Server {
    listeners: Listeners,
    app: Arc<App>,
    checkpoints: CheckpointPublisher,
    max_lag: Duration,
    metrics: Arc<Metrics>,
    /// Unlocked after everything else is closed.
    data_dir: Option<DataDir>,
}

impl Server {
    /// Listens, opens the data directory, and brings the read model up to date. Until that
    /// is done, health reports `NOT_SERVING` and every other call is refused.
    ///
    /// # Errors
    /// See [`ServerError`].
    pub async fn start(config: Config, source: Arc<dyn Source>) -> Result<Self, ServerError> {
        // Listen first, so that a wrong address creates no directory.
        let startup = Startup::listen(config, source).await?;
        let Startup { config, source, metrics, .. } = &startup;
        let opened = OpenLog::open(config, source.as_ref(), metrics.log.clone()).await?;
        let OpenLog { log, data_dir, signer, checkpoints } = opened;
        let mut server = startup.open(signer, log, &data_dir.read_model(), checkpoints).await?;
        server.data_dir = Some(data_dir);
        Ok(server)
    }

    /// Starts a server on the given log.
    ///
    /// # Errors
    /// See [`ServerError`].
    pub async fn on(
        log: Arc<dyn EventLog>,
        read_model: &Path,
        config: Config,
        source: Arc<dyn Source>,
    ) -> Result<Self, ServerError> {
        let startup = Startup::listen(config, source).await?;
        let signer = open_signer(&startup.config)?;
        startup.open(signer, log, read_model, None).await
    }

    /// The address that it listens on, with the bound port.
    #[must_use]
    pub fn endpoint(&self) -> Endpoint {
        self.listeners.endpoint.clone()
    }

    /// The URL for AWS clients, with the bound port.
    #[must_use]
    pub fn aws_url(&self) -> Option<String> {
        self.listeners.aws.as_ref().map(Http1Server::url)
    }

    /// The URL of the web console, with the bound port.
    #[must_use]
    pub fn console_url(&self) -> Option<String> {
        self.listeners.console.as_ref().map(Http1Server::url)
    }

    /// The address that metrics are served on, with the bound port.
    #[must_use]
    pub fn metrics_endpoint(&self) -> Option<Endpoint> {
        self.listeners.monitoring.as_ref().map(|monitoring| monitoring.endpoint.clone())
    }

    /// Serves until `stop` completes, then finishes the running calls.
    ///
    /// # Errors
    /// [`ServerError::LogFailed`] if the log failed, [`ServerError::LogHangs`] if it could
    /// not be closed, [`ServerError::ReadModelFailed`] if the read model cannot be used.
    /// Acknowledged commands are durable in all cases.
    pub async fn serve(self, stop: impl Future<Output = ()>) -> Result<(), ServerError> {
        // On an early return, these are dropped in reverse order.
        let Self { data_dir, mut checkpoints, max_lag, metrics, app, listeners } = self;
        let Listeners { mut grpc, mut aws, mut console, reload_task, tracer, monitoring, .. } =
            listeners;
        let log_health = log_health::follow(&app, max_lag, &metrics.app, grpc.phase_sender());
        let failure = tokio::select! {
            result = grpc.accept.join() => return result.map_err(ServerError::from),
            result = join(aws.as_mut()) => return result.map_err(ServerError::from),
            result = join(console.as_mut()) => return result.map_err(ServerError::from),
            () = stop => None,
            failure = app.failed() => Some(failure),
            never = checkpoints.run() => match never {},
            never = log_health => match never {},
        };
        let is_forked = matches!(failure, Some(Failure::Forked(_)));
        grpc.set_phase(if is_forked { Phase::Forked } else { Phase::Stopping });
        tracing::info!("stopping: running calls finish, new calls are refused");
        app.drain();
        let drained = tokio::join!(grpc.drain(), drain(aws.as_mut()), drain(console.as_mut()));
        let (grpc_has_aborted, aws_has_aborted, console_has_aborted) = drained;
        if grpc_has_aborted? | aws_has_aborted? | console_has_aborted? {
            tracing::warn!("aborted the calls that did not finish in time");
        }
        if !app.close().await && !is_forked {
            // The end of the log is unknown, so no checkpoint is signed.
            return Err(ServerError::LogHangs);
        }
        // While the data directory is still locked. What the log no longer has is not signed.
        if !is_forked {
            Box::pin(checkpoints.publish()).await;
        }
        drop(checkpoints);
        drop(reload_task);
        drop(app);
        drop(data_dir);
        drop(monitoring);
        // Waits for the collector for a few seconds at most. A panic is ignored.
        #[expect(clippy::disallowed_methods, reason = "a simulation has no collector")]
        let flushed = task::spawn_blocking(move || tracer.flush());
        flushed.await.ok();
        tracing::info!("stopped");
        match failure {
            None => Ok(()),
            Some(Failure::Log) => Err(ServerError::LogFailed),
            Some(Failure::Forked(fork)) => Err(ServerError::LogForked(fork)),
            Some(Failure::ReadModel) => Err(ServerError::ReadModelFailed),
        }
    }
}

/// The listeners and their background tasks.
#[derive(Debug)]
struct Listeners {
    endpoint: Endpoint,
    grpc: GrpcServer,
    aws: Option<Http1Server>,
    console: Option<Http1Server>,
    reload_task: Option<ReloadTask>,
    tracer: Tracer,
    /// Closed last.
    monitoring: Option<Monitoring>,
}

/// A server that listens but has not loaded its application.
struct Startup {
    listeners: Listeners,
    gate: StartupGate,
    aws_gate: Gate,
    metrics: Arc<Metrics>,
    config: Config,
    source: Arc<dyn Source>,
}

impl Startup {
    async fn listen(config: Config, source: Arc<dyn Source>) -> Result<Self, ServerError> {
        config.check_witnesses()?;
        let tracer = config.tracer()?;
        let listener = bind(&config.listen).await?;
        config.check_tls(listener.reach())?;
        config.warn_of_roles(&config.listen.to_string(), listener.reach());
        let aws_listener = bind_for_aws(&config).await?;
        let console_listener = bind_for_console(&config).await?;
        let metrics_listener = match &config.metrics_listen {
            Some(endpoint) => Some(bind(endpoint).await?),
            None => None,
        };
        let endpoint = listener.endpoint();
        let tls = config.tls.clone().map(ServerTls::loader).transpose()?;
        let console_tls = console_listener.as_ref().and(config.tls.clone());
        let console_tls =
            console_tls.map(|tls| tls.with_optional_clients().loader()).transpose()?;
        let tokens = config.tokens.clone().map(TokenSettings::loader).transpose()?;
        let (keys, tokens) = tokens.unzip();
        let region = || config.region.clone();
        let access_keys = config.aws_credentials.clone();
        let access_keys = access_keys.map(|keys| keys.loader(region())).transpose()?;
        let (access_keys, access_key_verifier) = access_keys.unzip();
        let security = Security {
            tls: tls.as_ref().map(FileLoader::current),
            access: Access { tokens, grants: config.grants.clone() },
        };
        let statuses = tls.as_ref().map(FileLoader::status).into_iter();
        let statuses = statuses.chain(keys.as_ref().map(FileLoader::status));
        let statuses = statuses.chain(access_keys.as_ref().map(FileLoader::status)).collect();
        let current_tls = security.tls.clone();
        let (console_tls, console_loader) =
            (console_tls.as_ref().map(FileLoader::current), console_tls);
        let tls = tls.into_iter().chain(console_loader);
        let tls = tls.map(|tls| -> Box<dyn Reload> { Box::new(tls) });
        let keys = keys.map(|keys| -> Box<dyn Reload> { Box::new(keys) });
        let access_keys = access_keys.map(|keys| -> Box<dyn Reload> { Box::new(keys) });
        let reloaded = tls.chain(keys).chain(access_keys);
        let reload_task = ReloadTask::start(reloaded.collect());
        let reload_task = reload_task.map_err(ServerError::Reload)?;
        let metrics = Arc::new(Metrics::new(&grpc::methods()));
        metrics.aws.create(&aws::OPERATIONS, &aws::RESULTS);
        let watches = config.capacity.watches_per_connection;
        let limits = ConnectionLimits::new(config.connections, watches);
        let aws_tls = security.tls.clone();
        let (grpc, gate) = GrpcServer::start(
            listener,
            security,
            &config,
            limits.clone(),
            Arc::clone(&source),
            Arc::clone(&metrics),
            tracer.clone(),
        );
        let aws_gate = Gate::new(metrics.refused.clone());
        let max_age = config.max_connection_age;
        let aws = aws_listener.map(|listener| {
            let settings = DoorSettings {
                region: region(),
                keys: access_key_verifier,
                origins: config.aws_allow_origin.clone(),
                api: config.aws_api,
            };
            let layer = grpc.calls().for_protocol(&AwsJson);
            let source = Arc::clone(&source);
            let gate = aws_gate.clone();
            let door =
                Door::new(&layer, gate, settings, source, grpc.phase(), Arc::clone(&metrics));
            let limits = limits.clone();
            Http1Server::for_aws(listener, aws_tls, limits, door, max_age, Arc::clone(&metrics))
        });
        let console = console_listener.map(|listener| {
            let clock = Arc::clone(&source);
            let settings = ConsoleSettings {
                access: ConsoleAccess::Callers,
                hosts: config.console_hosts.clone(),
                clock: Arc::new(move || clock.now()),
                connection: Vec::new(),
                dashboard: config.console_dashboard.clone(),
            };
            let routes = console::routes(grpc.calls().layer(gate.clone()), settings);
            let metrics = Arc::clone(&metrics);
            Http1Server::for_console(listener, console_tls, limits, routes, max_age, metrics)
        });
        gauges::register_process(&metrics, grpc.phase(), config.data_dir.clone());
        gauges::register_credentials(&metrics, current_tls, statuses);
        let monitoring = metrics_listener
            .map(|listener| Monitoring::start(listener, grpc.phase(), Arc::clone(&metrics)));
        let listeners = Listeners { endpoint, grpc, aws, console, reload_task, tracer, monitoring };
        Ok(Self { listeners, gate, aws_gate, metrics, config, source })
    }

    async fn open(
        self,
        signer: Signer,
        log: Arc<dyn EventLog>,
        read_model: &Path,
        shared_checkpoints: Option<PostgresCheckpoints>,
    ) -> Result<Server, ServerError> {
        let signer = Arc::new(signer);
        let Self { listeners, gate, aws_gate, metrics, config, source } = self;
        let data_dir = config.data_dir;
        let (path, interval) = (data_dir::checkpoints(&data_dir), config.checkpoint_interval);
        let Config { region, limits, cache, clock, reads, max_lag, replica, witnesses, .. } =
            config;
        let witnesses: Vec<_> = witnesses.into_iter().map(WitnessClient::new).collect();
        for witness in &witnesses {
            metrics.checkpoints.create_witness(witness.name());
        }
        let checkpoint_metrics = metrics.checkpoints.clone();
        let (app_metrics, tracer) = (metrics.app.clone(), listeners.tracer.clone());
        let settings =
            Settings { region, limits, cache, clock, reads, metrics: app_metrics, tracer };
        gauges::register_log(&metrics, log.head());
        let app = App::start(log, read_model, source, settings).await;
        let app = Arc::new(app.map_err(|source| ServerError::Start { data_dir, source })?);
        gauges::register_app(&metrics, &app);
        let checkpoints = CheckpointPublisher {
            app: Arc::clone(&app),
            signer: Arc::clone(&signer),
            store: CheckpointStore::new(path, shared_checkpoints, checkpoint_metrics.clone()),
            interval,
            witnesses,
            metrics: checkpoint_metrics,
        };
        Box::pin(checkpoints.read_witnessed()).await?;
        let operations = Operations::new(Arc::clone(&app), signer, config.account_id);
        let operations = Arc::new(operations.with_replica(replica));
        gate.open(Services::new(&operations)?);
        aws_gate.open(operations);
        listeners.grpc.set_phase(Phase::Serving);
        Ok(Server { listeners, app, checkpoints, max_lag, metrics, data_dir: None })
    }
}

/// Waits until a listener ends, if there is one.
async fn join(server: Option<&mut Http1Server>) -> Result<(), JoinError> {
    match server {
        Some(server) => server.accept.join().await,
        None => pending().await,
    }
}

/// Ends a listener, if there is one. Without a call, its connections close at once. Returns
/// whether calls had to be aborted.
async fn drain(server: Option<&mut Http1Server>) -> Result<bool, JoinError> {
    match server {
        Some(server) => server.accept.drain(pending()).await,
        None => Ok(false),
    }
}

async fn bind_for_aws(config: &Config) -> Result<Option<Listener>, ServerError> {
    let Some(endpoint) = &config.aws_listen else { return Ok(None) };
    let listener = bind(endpoint).await?;
    config.check_aws(endpoint, listener.reach())?;
    // With keys, only their callers have the roles.
    if config.aws_credentials.is_none() {
        config.warn_of_roles(&format!("{endpoint}, for AWS clients,"), listener.reach());
    }
    Ok(Some(listener))
}

async fn bind_for_console(config: &Config) -> Result<Option<Listener>, ServerError> {
    let Some(endpoint) = &config.console_listen else { return Ok(None) };
    let listener = bind(endpoint).await?;
    config.check_console(endpoint, listener.reach())?;
    config.warn_of_roles(&format!("{endpoint}, for the console,"), listener.reach());
    config.warn_of_browsers();
    Ok(Some(listener))
}

async fn bind(endpoint: &Endpoint) -> Result<Listener, ServerError> {
    Listener::bind(endpoint).await.map_err(cannot_listen(endpoint))
}
