//! Limits on concurrent calls, which callers share fairly. Excess calls are refused at once;
//! no call waits.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, watch};

use crate::{
    auth::Peer,
    service::Error,
    telemetry::metrics::{RefusalCounters, RefusalReason},
};

use super::super::fair_limit::{FairLimit, Share, User};

/// Concurrent changes. The writer's queue holds half of them, and one batch a quarter;
/// the others are still arriving.
const MAX_WRITES: usize = 2048;
/// Concurrent calls of reflection and watches of health. They have their own limit, so
/// that they cannot use up the limits of other calls.
const MAX_TOOL_CALLS: usize = 1024;

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
    /// How many bytes clients can make the server hold: requests that arrive, responses that
    /// wait to be read, and a part for each call.
    pub client_memory: usize,
}

impl Default for Capacity {
    /// A read holds a page of 1 MiB at most, a watch 64 KiB.
    fn default() -> Self {
        Self {
            reads: 512,
            watches: 4096,
            watches_per_connection: 64,
            client_memory: 256 * 1024 * 1024,
        }
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
    Memory,
}

impl From<Overload> for RefusalReason {
    fn from(overload: Overload) -> Self {
        match overload {
            Overload::ToolCalls => Self::Tools,
            Overload::Writes => Self::Writes,
            Overload::Watches => Self::Watches,
            Overload::WatchesOfConnection => Self::WatchesOfConnection,
            Overload::Reads => Self::Reads,
            Overload::Memory => Self::Memory,
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
            Overload::Memory => {
                "too many requests and unread responses are in memory; nothing was recorded, try again"
            }
        })
    }
}

/// The limits, and how much of each is in use.
#[derive(Debug)]
pub(super) struct Admission {
    tool_calls: Arc<FairLimit>,
    writes: Arc<FairLimit>,
    watches: Arc<FairLimit>,
    reads: Arc<FairLimit>,
    /// Each call that runs has a receiver.
    running: watch::Sender<()>,
    refused: RefusalCounters,
}

/// The place of a call; given back on drop.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) kind: CallKind,
    share: Option<Share>,
    of_connection: Option<OwnedSemaphorePermit>,
    _running: watch::Receiver<()>,
}

impl Place {
    /// Gives the place back, because the response is ready. The call still counts as running
    /// until the response is sent.
    pub(super) fn release(&mut self) {
        self.share = None;
        self.of_connection = None;
    }
}

impl Admission {
    pub(super) fn new(capacity: Capacity, refused: RefusalCounters) -> Self {
        Self {
            tool_calls: FairLimit::new(MAX_TOOL_CALLS),
            writes: FairLimit::new(MAX_WRITES),
            watches: FairLimit::new(capacity.watches),
            reads: FairLimit::new(capacity.reads),
            running: watch::Sender::new(()),
            refused,
        }
    }

    /// Takes a place for a call of this kind, unless a limit is reached.
    pub(super) fn admit(
        &self,
        kind: CallKind,
        user: &User,
        peer: Option<&Peer>,
    ) -> Result<Place, Overload> {
        let taken = self.take(kind, user, peer);
        let taken = taken.inspect_err(|overload| self.refused.count((*overload).into()));
        let (share, of_connection) = taken?;
        Ok(Place { kind, share, of_connection, _running: self.running.subscribe() })
    }

    fn take(
        &self,
        kind: CallKind,
        user: &User,
        peer: Option<&Peer>,
    ) -> Result<(Option<Share>, Option<OwnedSemaphorePermit>), Overload> {
        let (limit, overload) = match kind {
            CallKind::Probe => return Ok((None, None)),
            CallKind::Tool => (&self.tool_calls, Overload::ToolCalls),
            CallKind::Write => (&self.writes, Overload::Writes),
            CallKind::Read => (&self.reads, Overload::Reads),
            CallKind::Watch => (&self.watches, Overload::Watches),
        };
        let of_connection = match (kind, peer) {
            (CallKind::Watch, Some(peer)) => {
                let place = Arc::clone(&peer.watches).try_acquire_owned();
                Some(place.map_err(|_| Overload::WatchesOfConnection)?)
            }
            (_, _) => None,
        };
        Ok((Some(limit.take(user.clone(), 1).ok_or(overload)?), of_connection))
    }

    /// Waits until no call runs.
    pub(super) async fn wait_idle(&self) {
        self.running.closed().await;
    }

    /// Whether no call runs.
    pub(super) fn is_idle(&self) -> bool {
        self.running.is_closed()
    }
}
