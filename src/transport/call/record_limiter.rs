//! Limits how many records of failed calls are written: a client that begins and cancels
//! calls all the time must not fill the disk with them, nor hide the failed calls of others.

use std::{
    collections::HashMap,
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use tokio::{
    runtime::Handle,
    time::{Instant, sleep_until},
};
use tonic::Code;

use crate::telemetry::metrics::code_name;

use super::super::fair_limit::{FairLimit, Share, User};

/// How many failed calls of each code are recorded per interval, of all callers together. The
/// metrics count all.
const MAX_RECORDS: usize = 100;
const INTERVAL: Duration = Duration::from_secs(1);

/// Counts the records of the current interval by code, so that many cancelled calls do not
/// hide a refused one, and by caller.
#[derive(Debug, Default)]
pub(super) struct RecordLimiter(Mutex<HashMap<Code, Interval>>);

#[derive(Debug)]
struct Interval {
    began: Instant,
    limit: Arc<FairLimit>,
    written: Vec<Share>,
    skipped: u64,
}

impl Interval {
    fn beginning_at(began: Instant) -> Self {
        Self { began, limit: FairLimit::new(MAX_RECORDS), written: Vec::new(), skipped: 0 }
    }
}

impl RecordLimiter {
    /// Whether to write the record of a call of this caller with this code. How many records
    /// were skipped is logged when the interval is over.
    pub(super) fn allows(self: &Arc<Self>, code: Code, user: impl FnOnce() -> User) -> bool {
        if code == Code::Ok {
            return true;
        }
        let now = Instant::now();
        let mut intervals = self.intervals();
        let interval = intervals.entry(code).or_insert_with(|| Interval::beginning_at(now));
        let mut skipped_before = 0;
        if now.duration_since(interval.began) >= INTERVAL {
            skipped_before = mem::replace(interval, Interval::beginning_at(now)).skipped;
        }
        let share = interval.limit.take(user(), 1);
        let is_allowed = share.is_some();
        interval.written.extend(share);
        if !is_allowed {
            if interval.skipped == 0 {
                report_later(Arc::downgrade(self), code, interval.began);
            }
            interval.skipped = interval.skipped.saturating_add(1);
        }
        drop(intervals);
        report(code, skipped_before);
        is_allowed
    }

    fn intervals(&self) -> MutexGuard<'_, HashMap<Code, Interval>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns how many records of the interval that began then were skipped and are not
    /// reported yet.
    fn take_skipped(&self, code: Code, began: Instant) -> u64 {
        let mut intervals = self.intervals();
        let interval = intervals.get_mut(&code).filter(|interval| interval.began == began);
        interval.map_or(0, |interval| mem::take(&mut interval.skipped))
    }
}

/// The rest is reported at the end of the server.
impl Drop for RecordLimiter {
    fn drop(&mut self) {
        for (code, interval) in self.intervals().drain() {
            report(code, interval.skipped);
        }
    }
}

/// Reports at the end of the interval that began then, unless a later call has done so.
fn report_later(limiter: Weak<RecordLimiter>, code: Code, began: Instant) {
    // Without a runtime, the server has ended.
    let Ok(runtime) = Handle::try_current() else { return };
    runtime.spawn(async move {
        sleep_until(began + INTERVAL).await;
        if let Some(limiter) = limiter.upgrade() {
            report(code, limiter.take_skipped(code, began));
        }
    });
}

fn report(code: Code, skipped: u64) {
    if skipped > 0 {
        let code = code_name(code.into());
        tracing::info!(code, skipped, "records of failed calls were skipped");
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use tokio::time::advance;
    use tracing_subscriber::fmt::MakeWriter;

    use super::*;

    fn user(number: u8) -> User {
        User::Address([192, 0, 2, number].into())
    }

    fn written(limiter: &Arc<RecordLimiter>, code: Code, number: u8, calls: u32) -> usize {
        (0..calls).filter(|_| limiter.allows(code, || user(number))).count()
    }

    #[derive(Clone, Default)]
    struct LogBuffer(Arc<Mutex<Vec<u8>>>);

    impl LogBuffer {
        fn text(&self) -> String {
            String::from_utf8_lossy(&self.0.lock().expect("no panic")).into_owned()
        }
    }

    impl io::Write for LogBuffer {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().expect("no panic").extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl<'a> MakeWriter<'a> for LogBuffer {
        type Writer = Self;

        fn make_writer(&'a self) -> Self {
            self.clone()
        }
    }

    #[tokio::test(start_paused = true)]
    async fn failed_calls_are_limited_for_each_code() {
        let limiter = Arc::default();
        assert_eq!(written(&limiter, Code::Cancelled, 1, 250), 75);
        assert_eq!(written(&limiter, Code::PermissionDenied, 1, 1), 1);
        assert_eq!(written(&limiter, Code::Ok, 1, 250), 250);
        advance(INTERVAL).await;
        assert_eq!(written(&limiter, Code::Cancelled, 1, 250), 75);
    }

    #[tokio::test(start_paused = true)]
    async fn a_flood_of_one_caller_does_not_hide_the_calls_of_others() {
        let limiter = Arc::default();
        assert_eq!(written(&limiter, Code::PermissionDenied, 1, 10_000), 75);
        for other in 2..=6 {
            assert_eq!(written(&limiter, Code::PermissionDenied, other, 5), 5, "{other}");
        }
        // All callers together have a limit, too.
        assert_eq!(written(&limiter, Code::PermissionDenied, 7, 5), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn skipped_records_are_reported_even_if_no_call_follows() {
        let log = LogBuffer::default();
        let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(log.clone());
        let _log = tracing::subscriber::set_default(subscriber.finish());
        let limiter = Arc::default();
        written(&limiter, Code::PermissionDenied, 1, 100);
        tokio::time::sleep(2 * INTERVAL).await;
        assert!(log.text().contains("skipped=25"), "{}", log.text());

        written(&limiter, Code::PermissionDenied, 1, 80);
        drop(limiter);
        assert!(log.text().contains("skipped=5"), "{}", log.text());
        tokio::time::sleep(2 * INTERVAL).await;
        assert_eq!(log.text().lines().count(), 2, "{}", log.text());
    }
}
