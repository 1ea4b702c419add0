//! The answers that nobody takes, thrown away when their time is up.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, PoisonError, Weak},
    time::Duration,
};

use tokio::time::{Instant, sleep_until};

use super::response_body::Answer;

/// How long a client may leave an answer where it is. HTTP/2 lets it do so for ever,
/// also where it reads everything else, and that would cost others a place.
const TAKEN_WITHIN: Duration = Duration::from_secs(30);

/// An answer, until it is thrown away.
type Shared = Mutex<Option<Answer>>;

/// The answers that are still to be taken, in the order in which their time is up.
///
/// One task watches all of them: a body that nobody asks for a frame is not woken by a
/// timer, and a task for each would cost more than most calls do.
#[derive(Clone, Default)]
pub(super) struct Untaken(Arc<Mutex<Answers>>);

#[derive(Default)]
struct Answers {
    last: u64,
    waiting: BTreeMap<u64, (Instant, Weak<Shared>)>,
}

/// The place of an answer among those; it is left when this is dropped.
pub(super) struct Expiry {
    number: u64,
    untaken: Untaken,
}

impl Untaken {
    /// Answers that are thrown away when their time is up, for as long as anybody has
    /// this.
    pub(super) fn watched() -> Self {
        let untaken = Self::default();
        tokio::spawn(watch(Arc::downgrade(&untaken.0)));
        untaken
    }

    /// From now on the answer has to be taken in time.
    pub(super) fn expiry_of(&self, answer: &Arc<Shared>) -> Expiry {
        let mut answers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        answers.last = answers.last.wrapping_add(1);
        let number = answers.last;
        let expires = Instant::now() + TAKEN_WITHIN;
        answers.waiting.insert(number, (expires, Arc::downgrade(answer)));
        Expiry { number, untaken: self.clone() }
    }
}

impl fmt::Debug for Untaken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Untaken").finish_non_exhaustive()
    }
}

impl Drop for Expiry {
    fn drop(&mut self) {
        let mut answers = self.untaken.0.lock().unwrap_or_else(PoisonError::into_inner);
        answers.waiting.remove(&self.number);
    }
}

impl Answers {
    /// The answers whose time is up.
    fn expired(&mut self, now: Instant) -> Vec<Weak<Shared>> {
        let first = std::iter::from_fn(|| {
            let first = self.waiting.first_entry().filter(|first| first.get().0 <= now)?;
            Some(first.remove().1)
        });
        first.collect()
    }

    /// When the next of them is up. Whoever comes later has longer.
    fn next(&self, now: Instant) -> Instant {
        let first = self.waiting.first_key_value();
        first.map_or(now + TAKEN_WITHIN, |(_, (expires, _))| *expires)
    }
}

async fn watch(answers: Weak<Mutex<Answers>>) {
    while let Some(answers) = answers.upgrade() {
        let now = Instant::now();
        let (expired, next) = {
            let mut answers = answers.lock().unwrap_or_else(PoisonError::into_inner);
            (answers.expired(now), answers.next(now))
        };
        drop(answers);
        // What is dropped here may ask for the lock.
        for answer in expired.iter().filter_map(Weak::upgrade) {
            answer.lock().unwrap_or_else(PoisonError::into_inner).take();
        }
        sleep_until(next).await;
    }
}
