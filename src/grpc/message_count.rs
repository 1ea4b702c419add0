//! How many messages a body has, told from the lengths before them.

use crate::telemetry::metrics::Counter;

/// The bytes before each message: whether it is compressed, and its length.
const PREFIX: usize = 5;

/// Counts the messages of a body as they go by, each when its last byte has.
#[derive(Debug)]
pub(super) struct MessageCount {
    counter: Counter,
    prefix: [u8; PREFIX],
    /// How much of the prefix has gone by.
    known: usize,
    /// How much of the message is still to come.
    left: usize,
}

impl MessageCount {
    pub(super) const fn on(counter: Counter) -> Self {
        Self { counter, prefix: [0; PREFIX], known: 0, left: 0 }
    }

    /// These bytes go by.
    pub(super) fn pass(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            if self.known < PREFIX {
                let missing = self.prefix.iter_mut().skip(self.known);
                let found = missing.zip(bytes).map(|(known, byte)| *known = *byte).count();
                self.known += found;
                bytes = bytes.get(found..).unwrap_or_default();
                if self.known < PREFIX {
                    return;
                }
                let [_, length @ ..] = self.prefix;
                self.left = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
            }
            let here = self.left.min(bytes.len());
            self.left -= here;
            bytes = bytes.get(here..).unwrap_or_default();
            if self.left == 0 {
                self.known = 0;
                self.counter.inc();
            }
        }
    }
}
