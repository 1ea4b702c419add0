//! What is to leave a connection, gathered: the answers of calls that end at about the
//! same time leave in one write. To write costs more than most answers do.

use std::{io::IoSlice, task::Context};

use bytes::{Buf as _, BytesMut};

/// How much is gathered, in bytes. What is as long as this is not copied.
const GATHERED: usize = 32 * 1024;
/// How often the connection has its turn until what was gathered has to leave.
const TURNS: u8 = 2;

/// What was written, and has not left.
#[derive(Debug, Default)]
pub(super) struct WriteCoalescer {
    held: BytesMut,
    /// Whether something was written since it was last asked to leave.
    fresh: bool,
    /// The turns that the connection has had since the first of it was written.
    turns: u8,
    /// Whether the connection has begun. What it begins with leaves by itself: where
    /// the other end speaks something else, there is no turn after that.
    begun: bool,
}

impl WriteCoalescer {
    pub(super) fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    pub(super) fn held(&self) -> &[u8] {
        &self.held
    }

    /// So much has left.
    pub(super) fn left(&mut self, count: usize) {
        self.held.advance(count);
        if self.held.is_empty() {
            // A connection that is quiet keeps no memory.
            *self = Self { begun: self.begun, ..Self::default() };
        }
    }

    /// Takes what is written, and says how much that is; nothing where there is no
    /// room for it.
    pub(super) fn take(&mut self, slices: &[IoSlice<'_>]) -> Option<usize> {
        let count = slices.iter().map(|slice| slice.len()).sum::<usize>();
        if self.held.len().saturating_add(count) > GATHERED {
            return None;
        }
        if self.held.is_empty() {
            self.held.reserve(GATHERED);
        }
        for slice in slices {
            self.held.extend_from_slice(slice);
        }
        self.fresh = true;
        Some(count)
    }

    /// Whether what is held may wait for the calls that are about to end. If so, the
    /// connection has its next turn when those that are ready have had theirs.
    pub(super) fn waits(&mut self, cx: &Context<'_>) -> bool {
        let fresh = std::mem::take(&mut self.fresh) && self.turns < TURNS;
        let waits = fresh && self.begun;
        self.begun |= fresh;
        if waits {
            cx.waker().wake_by_ref();
        }
        waits
    }

    /// The connection has its turn. Says whether what is held has to leave now.
    pub(super) fn turn(&mut self) -> bool {
        if self.held.is_empty() {
            return false;
        }
        self.turns = self.turns.saturating_add(1);
        self.turns >= TURNS
    }
}
