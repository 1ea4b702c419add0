//! The open watches, and the position that each has reached.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use prometheus_client::metrics::gauge::Gauge;

use super::registrar::{Registrar, set};

/// All open watches.
#[derive(Debug, Clone, Default)]
pub struct Watchers {
    all: Arc<Mutex<OpenWatches>>,
    /// `userpool_watchers`
    count: Gauge,
    /// `userpool_watch_lag_events`
    lag: Gauge,
}

#[derive(Debug, Default)]
struct OpenWatches {
    next: u64,
    positions: HashMap<u64, Arc<AtomicU64>>,
}

/// An open watch, which is counted until this is dropped.
#[derive(Debug)]
pub struct Watcher {
    all: Arc<Mutex<OpenWatches>>,
    number: u64,
    position: Arc<AtomicU64>,
}

impl Watchers {
    /// Adds a watch that begins after this position.
    #[must_use]
    pub fn join(&self, position: u64) -> Watcher {
        let position = Arc::new(AtomicU64::new(position));
        let mut all = lock(&self.all);
        let number = all.next;
        all.next = number.wrapping_add(1);
        all.positions.insert(number, Arc::clone(&position));
        Watcher { all: Arc::clone(&self.all), number, position }
    }

    /// Sets the gauges for a log that ends at `head`.
    pub(super) fn measure(&self, head: u64) {
        let all = lock(&self.all);
        let slowest = all.positions.values().map(|at| at.load(Ordering::Relaxed)).min();
        set(&self.count, all.positions.len());
        set(&self.lag, head.saturating_sub(slowest.unwrap_or(head)));
    }

    pub(super) fn register(&self, registrar: &mut Registrar<'_>) {
        registrar.gauge("userpool_watchers", "Open watches", &self.count);
        let help = "Events that the slowest watch has not been sent yet";
        registrar.gauge("userpool_watch_lag_events", help, &self.lag);
    }
}

impl Watcher {
    /// Sets the last position that was sent.
    pub fn set_position(&self, position: u64) {
        self.position.store(position, Ordering::Relaxed);
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        lock(&self.all).positions.remove(&self.number);
    }
}

fn lock(all: &Mutex<OpenWatches>) -> MutexGuard<'_, OpenWatches> {
    all.lock().unwrap_or_else(PoisonError::into_inner)
}
