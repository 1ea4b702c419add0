//! Limits on concurrent calls and on the memory of their requests. Excess calls are
//! refused at once; no call waits.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use crate::{
    auth::Peer,
    service::Error,
    telemetry::metrics::{RefusalCounters, RefusalReason},
};

/// Concurrent changes. The writer's queue holds half of them, and one batch a quarter;
/// the others are still arriving.
const MAX_WRITES: usize = 2048;
/// Concurrent calls of reflection and watches of health. They have their own limit, so
/// that they cannot use up the limits of other calls.
const MAX_TOOL_CALLS: usize = 1024;
/// The bytes of all requests in memory.
const MAX_REQUEST_BYTES: usize = 64 * 1024 * 1024;

/// How many calls may run concurrently.
#[derive(Debug, Clone, Copy)]
pub struct Capacity {
    /// Calls that read.
    pub reads: usize,
    /// Watches in all.
    pub watches: usize,
    /// Watches on one connection. Fewer than its streams, so that other calls can run as
    /// well.
    pub watches_per_connection: usize,
}

impl Default for Capacity {
    /// A read holds a page of 1 MiB at most, a watch 64 KiB.
    fn default() -> Self {
        Self { reads: 512, watches: 4096, watches_per_connection: 64 }
    }
}

/// The kind of a call, which decides its limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CallKind {
    /// A health check; always answered.
    Probe,
    /// Reflection, or a watch of health.
    Tool,
    /// A change.
    Write,
    /// A watch of events.
    Watch,
    /// Any other call.
    Read,
}

impl CallKind {
    /// The kind of a `SERVICE/METHOD`.
    pub(super) fn of(method: &str) -> Self {
        let (service, method) = method.split_once('/').unwrap_or_default();
        match (service, method) {
            ("grpc.health.v1.Health", "Check") => Self::Probe,
            (service, _) if service.starts_with("grpc.") => Self::Tool,
            (_, "WatchUserPoolEvents") => Self::Watch,
            (_, method) => {
                let verbs = ["Create", "Update", "Delete"];
                let is_write = verbs.iter().any(|verb| method.starts_with(verb));
                if is_write { Self::Write } else { Self::Read }
            }
        }
    }
}

impl CallKind {
    /// Whether the response is a stream without an end of its own.
    pub(super) const fn is_stream(self) -> bool {
        match self {
            Self::Tool | Self::Watch => true,
            Self::Probe | Self::Write | Self::Read => false,
        }
    }
}

/// A limit that was reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Overload {
    ToolCalls,
    Writes,
    Watches,
    WatchesOfConnection,
    Reads,
    RequestBytes,
}

impl From<Overload> for RefusalReason {
    fn from(overload: Overload) -> Self {
        match overload {
            Overload::ToolCalls => Self::Tools,
            Overload::Writes => Self::Writes,
            Overload::Watches => Self::Watches,
            Overload::WatchesOfConnection => Self::WatchesOfConnection,
            Overload::Reads => Self::Reads,
            Overload::RequestBytes => Self::RequestBytes,
        }
    }
}

impl From<Overload> for Error {
    fn from(overload: Overload) -> Self {
        Self::overloaded(match overload {
            Overload::ToolCalls => "too many calls of reflection and health are running; try again",
            Overload::Writes => "too many changes are running; nothing was recorded, try again",
            Overload::Watches => "too many watches are open; try again",
            Overload::WatchesOfConnection => {
                "too many watches are open on this connection; use another one"
            }
            Overload::Reads => "too many reads are running; try again",
            Overload::RequestBytes => {
                "too many large requests are in memory; nothing was recorded, try again"
            }
        })
    }
}

/// The limits, and how much of each is in use.
#[derive(Debug)]
pub(super) struct Admission {
    tool_calls: Arc<Semaphore>,
    writes: Arc<Semaphore>,
    watches: Arc<Semaphore>,
    reads: Arc<Semaphore>,
    request_bytes: Arc<Semaphore>,
    /// Each call that runs has a receiver.
    running: watch::Sender<()>,
    refused: RefusalCounters,
}

/// The permit of a running call; released on drop.
#[derive(Debug)]
pub(super) struct CallPermit {
    pub(super) kind: CallKind,
    _permits: [Option<OwnedSemaphorePermit>; 2],
    _running: watch::Receiver<()>,
}

impl Admission {
    pub(super) fn new(capacity: Capacity, refused: RefusalCounters) -> Self {
        Self {
            tool_calls: semaphore(MAX_TOOL_CALLS),
            writes: semaphore(MAX_WRITES),
            watches: semaphore(capacity.watches),
            reads: semaphore(capacity.reads),
            request_bytes: semaphore(MAX_REQUEST_BYTES),
            running: watch::Sender::new(()),
            refused,
        }
    }

    /// Returns a permit for a call of this kind, unless a limit is reached.
    pub(super) fn admit(
        &self,
        kind: CallKind,
        peer: Option<&Peer>,
    ) -> Result<CallPermit, Overload> {
        let permits = self.permits(kind, peer);
        let permits = permits.inspect_err(|overload| self.refused.count((*overload).into()))?;
        Ok(CallPermit { kind, _permits: permits, _running: self.running.subscribe() })
    }

    fn permits(
        &self,
        kind: CallKind,
        peer: Option<&Peer>,
    ) -> Result<[Option<OwnedSemaphorePermit>; 2], Overload> {
        Ok(match kind {
            CallKind::Probe => [None, None],
            CallKind::Tool => [Some(take(&self.tool_calls, Overload::ToolCalls)?), None],
            CallKind::Write => [Some(take(&self.writes, Overload::Writes)?), None],
            CallKind::Read => [Some(take(&self.reads, Overload::Reads)?), None],
            CallKind::Watch => {
                let take_peer = |peer: &Peer| take(&peer.watches, Overload::WatchesOfConnection);
                let of_connection = peer.map(take_peer).transpose()?;
                [Some(take(&self.watches, Overload::Watches)?), of_connection]
            }
        })
    }

    /// Waits until no call runs.
    pub(super) async fn wait_idle(&self) {
        self.running.closed().await;
    }

    /// Whether no call runs.
    pub(super) fn is_idle(&self) -> bool {
        self.running.is_closed()
    }

    /// The memory of a new request: 0 bytes.
    pub(super) fn request_memory(&self) -> MemoryPermit {
        let (limit, refused) = (Arc::clone(&self.request_bytes), self.refused.clone());
        MemoryPermit { limit, taken: None, refused }
    }
}

fn semaphore(permits: usize) -> Arc<Semaphore> {
    Arc::new(Semaphore::new(permits.min(Semaphore::MAX_PERMITS)))
}

fn take(limit: &Arc<Semaphore>, overload: Overload) -> Result<OwnedSemaphorePermit, Overload> {
    Arc::clone(limit).try_acquire_owned().map_err(|_| overload)
}

/// The memory of one request; released on drop.
#[derive(Debug)]
pub(super) struct MemoryPermit {
    limit: Arc<Semaphore>,
    taken: Option<OwnedSemaphorePermit>,
    refused: RefusalCounters,
}

impl MemoryPermit {
    /// Adds this many bytes.
    pub(super) fn grow(&mut self, bytes: usize) -> Result<(), Overload> {
        let count = u32::try_from(bytes).unwrap_or(u32::MAX);
        let more = Arc::clone(&self.limit).try_acquire_many_owned(count);
        let more = more.map_err(|_| {
            self.refused.count(RefusalReason::RequestBytes);
            Overload::RequestBytes
        })?;
        match &mut self.taken {
            Some(taken) => taken.merge(more),
            None => self.taken = Some(more),
        }
        Ok(())
    }
}
