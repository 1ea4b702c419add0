//! Who is let in: how many calls of each kind may run, and how much memory their
//! requests may take. Whoever is too many is told at once, and nobody queues here.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use crate::auth::Peer;
use crate::telemetry::metrics::{Refusal, Refused};

/// How many calls that change something may be on their way. The writer's queue
/// holds half of them, and one batch a quarter; the rest is still arriving.
const WRITES: usize = 2048;
/// How many calls may be open to services that are there for tools: reflection,
/// and watches of health. They are apart, so that they cannot crowd out the others.
const TOOLS: usize = 1024;
/// How many bytes of requests may be in memory, in all.
const REQUEST_BYTES: usize = 64 * 1024 * 1024;

/// How many calls may run at a time.
#[derive(Debug, Clone, Copy)]
pub struct Capacity {
    /// Calls that read.
    pub reads: usize,
    /// Watches in all.
    pub watches: usize,
    /// Watches on one connection. Less than its streams, so that there is room for
    /// calls beside them.
    pub watches_per_connection: usize,
}

impl Default for Capacity {
    /// A read holds a page of 1 MiB at most, a watch 64 KiB.
    fn default() -> Self {
        Self { reads: 512, watches: 4096, watches_per_connection: 64 }
    }
}

/// What a call asks of the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Whether it is well; always answered.
    Probe,
    /// To be described to, or watched by, a tool.
    Tool,
    /// A change.
    Write,
    /// New events as they come.
    Watch,
    /// Anything else.
    Read,
}

impl Kind {
    pub(super) fn of(path: &str) -> Self {
        let (service, method) = path.trim_start_matches('/').split_once('/').unwrap_or_default();
        match (service, method) {
            ("grpc.health.v1.Health", "Check") => Self::Probe,
            (service, _) if service.starts_with("grpc.") => Self::Tool,
            (_, "WatchUserPoolEvents") => Self::Watch,
            (_, method) => {
                let changes = ["Create", "Update", "Delete"];
                let write = changes.iter().any(|change| method.starts_with(change));
                if write { Self::Write } else { Self::Read }
            }
        }
    }
}

/// What is too much.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TooMany {
    Tools,
    Writes,
    Watches,
    WatchesOfConnection,
    Reads,
    RequestBytes,
}

impl From<TooMany> for Refusal {
    fn from(too_many: TooMany) -> Self {
        match too_many {
            TooMany::Tools => Self::Tools,
            TooMany::Writes => Self::Writes,
            TooMany::Watches => Self::Watches,
            TooMany::WatchesOfConnection => Self::WatchesOfConnection,
            TooMany::Reads => Self::Reads,
            TooMany::RequestBytes => Self::RequestBytes,
        }
    }
}

/// The gates, one for each kind of call.
#[derive(Debug)]
pub(super) struct Admission {
    tools: Arc<Semaphore>,
    writes: Arc<Semaphore>,
    watches: Arc<Semaphore>,
    reads: Arc<Semaphore>,
    request_bytes: Arc<Semaphore>,
    /// Each call that runs has a receiver.
    running: watch::Sender<()>,
    refused: Refused,
}

/// The place that a call has while it runs.
#[derive(Debug)]
pub(super) struct Admitted {
    pub(super) kind: Kind,
    _places: [Option<OwnedSemaphorePermit>; 2],
    _running: watch::Receiver<()>,
}

impl Admission {
    pub(super) fn new(capacity: Capacity, refused: Refused) -> Self {
        Self {
            tools: places(TOOLS),
            writes: places(WRITES),
            watches: places(capacity.watches),
            reads: places(capacity.reads),
            request_bytes: places(REQUEST_BYTES),
            running: watch::Sender::new(()),
            refused,
        }
    }

    pub(super) fn admit(&self, kind: Kind, peer: Option<&Peer>) -> Result<Admitted, TooMany> {
        self.place(kind, peer).inspect_err(|too_many| self.refused.count((*too_many).into()))
    }

    fn place(&self, kind: Kind, peer: Option<&Peer>) -> Result<Admitted, TooMany> {
        let places = match kind {
            Kind::Probe => [None, None],
            Kind::Tool => [Some(take(&self.tools, TooMany::Tools)?), None],
            Kind::Write => [Some(take(&self.writes, TooMany::Writes)?), None],
            Kind::Read => [Some(take(&self.reads, TooMany::Reads)?), None],
            Kind::Watch => {
                let of_connection = |peer: &Peer| take(&peer.watches, TooMany::WatchesOfConnection);
                let of_connection = peer.map(of_connection).transpose()?;
                [Some(take(&self.watches, TooMany::Watches)?), of_connection]
            }
        };
        Ok(Admitted { kind, _places: places, _running: self.running.subscribe() })
    }

    pub(super) async fn quiet(&self) {
        self.running.closed().await;
    }

    pub(super) fn is_quiet(&self) -> bool {
        self.running.is_closed()
    }

    /// Where the bytes of one request are counted.
    pub(super) fn charge(&self) -> Charge {
        let (all, refused) = (Arc::clone(&self.request_bytes), self.refused.clone());
        Charge { all, taken: None, refused }
    }
}

/// So many places, or as many as there can be.
pub(super) fn places(count: usize) -> Arc<Semaphore> {
    Arc::new(Semaphore::new(count.min(Semaphore::MAX_PERMITS)))
}

fn take(gate: &Arc<Semaphore>, too_many: TooMany) -> Result<OwnedSemaphorePermit, TooMany> {
    Arc::clone(gate).try_acquire_owned().map_err(|_| too_many)
}

/// The memory that one request takes, given back when this is dropped.
#[derive(Debug)]
pub(super) struct Charge {
    all: Arc<Semaphore>,
    taken: Option<OwnedSemaphorePermit>,
    refused: Refused,
}

impl Charge {
    pub(super) fn add(&mut self, bytes: usize) -> Result<(), TooMany> {
        let count = u32::try_from(bytes).unwrap_or(u32::MAX);
        let more = Arc::clone(&self.all).try_acquire_many_owned(count);
        let more = more.map_err(|_| {
            self.refused.count(Refusal::RequestBytes);
            TooMany::RequestBytes
        })?;
        match &mut self.taken {
            Some(taken) => taken.merge(more),
            None => self.taken = Some(more),
        }
        Ok(())
    }
}
