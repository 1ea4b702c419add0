//! Listening, serving, and stopping in order.

mod listen;

use std::{io, path::PathBuf, sync::Arc, time::Duration};

use tokio::{sync::oneshot, time};
use tonic::transport::{Server, server::Router};
use tonic_health::ServingStatus;
use tower::layer::util::{Identity, Stack};

use crate::{
    app::{App, Settings, Source, StartError},
    checkpoint::{self, KeyError, Signer},
    data_dir::{self, DataDir, DataDirError},
    event_log::{EventLog, OpenError, SledLog},
    grpc::{self, RpcLayer},
    user_pool::Limits,
};

pub use self::listen::{Endpoint, EndpointError, Listener};

/// How long running calls may take after the server was told to stop.
const DRAIN: Duration = Duration::from_secs(30);
/// A client that is silent for this long is asked whether it is still there.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(30);
/// And this is how long it may take to answer.
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(10);
/// Calls that one connection may have open; more wait in the client.
const STREAMS: u32 = 128;
/// Bytes of headers that one call may have.
const HEADER_BYTES: u32 = 16 * 1024;

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
}

/// Why a server could not start, or stopped.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The data directory.
    #[error(transparent)]
    DataDir(#[from] DataDirError),
    /// The log.
    #[error(transparent)]
    Log(#[from] OpenError),
    /// The key that checkpoints are signed with.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The application on top of it.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The endpoint.
    #[error("cannot listen on {endpoint}")]
    Listen {
        /// The endpoint.
        endpoint: Endpoint,
        /// What the system says.
        source: io::Error,
    },
    /// The descriptors that reflection serves.
    #[error("reflection cannot be set up")]
    Reflection(#[from] tonic_reflection::server::Error),
    /// The transport.
    #[error("the server failed")]
    Transport(#[from] tonic::transport::Error),
    /// The log failed while it was served; what was acknowledged is safe.
    #[error(
        "the log failed; every acknowledged command is kept, the others may or may not be: \
         see to the disk, then start again"
    )]
    LogFailed,
}

/// A server that is ready to serve.
#[derive(Debug)]
pub struct Ready {
    listener: Listener,
    app: App,
    signer: Signer,
    /// Where the last checkpoint is noted.
    checkpoints: PathBuf,
    account_id: String,
    /// Given back only when everything else is closed.
    data_dir: Option<DataDir>,
}

impl Ready {
    /// Listens, opens the data directory, and brings the read model up to the log.
    ///
    /// # Errors
    /// See [`ServerError`].
    pub async fn start(config: Config, source: Arc<dyn Source>) -> Result<Self, ServerError> {
        // First, so that a wrong address leaves no directory behind. Who connects
        // while the log is opened waits.
        let listener = bind(&config.listen).await?;
        let data_dir = DataDir::open(&config.data_dir, &config.region, source.now())?;
        let log = SledLog::open(&data_dir.log())?;
        let head = *log.head().borrow();
        tracing::info!(position = %head.position, hash = %head.hash, "log opened");
        let read_model = data_dir.read_model();
        let mut ready =
            Self::listening(listener, Arc::new(log), &read_model, config, source).await?;
        ready.data_dir = Some(data_dir);
        Ok(ready)
    }

    /// The same on any log.
    ///
    /// # Errors
    /// See [`ServerError`].
    pub async fn on(
        log: Arc<dyn EventLog>,
        read_model: &std::path::Path,
        config: Config,
        source: Arc<dyn Source>,
    ) -> Result<Self, ServerError> {
        let listener = bind(&config.listen).await?;
        Self::listening(listener, log, read_model, config, source).await
    }

    async fn listening(
        listener: Listener,
        log: Arc<dyn EventLog>,
        read_model: &std::path::Path,
        config: Config,
        source: Arc<dyn Source>,
    ) -> Result<Self, ServerError> {
        let Config { listen: _, data_dir, region, account_id, limits } = config;
        let signer = Signer::open(&data_dir::signing_key(&data_dir))?;
        let app = App::start(log, read_model, source, Settings { region, limits }).await?;
        let checkpoints = data_dir::checkpoints(&data_dir);
        Ok(Self { listener, app, signer, checkpoints, account_id, data_dir: None })
    }

    /// Where it listens: the endpoint that was asked for, with the port chosen.
    #[must_use]
    pub fn endpoint(&self) -> Endpoint {
        self.listener.endpoint()
    }

    /// Serves until `stop` completes, then finishes what is running.
    ///
    /// # Errors
    /// [`ServerError::LogFailed`] where the log failed in the meantime.
    pub async fn serve(self, stop: impl Future<Output = ()>) -> Result<(), ServerError> {
        let Self { listener, app, signer, checkpoints, account_id, data_dir } = self;
        let (app, signer) = (Arc::new(app), Arc::new(signer));
        let (mut reporter, health) = tonic_health::server::health_reporter();
        grpc::report_health(&reporter, ServingStatus::Serving).await;
        let routes = grpc::routes(&app, &signer, &account_id, health)?;
        let server: Router<Stack<RpcLayer, Identity>> = Server::builder()
            .http2_keepalive_interval(Some(KEEPALIVE_INTERVAL))
            .http2_keepalive_timeout(Some(KEEPALIVE_TIMEOUT))
            .max_concurrent_streams(STREAMS)
            .http2_max_header_list_size(HEADER_BYTES)
            .layer(RpcLayer::new(app.source()))
            .add_routes(routes);

        let (drain, draining) = oneshot::channel::<()>();
        let serving = listener.serve(server, async {
            // The sender is never dropped before it was used.
            let _ = draining.await;
        });
        tokio::pin!(serving);
        let log_failed = tokio::select! {
            result = &mut serving => return result.map_err(ServerError::from),
            () = stop => false,
            () = app.failed() => true,
        };
        grpc::report_health(&reporter, ServingStatus::NotServing).await;
        tracing::info!("stopping: running calls are finished, new ones refused");
        app.drain();
        // The receiver is in `serving`, which is still there.
        let _ = drain.send(());
        grpc::end_health(&mut reporter).await;
        if time::timeout(DRAIN, serving).await.is_err() {
            tracing::warn!(?DRAIN, "calls were still running and are cut off");
        }
        let (history, source) = (app.history().clone(), app.source());
        if let Some(app) = Arc::into_inner(app) {
            app.close().await;
        }
        // With the lock on the data directory still held.
        let last = signer.sign(history.head(), source.now());
        match checkpoint::note(&checkpoints, &last) {
            Ok(()) => tracing::info!(position = last.position, "checkpoint signed"),
            Err(error) => tracing::warn!(%error, "the last checkpoint cannot be noted"),
        }
        drop(data_dir);
        tracing::info!("stopped");
        if log_failed { Err(ServerError::LogFailed) } else { Ok(()) }
    }
}

async fn bind(endpoint: &Endpoint) -> Result<Listener, ServerError> {
    let bound = Listener::bind(endpoint).await;
    bound.map_err(|source| ServerError::Listen { endpoint: endpoint.clone(), source })
}
