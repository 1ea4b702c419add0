//! Metrics in the format and with the names that Prometheus expects. Code that counts
//! holds the counter, and gauges are set when the metrics are scraped.
//!
//! No label contains a name, an ID or any other content of a user pool.

mod app;
mod labeled;
mod log;
mod process;
mod refused;
mod rpc;
mod server;
mod watchers;

use std::{
    fmt,
    hash::Hash,
    sync::{Mutex, MutexGuard, PoisonError, atomic::AtomicU64},
};

use prometheus_client::{
    encoding::{EncodeLabelSet, text},
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram, info::Info},
    registry::{Registry, Unit},
};

pub use self::{
    app::{AppMetrics, CommandOutcome},
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
        let refused = RefusalCounters::default();
        let app = AppMetrics::with(refused.clone());
        log.register(&mut registry);
        app.register(&mut registry);
        server.register(&mut registry);
        refused.register(&mut registry);
        registry.register_collector(Box::new(process::Process));
        Self { rpcs, log, app, server, refused, registry, gauges: Mutex::default() }
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
        for update in self.gauges().iter() {
            update();
        }
        let mut text = String::new();
        text::encode(&mut text, &self.registry)?;
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

/// A histogram of durations from 100 µs to 10 s, with narrow buckets where most are.
fn duration_histogram() -> Histogram {
    Histogram::new([
        0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5,
        5.0, 10.0,
    ])
}

/// Sets a gauge to a number; one that is too large becomes the largest.
fn set(gauge: &Gauge, value: impl TryInto<i64>) {
    gauge.set(value.try_into().unwrap_or(i64::MAX));
}

/// The labels that distinguish the metrics of a family.
trait LabelSet: EncodeLabelSet + Clone + Eq + fmt::Debug + Hash + Send + Sync + 'static {}

impl<T: EncodeLabelSet + Clone + Eq + fmt::Debug + Hash + Send + Sync + 'static> LabelSet for T {}

/// Registers metrics under their registrar.
struct Registrar<'a>(&'a mut Registry);

impl Registrar<'_> {
    fn histogram(&mut self, name: &str, help: &str, unit: Unit, histogram: &Histogram) {
        self.0.register_with_unit(name, help, unit, histogram.clone());
    }

    fn gauge(&mut self, name: &str, help: &str, gauge: &Gauge) {
        self.0.register(name, help, gauge.clone());
    }

    fn bytes(&mut self, name: &str, help: &str, gauge: &Gauge) {
        self.0.register_with_unit(name, help, Unit::Bytes, gauge.clone());
    }

    fn ratio(&mut self, name: &str, help: &str, gauge: &Gauge<f64, AtomicU64>) {
        self.0.register_with_unit(name, help, Unit::Other("ratio".to_owned()), gauge.clone());
    }

    fn counters<L: LabelSet>(&mut self, name: &str, help: &str, counters: &Family<L, Counter>) {
        self.0.register(name, help, Family::clone(counters));
    }
}
