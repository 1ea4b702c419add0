//! The trace of a simulation. Two runs of one seed have the same trace.

use std::{env, sync::LazyLock, time::Duration};

/// Whether each line is printed: `SIMULATE_TRACE=1`.
static IS_PRINTED: LazyLock<bool> = LazyLock::new(|| env::var_os("SIMULATE_TRACE").is_some());

/// A hash over the whole trace.
#[derive(Debug)]
pub(crate) struct Trace(u64);

/// A step of a simulation.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Step {
    /// A record was written.
    Landing,
    /// An append conflicted with another record.
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
    pub(crate) fn add(&mut self, at: Duration, step: Step, subject: usize, detail: u64) {
        if *IS_PRINTED {
            eprintln!("{:>10} {step:?} {subject} {detail}", at.as_millis());
        }
        let line = format!("{} {step:?} {subject} {detail}\n", at.as_nanos());
        for byte in line.bytes() {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    pub(crate) const fn hash(&self) -> u64 {
        self.0
    }
}
