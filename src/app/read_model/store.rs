//! The storage engine of the read model: an ordered map from keys to values.

use std::{fmt, ops::RangeInclusive};

use bytes::Bytes;

use crate::event_log::BoxError;

/// A key with its new value, or with `None` to remove it.
pub(super) type Write = (Vec<u8>, Option<Bytes>);

/// An ordered map from keys to values. Each call blocks until it is done.
///
/// It need not be durable: records that are lost here are projected again. But what it
/// holds after a crash must be the result of the first writes, up to some write.
pub(super) trait Store: Send + Sync + fmt::Debug + 'static {
    /// The value of a key.
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>, BoxError>;

    /// The first entries in a range of keys, in the order of the keys. The keys of a range
    /// begin with the same letter.
    fn range(
        &self,
        keys: RangeInclusive<Vec<u8>>,
        limit: usize,
    ) -> Result<Vec<(Bytes, Bytes)>, BoxError>;

    /// Performs all writes atomically: a reader sees all of them or none.
    fn write(&self, writes: Vec<Write>) -> Result<(), BoxError>;

    /// Performs many writes faster, but not atomically: a reader can see some of them, and so
    /// can the next process after a crash.
    fn load(&self, writes: Vec<Write>) -> Result<(), BoxError> {
        self.write(writes)
    }
}
