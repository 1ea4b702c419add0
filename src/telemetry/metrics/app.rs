//! Metrics of the writer, the projection and the watches.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use prometheus_client::{
    metrics::{counter::Counter, gauge::Gauge, histogram::Histogram},
    registry::{Registry, Unit},
};

use super::{
    RefusalCounters, Watchers,
    labeled::{LabelValue, LabeledCounters},
    registrar::{Registrar, duration_histogram, set},
};

/// The outcome of a command that the writer handled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CommandOutcome {
    /// It was recorded, or needed no change.
    CarriedOut,
    /// It was only validated.
    Validated,
    /// It was a retry of a recorded command; the answer was repeated.
    Repeated,
    /// A rule refused it.
    Refused,
    /// The server failed.
    Failed,
}

impl LabelValue for CommandOutcome {
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

/// What was found out about a batch whose append got no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResolvedOutcome {
    /// The log has it.
    Appended,
    /// The log does not have it, and its commands were decided again.
    NotAppended,
}

impl LabelValue for ResolvedOutcome {
    const ALL: &'static [Self] = &[Self::Appended, Self::NotAppended];

    fn label(self) -> &'static str {
        match self {
            Self::Appended => "appended",
            Self::NotAppended => "not_appended",
        }
    }
}

/// Why the read model was built from the beginning of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RebuildReason {
    /// There was none, or it was not built to the end.
    Missing,
    /// Another version wrote it in another form.
    OtherForm,
    /// It belongs to another log.
    OtherLog,
    /// It was not what was written.
    Damaged,
}

impl LabelValue for RebuildReason {
    const ALL: &'static [Self] = &[Self::Missing, Self::OtherForm, Self::OtherLog, Self::Damaged];

    fn label(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::OtherForm => "other_form",
            Self::OtherLog => "other_log",
            Self::Damaged => "damaged",
        }
    }
}

/// The metrics of the application. Only those of [`Metrics`](super::Metrics) are exported.
#[derive(Debug, Clone)]
pub struct AppMetrics {
    /// The open watches.
    pub watchers: Watchers,
    /// Refused calls and connections; shared with [`Metrics`](super::Metrics).
    pub refused: RefusalCounters,
    /// `userpool_commands_total`
    commands: LabeledCounters<CommandOutcome>,
    /// `userpool_writer_queue_depth`
    queue: Gauge,
    /// `userpool_writer_queue_capacity`
    queue_capacity: Gauge,
    /// `userpool_log_head_position`
    head: Gauge,
    /// `userpool_read_model_checkpoint_position`
    checkpoint: Gauge,
    /// The last position that the read model includes; `checkpoint` shows it from the next scrape on.
    included: Arc<AtomicU64>,
    /// `userpool_read_model_lag_events`
    lag: Gauge,
    /// `userpool_read_model_lag_seconds`
    lag_time: Gauge<f64, AtomicU64>,
    /// `userpool_log_silence_seconds`
    log_silence: Gauge<f64, AtomicU64>,
    /// `userpool_log_conflicts_total`
    log_conflicts: Counter,
    /// `userpool_log_unknown_outcomes_total`
    unknown_outcomes: LabeledCounters<ResolvedOutcome>,
    /// `userpool_log_unresolved_outcomes`
    unresolved_outcomes: Gauge,
    /// `userpool_read_model_built_ratio`
    built: Gauge<f64, AtomicU64>,
    /// `userpool_read_model_apply_seconds`
    apply: Histogram,
    /// `userpool_read_model_bytes`
    bytes: Gauge,
    /// `userpool_read_model_rebuilds_total`
    rebuilds: LabeledCounters<RebuildReason>,
    /// `userpool_user_pools`
    user_pools: Gauge,
    /// `userpool_clock_behind_seconds`
    clock_behind: Gauge<f64, AtomicU64>,
    /// `userpool_clock_jumps_total`
    clock_jumps: Counter,
}

impl Default for AppMetrics {
    fn default() -> Self {
        Self::with(RefusalCounters::default())
    }
}

impl AppMetrics {
    pub(super) fn with(refused: RefusalCounters) -> Self {
        Self {
            watchers: Watchers::default(),
            refused,
            commands: LabeledCounters::new("outcome"),
            queue: Gauge::default(),
            queue_capacity: Gauge::default(),
            head: Gauge::default(),
            checkpoint: Gauge::default(),
            included: Arc::default(),
            lag: Gauge::default(),
            lag_time: Gauge::default(),
            log_silence: Gauge::default(),
            log_conflicts: Counter::default(),
            unknown_outcomes: LabeledCounters::new("resolved"),
            unresolved_outcomes: Gauge::default(),
            built: Gauge::default(),
            apply: duration_histogram(),
            bytes: Gauge::default(),
            rebuilds: LabeledCounters::new("reason"),
            user_pools: Gauge::default(),
            clock_behind: Gauge::default(),
            clock_jumps: Counter::default(),
        }
    }

    /// Counts a command that the writer has handled.
    pub fn count_command(&self, outcome: CommandOutcome) {
        self.commands.increment(outcome);
    }

    /// Sets the last position that the read model includes.
    pub fn set_included(&self, position: u64) {
        self.included.store(position, Ordering::Relaxed);
    }

    /// Records how long it took to apply a batch to the read model.
    pub fn record_apply(&self, took: Duration) {
        self.apply.observe(took.as_secs_f64());
    }

    /// Sets the position of the log's last event, and the checkpoint, the lag and the share of the
    /// read model, which agree in a scrape since all are of one moment.
    pub fn set_progress(&self, head: u64) {
        let included = self.included.load(Ordering::Relaxed);
        // The read model may have gone on since the head was read.
        let head = head.max(included);
        set(&self.head, head);
        set(&self.checkpoint, included);
        set(&self.lag, head - included);
        self.built.set(ratio(included, head));
        self.watchers.measure(head);
    }

    /// Sets how long an event of a log that servers share has not been visible, and how long that
    /// log has not answered.
    pub fn set_log_contact(&self, lag: Duration, silence: Duration) {
        self.lag_time.set(lag.as_secs_f64());
        self.log_silence.set(silence.as_secs_f64());
    }

    /// Counts a batch before which another server appended.
    pub fn count_log_conflict(&self) {
        self.log_conflicts.inc();
    }

    /// Notes a batch whose append got no answer.
    pub fn begin_unknown_outcome(&self) {
        self.unresolved_outcomes.inc();
    }

    /// Counts such a batch, once it is found out.
    pub fn end_unknown_outcome(&self, resolved: ResolvedOutcome) {
        self.unresolved_outcomes.dec();
        self.unknown_outcomes.increment(resolved);
    }

    /// Sets the length and the capacity of the writer's queue.
    pub fn set_queue(&self, commands: usize, capacity: usize) {
        set(&self.queue, commands);
        set(&self.queue_capacity, capacity);
    }

    /// Sets the number of user pools.
    pub fn set_user_pools(&self, count: u64) {
        set(&self.user_pools, count);
    }

    /// Sets how far the clock is behind the last event.
    pub fn set_clock_behind(&self, behind: Duration) {
        self.clock_behind.set(behind.as_secs_f64());
    }

    /// Counts a clock that jumped ahead.
    pub fn count_clock_jump(&self) {
        self.clock_jumps.inc();
    }

    /// Counts a read model that is built from the beginning of the log.
    pub fn count_rebuild(&self, reason: RebuildReason) {
        self.rebuilds.increment(reason);
    }

    /// Sets the size of the read model on disk.
    pub fn set_disk_bytes(&self, bytes: u64) {
        set(&self.bytes, bytes);
    }

    pub(super) fn register(&self, registry: &mut Registry) {
        let mut registrar = Registrar(registry);
        let help = "Commands that the writer handled, by outcome";
        registrar.counters("userpool_commands", help, &self.commands.family);
        let help = "Commands waiting in the writer's queue";
        registrar.gauge("userpool_writer_queue_depth", help, &self.queue);
        let help = "Capacity of the writer's queue; further commands are refused";
        registrar.gauge("userpool_writer_queue_capacity", help, &self.queue_capacity);
        let help = "Position of the last event in the log";
        registrar.gauge("userpool_log_head_position", help, &self.head);
        let help = "Position of the last event that the read model includes";
        registrar.gauge("userpool_read_model_checkpoint_position", help, &self.checkpoint);
        let help = "Events in the log that the read model does not include yet";
        registrar.gauge("userpool_read_model_lag_events", help, &self.lag);
        let help = "How long an event of a log that servers share has not been in the read model";
        registrar.seconds("userpool_read_model_lag", help, &self.lag_time);
        let help = "How long a log that servers share has not said its end";
        registrar.seconds("userpool_log_silence", help, &self.log_silence);
        let help = "Batches that were decided again because another server appended first";
        registrar.0.register("userpool_log_conflicts", help, self.log_conflicts.clone());
        let help = "Batches whose append got no answer, by what was found out: appended, or not";
        registrar.counters("userpool_log_unknown_outcomes", help, &self.unknown_outcomes.family);
        let help = "Batches whose append got no answer and was not found out yet";
        registrar.gauge("userpool_log_unresolved_outcomes", help, &self.unresolved_outcomes);
        let help = "Share of the log that the read model includes; below 1 while it is being built";
        registrar.ratio("userpool_read_model_built", help, &self.built);
        let help = "Time to apply a batch of events to the read model";
        registrar.histogram("userpool_read_model_apply", help, Unit::Seconds, &self.apply);
        registrar.bytes("userpool_read_model", "Size of the read model on disk", &self.bytes);
        let help = "Times that this process built the read model from the beginning of the log";
        registrar.counters("userpool_read_model_rebuilds", help, &self.rebuilds.family);
        let help = "User pools, not counting deleted ones";
        registrar.gauge("userpool_user_pools", help, &self.user_pools);
        let help = "How far the clock is behind the time of the last event; 0 if it is not";
        registrar.seconds("userpool_clock_behind", help, &self.clock_behind);
        let help = "Times that the clock jumped ahead by more than --max-clock-jump-hours";
        registrar.0.register("userpool_clock_jumps", help, self.clock_jumps.clone());
        self.watchers.register(&mut registrar);
    }
}

/// The share of `part` in `whole`; 1 if both are 0.
fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 { 1.0 } else { float(part) / float(whole) }
}

/// Exact up to 2^53.
#[expect(clippy::cast_precision_loss, clippy::as_conversions, reason = "a ratio needs no more")]
fn float(number: u64) -> f64 {
    number as f64
}
