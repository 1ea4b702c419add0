//! The memory that clients make the server hold: requests that arrive, responses that wait
//! to be read, and what each call needs besides. It is taken before it is used. If there is
//! none left, the oldest unread response of the client with most of them is dropped; a client
//! that has taken its part makes room for itself only.

use std::{fmt, sync::Arc};

use crate::telemetry::metrics::{RefusalCounters, RefusalReason};

use super::{
    super::fair_limit::{FairLimit, Full, Share, User},
    admission::{CallKind, Overload},
};

/// What a call takes besides its request and its response: its stream, its headers and its
/// task.
const CALL_BYTES: usize = 16 * 1024;

/// Drops what clients have not read.
pub(super) trait UnreadResponses: fmt::Debug + Send + Sync {
    /// Drops the oldest unread response of this user, or else of the one with most of them.
    /// Returns whether there was one.
    fn drop_oldest(&self, user: Option<&User>) -> bool;
}

/// The memory for clients.
#[derive(Debug)]
pub(super) struct ClientMemory {
    limit: Arc<FairLimit>,
    /// For health checks, which are always answered.
    unlimited: Arc<FairLimit>,
    unread: Arc<dyn UnreadResponses>,
    refused: RefusalCounters,
}

impl ClientMemory {
    pub(super) fn new(
        bytes: usize,
        unread: Arc<dyn UnreadResponses>,
        refused: RefusalCounters,
    ) -> Self {
        let (limit, unlimited) = (FairLimit::new(bytes), FairLimit::new(usize::MAX));
        Self { limit, unlimited, unread, refused }
    }

    /// Takes the memory of a new call.
    pub(super) fn for_call(&self, kind: CallKind, user: User) -> Result<TakenMemory, Overload> {
        let mut memory = self.nothing(kind, user);
        memory.grow(CALL_BYTES)?;
        Ok(memory)
    }

    /// No memory yet, for a request that is about to arrive.
    pub(super) fn nothing(&self, kind: CallKind, user: User) -> TakenMemory {
        let is_probe = matches!(kind, CallKind::Probe);
        let limit = if is_probe { &self.unlimited } else { &self.limit };
        TakenMemory {
            share: limit.nothing(user),
            unread: Arc::clone(&self.unread),
            refused: self.refused.clone(),
        }
    }
}

/// Memory that was taken for a call; given back on drop.
#[derive(Debug)]
pub(super) struct TakenMemory {
    share: Share,
    unread: Arc<dyn UnreadResponses>,
    refused: RefusalCounters,
}

impl TakenMemory {
    /// Takes this many bytes more. A user that has taken its part makes room only with its own
    /// unread responses.
    pub(super) fn grow(&mut self, bytes: usize) -> Result<(), Overload> {
        while let Err(full) = self.share.grow(bytes) {
            let user = match full {
                Full::ForUser => Some(self.share.user()),
                Full::ForAll => None,
            };
            if !self.unread.drop_oldest(user) {
                self.refused.count(RefusalReason::Memory);
                return Err(Overload::Memory);
            }
        }
        Ok(())
    }

    /// Charges this memory to another user instead.
    pub(super) fn move_to(&mut self, user: User) -> Result<(), Overload> {
        if *self.share.user() == user {
            return Ok(());
        }
        let bytes = self.share.count();
        self.share.reset(user);
        self.grow(bytes)
    }

    /// Takes this many bytes more, whatever the limit: for the response to a change, which is
    /// small, and which its client must get because the change is recorded.
    pub(super) fn grow_beyond(&mut self, bytes: usize) {
        self.share.grow_beyond(bytes);
    }

    /// Who took it.
    pub(super) const fn user(&self) -> &User {
        self.share.user()
    }

    /// How many bytes were taken.
    pub(super) const fn bytes(&self) -> usize {
        self.share.count()
    }
}
