//! What the writer, the projection and the watches measure.

use std::{sync::atomic::AtomicU64, time::Duration};

use prometheus_client::{
    metrics::{gauge::Gauge, histogram::Histogram},
    registry::{Registry, Unit},
};

use super::{
    Names, Refused, Watchers,
    labelled::{Labelled, Value},
    seconds, set,
};

/// How a command that the writer took up ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It was recorded, or changed nothing.
    CarriedOut,
    /// It was only validated.
    Validated,
    /// It had been carried out long before; the first answer was given again.
    Repeated,
    /// A rule said no.
    Refused,
    /// Something is wrong here.
    Failed,
}

impl Value for Outcome {
    const ALL: &'static [Self] =
        &[Self::CarriedOut, Self::Validated, Self::Repeated, Self::Refused, Self::Failed];

    fn label(self) -> &'static str {
        match self {
            Self::CarriedOut => "carried_out",
            Self::Validated => "validated",
            Self::Repeated => "repeated",
            Self::Refused => "refused",
            Self::Failed => "failed",
        }
    }
}

/// The metrics of the application. Those of [`Default`] are read by nobody.
#[derive(Debug, Clone)]
pub struct AppMetrics {
    /// Those who follow the history.
    pub watchers: Watchers,
    /// What is not let in; the same as that of all [`Metrics`](super::Metrics).
    pub refused: Refused,
    /// `userpool_commands_total`
    commands: Labelled<Outcome>,
    /// `userpool_writer_queue_depth`
    queue: Gauge,
    /// `userpool_writer_queue_capacity`
    queue_capacity: Gauge,
    /// `userpool_log_head_position`
    head: Gauge,
    /// `userpool_read_model_checkpoint_position`
    checkpoint: Gauge,
    /// `userpool_read_model_lag_events`
    lag: Gauge,
    /// `userpool_read_model_built_ratio`
    built: Gauge<f64, AtomicU64>,
    /// `userpool_read_model_apply_seconds`
    apply: Histogram,
    /// `userpool_read_model_bytes`
    bytes: Gauge,
    /// `userpool_user_pools`
    user_pools: Gauge,
}

impl Default for AppMetrics {
    fn default() -> Self {
        Self::with(Refused::default())
    }
}

impl AppMetrics {
    pub(super) fn with(refused: Refused) -> Self {
        Self {
            watchers: Watchers::default(),
            refused,
            commands: Labelled::by("outcome"),
            queue: Gauge::default(),
            queue_capacity: Gauge::default(),
            head: Gauge::default(),
            checkpoint: Gauge::default(),
            lag: Gauge::default(),
            built: Gauge::default(),
            apply: seconds(),
            bytes: Gauge::default(),
            user_pools: Gauge::default(),
        }
    }

    /// The writer is done with a command.
    pub fn command(&self, outcome: Outcome) {
        self.commands.count(outcome);
    }

    /// The read model shows the log up to this position.
    pub fn projected(&self, checkpoint: u64) {
        set(&self.checkpoint, checkpoint);
    }

    /// It took so long to apply a batch to the read model.
    pub fn applied(&self, took: Duration) {
        self.apply.observe(took.as_secs_f64());
    }

    /// The log ends here, now.
    pub fn head(&self, head: u64) {
        set(&self.head, head);
        let shown = u64::try_from(self.checkpoint.get()).unwrap_or_default().min(head);
        set(&self.lag, head.saturating_sub(shown));
        self.built.set(ratio(shown, head));
        self.watchers.measure(head);
    }

    /// So many commands wait for the writer, of as many as may.
    pub fn waiting(&self, commands: usize, capacity: usize) {
        set(&self.queue, commands);
        set(&self.queue_capacity, capacity);
    }

    /// There are so many user pools.
    pub fn user_pools(&self, count: u64) {
        set(&self.user_pools, count);
    }

    /// So many bytes of the read model are on the disk.
    pub fn holds(&self, bytes: u64) {
        set(&self.bytes, bytes);
    }

    pub(super) fn register(&self, registry: &mut Registry) {
        let mut names = Names(registry);
        let help = "Commands that the writer took up, by how they ended";
        names.counters("userpool_commands", help, &self.commands.family);
        let help = "Commands that wait for the writer";
        names.gauge("userpool_writer_queue_depth", help, &self.queue);
        let help = "How many commands may wait for the writer; more are refused";
        names.gauge("userpool_writer_queue_capacity", help, &self.queue_capacity);
        let help = "The position of the last event in the log";
        names.gauge("userpool_log_head_position", help, &self.head);
        let help = "The position up to which the read model shows the log";
        names.gauge("userpool_read_model_checkpoint_position", help, &self.checkpoint);
        let help = "How many events the read model is behind the log";
        names.gauge("userpool_read_model_lag_events", help, &self.lag);
        let help = "How much of the log the read model shows; below 1 it is being built";
        names.ratio("userpool_read_model_built", help, &self.built);
        let help = "How long it took to apply a batch of events to the read model";
        names.histogram("userpool_read_model_apply", help, Unit::Seconds, &self.apply);
        names.bytes("userpool_read_model", "What the read model takes on the disk", &self.bytes);
        let help = "User pools that are not deleted";
        names.gauge("userpool_user_pools", help, &self.user_pools);
        self.watchers.register(&mut names);
    }
}

/// How much of the whole there is; an empty whole is complete.
fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 { 1.0 } else { float(part) / float(whole) }
}

/// Exact up to 2^53.
#[expect(clippy::cast_precision_loss, clippy::as_conversions, reason = "a ratio needs no more")]
fn float(number: u64) -> f64 {
    number as f64
}
