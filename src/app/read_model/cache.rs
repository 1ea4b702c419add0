//! The cache of states. A state is returned only with the sum that the caller expects, so a
//! state that has been replaced since it was cached is never used.

use bytes::Bytes;
use quick_cache::{
    Weighter,
    sync::{Cache, DefaultLifecycle},
};
use rustc_hash::FxBuildHasher;

/// The usual size of a state, in bytes.
const USUAL_STATE: u64 = 2048;
/// The memory of a cached state in addition to its bytes.
const OVERHEAD: u64 = 128;

/// Stored states, by the position of the creation of their user pool.
#[derive(Debug)]
pub(super) struct StateCache(Cache<u64, State, StateWeight, FxBuildHasher>);

#[derive(Debug, Clone)]
struct State {
    sum: u64,
    stored: Bytes,
}

/// Weighs a state by the memory that it takes.
#[derive(Debug, Clone)]
struct StateWeight;

impl Weighter<u64, State> for StateWeight {
    fn weight(&self, _: &u64, state: &State) -> u64 {
        u64::try_from(state.stored.len()).unwrap_or(u64::MAX).saturating_add(OVERHEAD)
    }
}

impl StateCache {
    /// A cache that takes about `bytes` of memory.
    pub(super) fn new(bytes: u64) -> Self {
        let states = usize::try_from(bytes / USUAL_STATE).unwrap_or(usize::MAX);
        Self(Cache::with(states, bytes, StateWeight, FxBuildHasher, DefaultLifecycle::default()))
    }

    /// The cached state of the user pool that was created at this position, if it has this
    /// sum.
    pub(super) fn get(&self, created: u64, sum: u64) -> Option<Bytes> {
        let state = self.0.get(&created).filter(|state| state.sum == sum);
        state.map(|state| state.stored)
    }

    pub(super) fn insert(&self, created: u64, sum: u64, stored: Bytes) {
        self.0.insert(created, State { sum, stored });
    }
}
