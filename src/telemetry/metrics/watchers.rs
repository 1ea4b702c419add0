//! Who follows the history, and how far each has come.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use prometheus_client::metrics::gauge::Gauge;

use super::{Names, set};

/// All who follow.
#[derive(Debug, Clone, Default)]
pub struct Watchers {
    all: Arc<Mutex<All>>,
    /// `userpool_watchers`
    count: Gauge,
    /// `userpool_watch_lag_events`
    lag: Gauge,
}

#[derive(Debug, Default)]
struct All {
    next: u64,
    positions: HashMap<u64, Arc<AtomicU64>>,
}

/// One who follows, until dropped.
#[derive(Debug)]
pub struct Watcher {
    all: Arc<Mutex<All>>,
    number: u64,
    position: Arc<AtomicU64>,
}

impl Watchers {
    /// Somebody follows from after this position.
    #[must_use]
    pub fn join(&self, position: u64) -> Watcher {
        let position = Arc::new(AtomicU64::new(position));
        let mut all = held(&self.all);
        let number = all.next;
        all.next = number.wrapping_add(1);
        all.positions.insert(number, Arc::clone(&position));
        Watcher { all: Arc::clone(&self.all), number, position }
    }

    /// Compares all of them with the end of the log.
    pub(super) fn measure(&self, head: u64) {
        let all = held(&self.all);
        let furthest = all.positions.values().map(|at| at.load(Ordering::Relaxed)).min();
        set(&self.count, all.positions.len());
        set(&self.lag, head.saturating_sub(furthest.unwrap_or(head)));
    }

    pub(super) fn register(&self, names: &mut Names<'_>) {
        names.gauge("userpool_watchers", "Watches that are open", &self.count);
        let help = "How many events the watch that is furthest behind has still to be told";
        names.gauge("userpool_watch_lag_events", help, &self.lag);
    }
}

impl Watcher {
    /// It has been told everything up to this position.
    pub fn at(&self, position: u64) {
        self.position.store(position, Ordering::Relaxed);
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        held(&self.all).positions.remove(&self.number);
    }
}

fn held(all: &Mutex<All>) -> MutexGuard<'_, All> {
    all.lock().unwrap_or_else(PoisonError::into_inner)
}
