//! Coalesces the writes of a connection: responses that complete at about the same time
//! share one system call, which costs more than most responses do.
//!
//! `AsyncWrite::poll_flush` promises that everything written has reached the socket
//! when it returns `Ready`. [`Connection`](super::connection::Connection) does not keep
//! this promise: it may return `Ready` and keep up to [`MAX_BUFFERED`] bytes. It must not
//! return `Pending` instead, because h2 flushes after every DATA frame and would stop
//! encoding the frames that are to share the write.
//!
//! No byte is held forever. A deferred flush wakes the task, so the task runs again
//! after the calls that are ready now. Then:
//!
//! * If the owner flushes without having written, the flush is not deferred. If it
//!   writes on, the buffer becomes full and is written.
//! * A read that returns `Pending` counts as a turn. Every task reads, to receive the next
//!   request. The task is woken again until it has had [`MAX_TURNS`] turns. Then the bytes
//!   are written, whether or not the owner flushes again.
//! * If the socket accepts no bytes, it wakes the task when it does.
//! * If the owner shuts the connection down or drops it, as it must at the end of the
//!   input, the bytes are written first.
//!
//! h2 does more than this needs: whenever its connection is polled it reads until
//! `Pending`, then writes and flushes, and it shuts down when it is done.

use std::{io::IoSlice, mem, task::Context};

use bytes::{Buf as _, BytesMut};

/// The maximum number of buffered bytes. Longer writes are not copied.
const MAX_BUFFERED: usize = 32 * 1024;
/// After how many turns of its task the buffered bytes are written.
const MAX_TURNS: u8 = 2;

/// The bytes that a connection has accepted and not yet given to its socket.
#[derive(Debug, Default)]
pub(super) struct WriteCoalescer {
    buffer: BytesMut,
    /// Whether bytes were pushed since the owner last flushed.
    is_dirty: bool,
    /// Whether bytes were pushed since everything was last written and flushed. TLS
    /// has a buffer of its own.
    is_unflushed: bool,
    /// The turns of the task since the first of the buffered bytes was pushed.
    turns: u8,
}

impl WriteCoalescer {
    pub(super) fn is_empty(&self) -> bool {
        self.buffer.is_empty()
    }

    pub(super) fn buffered(&self) -> &[u8] {
        &self.buffer
    }

    /// Removes the bytes that the socket has taken.
    pub(super) fn consume(&mut self, count: usize) {
        self.buffer.advance(count);
        if self.buffer.is_empty() {
            // An idle connection keeps no memory.
            *self = Self { is_unflushed: self.is_unflushed, ..Self::default() };
        }
    }

    /// Copies the slices and returns their length, or `None` if there is no room.
    pub(super) fn push(&mut self, slices: &[IoSlice<'_>]) -> Option<usize> {
        let count = slices.iter().map(|slice| slice.len()).sum::<usize>();
        if self.buffer.len().saturating_add(count) > MAX_BUFFERED {
            return None;
        }
        if self.buffer.is_empty() {
            self.buffer.reserve(MAX_BUFFERED);
        }
        for slice in slices {
            self.buffer.extend_from_slice(slice);
        }
        self.is_dirty = true;
        self.is_unflushed = true;
        Some(count)
    }

    /// Records that bytes were written to the socket, from the buffer or directly.
    pub(super) fn set_unflushed(&mut self) {
        self.is_unflushed = true;
    }

    /// Records that the buffer is empty and the socket is flushed.
    pub(super) fn set_flushed(&mut self) {
        *self = Self::default();
    }

    /// Whether this flush is deferred to a later turn, for which the task is woken.
    pub(super) fn defer_flush(&mut self, cx: &Context<'_>) -> bool {
        let defer = mem::take(&mut self.is_dirty) && self.turns < MAX_TURNS;
        if defer {
            cx.waker().wake_by_ref();
        }
        defer
    }

    /// Counts a turn of the task. Returns whether to flush now; the task is woken for
    /// another turn if not.
    pub(super) fn on_poll(&mut self, cx: &Context<'_>) -> bool {
        if !self.is_unflushed {
            return false;
        }
        self.turns = self.turns.saturating_add(1);
        let flush = self.turns >= MAX_TURNS;
        if !flush {
            cx.waker().wake_by_ref();
        }
        flush
    }
}
