//! Metrics of the log's engine.

use std::time::Duration;

use prometheus_client::{
    metrics::{
        counter::Counter,
        gauge::Gauge,
        histogram::{Histogram, exponential_buckets},
    },
    registry::{Registry, Unit},
};

use super::registrar::{Registrar, duration_histogram, set};

/// The metrics of a log. Only those of [`Metrics`](super::Metrics) are exported.
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
    /// `userpool_log_durability_problems`
    durability_problems: Gauge,
    /// `userpool_log_turn_wait_seconds`
    turn_wait: Histogram,
    /// `userpool_log_durable_read_seconds`
    durable_read: Histogram,
    /// `userpool_log_sessions_total`
    sessions: Counter,
}

impl Default for LogMetrics {
    fn default() -> Self {
        Self {
            append: duration_histogram(),
            // Up to the largest batch.
            events: Histogram::new(exponential_buckets(1.0, 2.0, 10)),
            failures: Counter::default(),
            sync: duration_histogram(),
            bytes: Gauge::default(),
            durability_problems: Gauge::default(),
            turn_wait: duration_histogram(),
            durable_read: duration_histogram(),
            sessions: Counter::default(),
        }
    }
}

impl LogMetrics {
    /// Records that a batch was appended and made durable.
    pub fn record_append(&self, records: usize, took: Duration) {
        self.append.observe(took.as_secs_f64());
        self.events.observe(u32::try_from(records).unwrap_or(u32::MAX).into());
    }

    /// Counts a batch that could not be appended.
    pub fn count_append_failure(&self) {
        self.failures.inc();
    }

    /// Records how long it took to make a written batch durable.
    pub fn record_sync(&self, took: Duration) {
        self.sync.observe(took.as_secs_f64());
    }

    /// Sets the size of the log on disk.
    pub fn set_disk_bytes(&self, bytes: u64) {
        set(&self.bytes, bytes);
    }

    /// Sets how many settings and states of the database let it lose what it acknowledges.
    pub fn set_durability_problems(&self, problems: usize) {
        self.durability_problems.set(i64::try_from(problems).unwrap_or(i64::MAX));
    }

    /// Records how long the writer waited for its turn to append, whether or not it got it.
    pub fn record_turn_wait(&self, took: Duration) {
        self.turn_wait.observe(took.as_secs_f64());
    }

    /// Records how long a durable read took.
    pub fn record_durable_read(&self, took: Duration) {
        self.durable_read.observe(took.as_secs_f64());
    }

    /// Counts a session of the database that was opened.
    pub fn count_session(&self) {
        self.sessions.inc();
    }

    pub(super) fn register(&self, registry: &mut Registry) {
        let help = "Time to append a batch of events and make it durable";
        let mut registrar = Registrar(registry);
        registrar.histogram("userpool_log_append", help, Unit::Seconds, &self.append);
        let help = "Events per batch";
        let events = Unit::Other("events".to_owned());
        registrar.histogram("userpool_log_append", help, events, &self.events);
        let help = "Time to make a written batch durable: sled's flush, then the sync";
        registrar.histogram("userpool_log_sync", help, Unit::Seconds, &self.sync);
        registrar.bytes("userpool_log", "Size of the log on disk", &self.bytes);
        let help = "Why the database of the log may lose what it acknowledges";
        registrar.gauge("userpool_log_durability_problems", help, &self.durability_problems);
        let help = "Time that the writer waited for its turn to append to a log in PostgreSQL";
        registrar.histogram("userpool_log_turn_wait", help, Unit::Seconds, &self.turn_wait);
        let help = "Time to read from a log in PostgreSQL until a standby has what was read";
        registrar.histogram("userpool_log_durable_read", help, Unit::Seconds, &self.durable_read);
        let help = "Sessions with the database that this server has opened";
        registrar.0.register("userpool_log_sessions", help, self.sessions.clone());
        let help = "Batches that could not be appended; the server stops after the first one";
        registry.register("userpool_log_append_failures", help, self.failures.clone());
    }
}
