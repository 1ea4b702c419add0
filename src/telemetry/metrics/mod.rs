//! What is counted and measured, in the form and under the names that Prometheus
//! reads. Knows nothing of what it measures: whoever has something to count holds the
//! counter, and whoever knows a level is asked for it when the metrics are read.
//!
//! Nothing here has a name, an ID or any other content of user pools as a label.

mod app;
mod labelled;
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
    metrics::{family::Family, gauge::Gauge, histogram::Histogram, info::Info},
    registry::{Registry, Unit},
};

pub use prometheus_client::metrics::counter::Counter;

pub use self::{
    app::{AppMetrics, Outcome},
    log::LogMetrics,
    refused::{Refusal, Refused},
    rpc::{Method, RpcCall, Rpcs, code_name},
    server::{OpenConnection, ServerMetrics},
    watchers::{Watcher, Watchers},
};

/// What the text is, for those who read it: `OpenMetrics`, which Prometheus asks for.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// All metrics of a server.
pub struct Metrics {
    /// Of the calls.
    pub rpcs: Rpcs,
    /// Of the log's engine.
    pub log: LogMetrics,
    /// Of the writer, the read model and the watches.
    pub app: AppMetrics,
    /// Of the process around them.
    pub server: ServerMetrics,
    /// What was not let in.
    pub refused: Refused,
    registry: Registry,
    levels: Mutex<Vec<Level>>,
}

/// Sets gauges to what is true now.
type Level = Box<dyn Fn() + Send + Sync>;

impl Metrics {
    /// Metrics of a server with these methods, all at zero.
    #[must_use]
    pub fn new(methods: &[Method]) -> Self {
        let mut registry = Registry::default();
        let version = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("userpool_build", "The version that runs", version);
        let rpcs = Rpcs::new(methods, &mut registry);
        let (log, server) = (LogMetrics::default(), ServerMetrics::default());
        let refused = Refused::default();
        let app = AppMetrics::with(refused.clone());
        log.register(&mut registry);
        app.register(&mut registry);
        server.register(&mut registry);
        refused.register(&mut registry);
        registry.register_collector(Box::new(process::Process));
        Self { rpcs, log, app, server, refused, registry, levels: Mutex::default() }
    }

    /// Has `level` called before each reading, to set what is cheaper to look up then
    /// than to keep. It must hold nothing that has to end before the server does.
    pub fn on_reading(&self, level: impl Fn() + Send + Sync + 'static) {
        self.levels().push(Box::new(level));
    }

    /// Everything as it is now. Looks at files, so it may block.
    ///
    /// # Errors
    /// A value cannot be written as text, which no value here is.
    pub fn text(&self) -> Result<String, fmt::Error> {
        for level in self.levels().iter() {
            level();
        }
        let mut text = String::new();
        text::encode(&mut text, &self.registry)?;
        Ok(text)
    }

    fn levels(&self) -> MutexGuard<'_, Vec<Level>> {
        self.levels.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

/// How long a call or a sync takes: from 100 µs to 10 s, close where answers are.
fn seconds() -> Histogram {
    Histogram::new([
        0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5,
        5.0, 10.0,
    ])
}

/// A gauge that follows a number, however large.
fn set(gauge: &Gauge, level: impl TryInto<i64>) {
    gauge.set(level.try_into().unwrap_or(i64::MAX));
}

/// The labels of one metric among those with its name.
trait LabelSet: EncodeLabelSet + Clone + Eq + fmt::Debug + Hash + Send + Sync + 'static {}

impl<T: EncodeLabelSet + Clone + Eq + fmt::Debug + Hash + Send + Sync + 'static> LabelSet for T {}

/// Registers metrics under the names that they are exported with.
struct Names<'a>(&'a mut Registry);

impl Names<'_> {
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
