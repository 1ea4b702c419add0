//! What the log's engine measures.

use std::time::Duration;

use prometheus_client::{
    metrics::{
        counter::Counter,
        gauge::Gauge,
        histogram::{Histogram, exponential_buckets},
    },
    registry::{Registry, Unit},
};

use super::{Names, seconds, set};

/// The metrics of a log. Those of [`Default`] are read by nobody.
#[derive(Debug, Clone)]
pub struct LogMetrics {
    /// `userpool_log_append_seconds`
    append: Histogram,
    /// `userpool_log_append_events`
    events: Histogram,
    /// `userpool_log_append_failures_total`
    failures: Counter,
    /// `userpool_log_sync_seconds`
    sync: Histogram,
    /// `userpool_log_bytes`
    bytes: Gauge,
}

impl Default for LogMetrics {
    fn default() -> Self {
        Self {
            append: seconds(),
            // As far as the largest batch.
            events: Histogram::new(exponential_buckets(1.0, 2.0, 10)),
            failures: Counter::default(),
            sync: seconds(),
            bytes: Gauge::default(),
        }
    }
}

impl LogMetrics {
    /// A batch of so many records was appended, and is durable.
    pub fn appended(&self, records: usize, took: Duration) {
        self.append.observe(took.as_secs_f64());
        self.events.observe(u32::try_from(records).unwrap_or(u32::MAX).into());
    }

    /// A batch could not be appended.
    pub fn append_failed(&self) {
        self.failures.inc();
    }

    /// What was written was made durable.
    pub fn synced(&self, took: Duration) {
        self.sync.observe(took.as_secs_f64());
    }

    /// So many bytes are on the disk.
    pub fn holds(&self, bytes: u64) {
        set(&self.bytes, bytes);
    }

    pub(super) fn register(&self, registry: &mut Registry) {
        let help = "How long it took to append a batch of events and make it durable";
        let mut names = Names(registry);
        names.histogram("userpool_log_append", help, Unit::Seconds, &self.append);
        let help = "How many events one batch had";
        let events = Unit::Other("events".to_owned());
        names.histogram("userpool_log_append", help, events, &self.events);
        let help = "How long it took to make a written batch durable: sled's flush, then the sync";
        names.histogram("userpool_log_sync", help, Unit::Seconds, &self.sync);
        names.bytes("userpool_log", "What the log takes on the disk", &self.bytes);
        let help = "Batches that could not be appended; the first one ends the server";
        registry.register("userpool_log_append_failures", help, self.failures.clone());
    }
}
