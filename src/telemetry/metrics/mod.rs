//! Metrics in the format and with the names that Prometheus expects. Code that counts or
//! measures holds its metrics. A gauge is set when its value changes, or when the metrics
//! are scraped.
//!
//! No label contains a name, an ID or any other content of a user pool.

mod app;
mod aws;
mod checkpoints;
mod credentials;
mod labeled;
mod log;
mod process;
mod refused;
mod registrar;
mod rpc;
mod server;
mod watchers;

use std::{
    fmt,
    sync::{Mutex, MutexGuard, PoisonError},
};

use prometheus_client::{encoding::text, metrics::info::Info, registry::Registry};

pub use self::{
    app::{AppMetrics, CommandOutcome, RebuildReason, ResolvedOutcome},
    aws::AwsMetrics,
    checkpoints::{CheckpointMetrics, CosignatureOutcome},
    credentials::{CertificateValidity, CredentialMetrics},
    log::LogMetrics,
    refused::{RefusalCounters, RefusalReason},
    rpc::{Method, RpcCall, Rpcs, code_name},
    server::{OpenConnection, ServerMetrics},
    watchers::{Watcher, Watchers},
};

/// The content type of the text: `OpenMetrics`, which Prometheus asks for.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// All metrics of a server.
pub struct Metrics {
    /// The calls.
    pub rpcs: Rpcs,
    /// The log's engine.
    pub log: LogMetrics,
    /// The writer, the read model and the watches.
    pub app: AppMetrics,
    /// The server.
    pub server: ServerMetrics,
    /// The AWS JSON door.
    pub aws: AwsMetrics,
    /// The certificates, and the reloads of their files.
    pub credentials: CredentialMetrics,
    /// The checkpoints, and the witnesses that cosign them.
    pub checkpoints: CheckpointMetrics,
    /// Refused calls and connections.
    pub refused: RefusalCounters,
    registry: Registry,
    gauges: Mutex<Vec<Update>>,
}

/// Sets gauges to their current values.
type Update = Box<dyn Fn() + Send + Sync>;

impl Metrics {
    /// The metrics of a server with these methods, all at zero.
    #[must_use]
    pub fn new(methods: &[Method]) -> Self {
        let mut registry = Registry::default();
        let version = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("userpool_build", "Version of the server", version);
        let rpcs = Rpcs::new(methods, &mut registry);
        let (log, server) = (LogMetrics::default(), ServerMetrics::default());
        let credentials = CredentialMetrics::default();
        let refused = RefusalCounters::default();
        let app = AppMetrics::with(refused.clone());
        log.register(&mut registry);
        app.register(&mut registry);
        server.register(&mut registry);
        let aws = AwsMetrics::default();
        aws.register(&mut registry);
        credentials.register(&mut registry);
        let checkpoints = CheckpointMetrics::default();
        checkpoints.register(&mut registry);
        refused.register(&mut registry);
        registry.register_collector(Box::new(process::Process));
        let gauges = Mutex::default();
        Self { rpcs, log, app, server, aws, credentials, checkpoints, refused, registry, gauges }
    }

    /// Calls `update` before each scrape, to set gauges that are cheaper to look up than to
    /// keep up to date. It must not own anything that has to be dropped before the server.
    pub fn on_scrape(&self, update: impl Fn() + Send + Sync + 'static) {
        self.gauges().push(Box::new(update));
    }

    /// All metrics as text. Reads file sizes, so it may block.
    ///
    /// # Errors
    /// A value cannot be written as text, which does not happen with these metrics.
    pub fn text(&self) -> Result<String, fmt::Error> {
        // Locked to the end: another scrape must not update a part of them meanwhile.
        let gauges = self.gauges();
        gauges.iter().for_each(|update| update());
        let mut text = String::new();
        text::encode(&mut text, &self.registry)?;
        drop(gauges);
        Ok(text)
    }

    fn gauges(&self) -> MutexGuard<'_, Vec<Update>> {
        self.gauges.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}
