//! Drops the responses that their clients do not read: those that wait for too long, and
//! others when memory is needed.

use std::{
    collections::{BTreeMap, HashMap},
    fmt, iter,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use tokio::time::{Instant, sleep_until};

use super::{super::fair_limit::User, client_memory::UnreadResponses};

/// How long a client may leave a response unread. HTTP/2 lets it do so forever, even
/// while it reads everything else, and each unread response takes memory.
const READ_TIMEOUT: Duration = Duration::from_secs(30);

/// The responses that wait to be read, in the order in which they were ready.
///
/// One task serves all of them. A timer in each body would have no effect, because a
/// body that the client does not read is not polled. A task for each would cost more than
/// most calls do.
pub(super) struct StalledResponses<R>(Arc<Mutex<Waiting<R>>>);

/// A response; `None` once it is dropped.
type SharedResponse<R> = Mutex<Option<R>>;

struct Waiting<R> {
    last_number: u64,
    responses: BTreeMap<u64, WaitingResponse<R>>,
    /// How many bytes of responses wait for each user.
    bytes: HashMap<User, usize>,
}

struct WaitingResponse<R> {
    deadline: Instant,
    user: User,
    bytes: usize,
    response: Weak<SharedResponse<R>>,
}

/// The entry of a waiting response; removed on drop.
pub(super) struct Tracked<R> {
    number: u64,
    waiting: Arc<Mutex<Waiting<R>>>,
}

impl<R: Send + 'static> StalledResponses<R> {
    /// Starts the task, which ends when this is dropped.
    pub(super) fn new() -> Self {
        let (responses, bytes) = Default::default();
        let waiting = Arc::new(Mutex::new(Waiting { last_number: 0, responses, bytes }));
        tokio::spawn(drop_expired(Arc::downgrade(&waiting)));
        Self(waiting)
    }

    /// Sets the deadline of a response that takes this much memory for a user.
    pub(super) fn track(
        &self,
        response: &Arc<SharedResponse<R>>,
        user: User,
        bytes: usize,
    ) -> Tracked<R> {
        let mut waiting = lock(&self.0);
        waiting.last_number = waiting.last_number.wrapping_add(1);
        let number = waiting.last_number;
        let of_user = waiting.bytes.entry(user.clone()).or_default();
        *of_user = of_user.saturating_add(bytes);
        let deadline = Instant::now() + READ_TIMEOUT;
        let response = Arc::downgrade(response);
        waiting.responses.insert(number, WaitingResponse { deadline, user, bytes, response });
        Tracked { number, waiting: Arc::clone(&self.0) }
    }
}

impl<R: Send> UnreadResponses for StalledResponses<R> {
    fn drop_oldest(&self, user: Option<&User>) -> bool {
        let Some(oldest) = lock(&self.0).take_oldest(user) else { return false };
        drop_response(&oldest);
        true
    }
}

impl<R> fmt::Debug for StalledResponses<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StalledResponses").finish_non_exhaustive()
    }
}

impl<R> Drop for Tracked<R> {
    fn drop(&mut self) {
        lock(&self.waiting).remove(self.number);
    }
}

impl<R> Waiting<R> {
    fn remove(&mut self, number: u64) -> Option<WaitingResponse<R>> {
        let removed = self.responses.remove(&number)?;
        let of_user = self.bytes.get_mut(&removed.user)?;
        *of_user = of_user.saturating_sub(removed.bytes);
        if *of_user == 0 {
            self.bytes.remove(&removed.user);
        }
        Some(removed)
    }

    /// Removes and returns the responses whose deadline has passed.
    fn take_expired(&mut self, now: Instant) -> Vec<Weak<SharedResponse<R>>> {
        let next_expired = iter::from_fn(|| {
            let (number, first) = self.responses.first_key_value()?;
            let number = *number;
            if first.deadline > now {
                return None;
            }
            self.remove(number).map(|expired| expired.response)
        });
        next_expired.collect()
    }

    /// Removes and returns the oldest response of this user, or else of the one that has most
    /// waiting.
    fn take_oldest(&mut self, user: Option<&User>) -> Option<Weak<SharedResponse<R>>> {
        let greediest = || self.bytes.iter().max_by_key(|(_, bytes)| **bytes);
        let user = match user {
            Some(user) => self.bytes.get_key_value(user)?.0,
            None => greediest()?.0,
        };
        let oldest = self.responses.iter().find(|(_, waiting)| waiting.user == *user);
        let number = *oldest?.0;
        self.remove(number).map(|removed| removed.response)
    }

    /// When to look again. A response that is tracked later has a later deadline.
    fn next_deadline(&self, now: Instant) -> Instant {
        let first = self.responses.first_key_value();
        first.map_or(now + READ_TIMEOUT, |(_, waiting)| waiting.deadline)
    }
}

async fn drop_expired<R>(waiting: Weak<Mutex<Waiting<R>>>) {
    while let Some(waiting) = waiting.upgrade() {
        let now = Instant::now();
        let (expired, next) = {
            let mut waiting = lock(&waiting);
            (waiting.take_expired(now), waiting.next_deadline(now))
        };
        drop(waiting);
        expired.iter().for_each(drop_response);
        sleep_until(next).await;
    }
}

/// Drops a response, without the lock of those that wait: dropping it takes that lock.
fn drop_response<R>(response: &Weak<SharedResponse<R>>) {
    if let Some(response) = response.upgrade() {
        response.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

fn lock<R>(waiting: &Mutex<Waiting<R>>) -> MutexGuard<'_, Waiting<R>> {
    waiting.lock().unwrap_or_else(PoisonError::into_inner)
}
