//! Drops the responses that their clients do not read in time.

use std::{
    collections::BTreeMap,
    fmt, iter,
    sync::{Arc, Mutex, PoisonError, Weak},
    time::Duration,
};

use tokio::time::{Instant, sleep_until};

/// How long a client may leave a response unread. HTTP/2 lets it do so forever, even
/// while it reads everything else, and each unread response holds a permit.
const READ_TIMEOUT: Duration = Duration::from_secs(30);

/// The responses that wait to be read, in the order of their deadlines.
///
/// One task serves all of them. A timer in each body would have no effect, because a
/// body that the client does not read is not polled. A task for each would cost more than
/// most calls do.
pub(super) struct StalledResponses<R>(Arc<Mutex<Deadlines<R>>>);

/// A response; `None` once it is dropped.
type SharedResponse<R> = Mutex<Option<R>>;

struct Deadlines<R> {
    last_number: u64,
    waiting: BTreeMap<u64, (Instant, Weak<SharedResponse<R>>)>,
}

/// The entry of a waiting response; removed on drop.
pub(super) struct Tracked<R> {
    number: u64,
    deadlines: Arc<Mutex<Deadlines<R>>>,
}

impl<R: Send + 'static> StalledResponses<R> {
    /// Starts the task, which ends when this is dropped.
    pub(super) fn new() -> Self {
        let deadlines = Deadlines { last_number: 0, waiting: BTreeMap::new() };
        let deadlines = Arc::new(Mutex::new(deadlines));
        tokio::spawn(drop_expired(Arc::downgrade(&deadlines)));
        Self(deadlines)
    }

    /// Sets the deadline of the response.
    pub(super) fn track(&self, response: &Arc<SharedResponse<R>>) -> Tracked<R> {
        let mut deadlines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        deadlines.last_number = deadlines.last_number.wrapping_add(1);
        let number = deadlines.last_number;
        let deadline = Instant::now() + READ_TIMEOUT;
        deadlines.waiting.insert(number, (deadline, Arc::downgrade(response)));
        Tracked { number, deadlines: Arc::clone(&self.0) }
    }
}

impl<R> fmt::Debug for StalledResponses<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StalledResponses").finish_non_exhaustive()
    }
}

impl<R> Drop for Tracked<R> {
    fn drop(&mut self) {
        let mut deadlines = self.deadlines.lock().unwrap_or_else(PoisonError::into_inner);
        deadlines.waiting.remove(&self.number);
    }
}

impl<R> Deadlines<R> {
    /// Removes and returns the responses whose deadline has passed.
    fn take_expired(&mut self, now: Instant) -> Vec<Weak<SharedResponse<R>>> {
        let next_expired = iter::from_fn(|| {
            let first = self.waiting.first_entry().filter(|first| first.get().0 <= now)?;
            Some(first.remove().1)
        });
        next_expired.collect()
    }

    /// When to look again. A response that is tracked later has a later deadline.
    fn next_deadline(&self, now: Instant) -> Instant {
        let first = self.waiting.first_key_value();
        first.map_or(now + READ_TIMEOUT, |(_, (deadline, _))| *deadline)
    }
}

async fn drop_expired<R>(deadlines: Weak<Mutex<Deadlines<R>>>) {
    while let Some(deadlines) = deadlines.upgrade() {
        let now = Instant::now();
        let (expired, next) = {
            let mut deadlines = deadlines.lock().unwrap_or_else(PoisonError::into_inner);
            (deadlines.take_expired(now), deadlines.next_deadline(now))
        };
        drop(deadlines);
        // Without the lock: dropping a response takes it.
        for response in expired.iter().filter_map(Weak::upgrade) {
            response.lock().unwrap_or_else(PoisonError::into_inner).take();
        }
        sleep_until(next).await;
    }
}
