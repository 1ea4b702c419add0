//! The clock of recorded events. A wrong time would stay in the log for good, because no
//! event is earlier than the one before it; so times that cannot be right are noticed.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use chrono::{DateTime, Datelike as _, TimeDelta, Utc};
use tokio::time::Instant;

use crate::telemetry::{WarnLimiter, metrics::AppMetrics};

use super::Source;

/// How far the clock may be behind the last event before it is reported.
const MAX_BEHIND: TimeDelta = TimeDelta::minutes(1);
/// How far the clock may be ahead of the one that all writers share.
const MAX_AHEAD: TimeDelta = TimeDelta::seconds(1);

/// What to do about a clock that jumps ahead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClockSettings {
    /// How far it may jump ahead.
    pub max_jump: Duration,
    /// Whether a longer jump is refused; otherwise it is only reported.
    pub refuses_jumps: bool,
}

impl Default for ClockSettings {
    /// Longer jumps than a day are reported.
    fn default() -> Self {
        Self { max_jump: Duration::from_hours(24), refuses_jumps: false }
    }
}

/// Why an event cannot get the time of the clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ClockError {
    /// An event cannot have this time.
    #[error("the clock of the server is not between the years 1970 and 9999; correct it")]
    OutOfRange,
    /// The clock is far ahead of the last event, at the start.
    #[error(
        "the clock of the server shows {now}, but the last event is from {last}; correct the \
         clock, or raise --max-clock-jump-hours if no event was recorded since"
    )]
    AheadOfLog {
        /// The time of the clock.
        now: DateTime<Utc>,
        /// The time of the last event.
        last: DateTime<Utc>,
    },
    /// The clock has jumped ahead since it was last read.
    #[error("the clock of the server jumped from {expected} to {now}; correct it")]
    Jumped {
        /// The time of the clock.
        now: DateTime<Utc>,
        /// The time that it should show.
        expected: DateTime<Utc>,
    },
}

/// The clock of recorded events.
#[derive(Debug)]
pub(super) struct Clock {
    source: Arc<dyn Source>,
    settings: ClockSettings,
    metrics: AppMetrics,
    /// The last time that it showed, and when that was by the clock of the process.
    last: Mutex<(DateTime<Utc>, Instant)>,
    warnings: WarnLimiter,
}

impl Clock {
    /// Starts the clock for a log whose last event has this time, if there is one.
    ///
    /// # Errors
    /// The clock is wrong.
    pub(super) fn start(
        source: Arc<dyn Source>,
        settings: ClockSettings,
        metrics: AppMetrics,
        last_event: Option<DateTime<Utc>>,
    ) -> Result<Self, ClockError> {
        let now = in_range(source.now())?;
        let last = Mutex::new((now, Instant::now()));
        let clock = Self { source, settings, metrics, last, warnings: WarnLimiter::default() };
        if let Some(last) = last_event {
            if clock.is_jump(now.signed_duration_since(last)) {
                clock.report(ClockError::AheadOfLog { now, last })?;
            }
            clock.check_behind(now, last);
        }
        Ok(clock)
    }

    /// The time for an event after one at `last_event`: never earlier than that, and never more
    /// than a second after `shared`, the time of the clock that all writers share. So a writer
    /// whose own clock is ahead does not take the others along.
    ///
    /// # Errors
    /// The clock is wrong.
    pub(super) fn time(
        &self,
        last_event: DateTime<Utc>,
        shared: Option<DateTime<Utc>>,
    ) -> Result<DateTime<Utc>, ClockError> {
        let now = self.source.now();
        let now = in_range(shared.map_or(now, |shared| now.min(shared + MAX_AHEAD)))?;
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let (shown, at) = *last;
        // A clock that was behind and is corrected has not jumped.
        let expected = (shown + at.elapsed()).max(last_event);
        if self.is_jump(now.signed_duration_since(expected)) {
            self.report(ClockError::Jumped { now, expected })?;
        }
        *last = (now, Instant::now());
        self.check_behind(now, last_event);
        Ok(now.max(last_event))
    }

    fn is_jump(&self, ahead: TimeDelta) -> bool {
        ahead.to_std().is_ok_and(|ahead| ahead > self.settings.max_jump)
    }

    fn report(&self, jump: ClockError) -> Result<(), ClockError> {
        self.metrics.count_clock_jump();
        if self.settings.refuses_jumps {
            return Err(jump);
        }
        tracing::warn!(error = %jump, "the clock jumped ahead; events get its time");
        Ok(())
    }

    fn check_behind(&self, now: DateTime<Utc>, last_event: DateTime<Utc>) {
        let behind = last_event.signed_duration_since(now);
        self.metrics.set_clock_behind(behind.to_std().unwrap_or_default());
        if behind > MAX_BEHIND && self.warnings.allow() {
            tracing::warn!(
                clock = %now,
                %last_event,
                "the clock is behind the last event; until it has passed it, events get that time"
            );
        }
    }
}

fn in_range(now: DateTime<Utc>) -> Result<DateTime<Utc>, ClockError> {
    if (1970..=9999).contains(&now.year()) { Ok(now) } else { Err(ClockError::OutOfRange) }
}
