//! Limits how many records of failed calls are written: a client that begins and cancels
//! calls all the time must not fill the disk with them.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;
use tonic::Code;

use crate::telemetry::metrics::code_name;

/// How many failed calls of each code are recorded per interval. The metrics count all.
const MAX_RECORDS: u32 = 100;
const INTERVAL: Duration = Duration::from_secs(1);

/// Counts the records of the current interval by code, so that many cancelled calls do not
/// hide a refused one.
#[derive(Debug, Default)]
pub(super) struct RecordLimiter(Mutex<HashMap<Code, Interval>>);

#[derive(Debug)]
struct Interval {
    began: Instant,
    written: u32,
    skipped: u64,
}

impl RecordLimiter {
    /// Whether to write the record of a call with this code. Logs how many records of the
    /// last interval were skipped.
    pub(super) fn allows(&self, code: Code) -> bool {
        if code == Code::Ok {
            return true;
        }
        let now = Instant::now();
        let mut intervals = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let new = || Interval { began: now, written: 0, skipped: 0 };
        let interval = intervals.entry(code).or_insert_with(new);
        let mut skipped = 0;
        if now.duration_since(interval.began) >= INTERVAL {
            skipped = interval.skipped;
            *interval = new();
        }
        let is_allowed = interval.written < MAX_RECORDS;
        if is_allowed {
            interval.written = interval.written.saturating_add(1);
        } else {
            interval.skipped = interval.skipped.saturating_add(1);
        }
        drop(intervals);
        if skipped > 0 {
            let code = code_name(code.into());
            tracing::info!(code, skipped, "records of failed calls were skipped");
        }
        is_allowed
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    fn written(limiter: &RecordLimiter, code: Code, calls: u32) -> usize {
        (0..calls).filter(|_| limiter.allows(code)).count()
    }

    #[tokio::test(start_paused = true)]
    async fn failed_calls_are_limited_for_each_code() {
        let limiter = RecordLimiter::default();
        assert_eq!(written(&limiter, Code::Cancelled, 250), 100);
        assert_eq!(written(&limiter, Code::PermissionDenied, 1), 1);
        assert_eq!(written(&limiter, Code::Ok, 250), 250);
        advance(INTERVAL).await;
        assert_eq!(written(&limiter, Code::Cancelled, 250), 100);
    }
}
