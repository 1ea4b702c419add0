//! A lossy cache from the IDs of user pools to the positions of their creation. It has a
//! fixed number of slots, and a new entry replaces the old one in its slot. A result may
//! be wrong, so the caller checks the ID of the user pool at that position.

use std::{
    collections::hash_map::RandomState,
    hash::BuildHasher as _,
    sync::atomic::{AtomicU64, Ordering},
};

/// The number of slots, which take 16 MiB.
const SLOTS: usize = 1 << 21;
/// How many bits of a slot hold the position; the others hold a part of the hash, which
/// distinguishes most IDs.
const POSITION: u32 = 40;

/// The positions of the creation of user pools, by the hash of their IDs.
#[derive(Debug)]
pub(super) struct Places {
    hash: RandomState,
    slots: Box<[AtomicU64]>,
}

impl Default for Places {
    fn default() -> Self {
        let slots = (0..SLOTS).map(|_| AtomicU64::new(0)).collect();
        #[expect(clippy::disallowed_methods, reason = "a read model in memory has none")]
        let hash = RandomState::new();
        Self { hash, slots }
    }
}

impl Places {
    /// The position at which the user pool with this ID was created, which may be wrong.
    pub(super) fn guess(&self, id: &str) -> Option<u64> {
        let (slot, sign) = self.slot(id)?;
        let place = slot.load(Ordering::Relaxed) ^ sign;
        (place >> POSITION == 0).then_some(place)
    }

    /// Stores the position at which it was created.
    pub(super) fn note(&self, id: &str, created: u64) {
        if let Some((slot, sign)) = self.slot(id)
            && created >> POSITION == 0
        {
            slot.store(created ^ sign, Ordering::Relaxed);
        }
    }

    /// The slot of an ID, and its sign: the bits of the slot above the position.
    fn slot(&self, id: &str) -> Option<(&AtomicU64, u64)> {
        let hash = self.hash.hash_one(id);
        let number = usize::try_from(hash).unwrap_or_default() % SLOTS;
        // The lowest bit of the sign is set, so that an empty slot has no valid sign.
        let sign = ((hash >> POSITION) | 1) << POSITION;
        Some((self.slots.get(number)?, sign))
    }
}
