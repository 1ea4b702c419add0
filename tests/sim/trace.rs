//! What happened in a simulation, in its order. Two runs of one seed have one trace.

use std::{env, sync::LazyLock, time::Duration};

/// Whether each line is printed: `SIMULATE_TRACE=1`.
static IS_PRINTED: LazyLock<bool> = LazyLock::new(|| env::var_os("SIMULATE_TRACE").is_some());

/// A hash over all that happened.
#[derive(Debug)]
pub(crate) struct Trace(u64);

/// What happened.
#[derive(Debug, Clone, Copy)]
pub(crate) enum What {
    /// A record was written.
    Landing,
    /// An append found another record in its place.
    Conflict,
    /// A call was answered.
    Answer,
    /// A watcher saw an event.
    Event,
    /// A fault began.
    Fault,
    /// A node serves.
    Start,
}

impl Default for Trace {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Trace {
    pub(crate) fn add(&mut self, at: Duration, what: What, subject: usize, detail: u64) {
        if *IS_PRINTED {
            eprintln!("{:>10} {what:?} {subject} {detail}", at.as_millis());
        }
        let line = format!("{} {what:?} {subject} {detail}\n", at.as_nanos());
        for byte in line.bytes() {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    pub(crate) const fn hash(&self) -> u64 {
        self.0
    }
}
