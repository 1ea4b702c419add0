//! The shared state of one simulation: its plan, its random streams, its log, its
//! nodes, and its trace.

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{
        Arc, LazyLock, Mutex, MutexGuard,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use prost::Message as _;
use tempfile::TempDir;
use tokio::{
    task,
    time::{Instant, sleep},
};
use userpool::{
    app::{ReadMode, ReadSettings},
    audit::checkpoint::Signer,
    event_log::{AppendError, EventLog as _, Head, MemoryLog, Position, ReadLimit, Record},
    proto::UserPoolEvent,
};

use crate::{
    node::Node,
    plan::{Plan, milliseconds},
    random::Random,
    situations::{Met, Situation},
    trace::{Step, Trace},
};

/// The signing key of every node.
static SIGNER: LazyLock<Arc<Signer>> = LazyLock::new(|| {
    let directory = TempDir::new().expect("a directory");
    let key = Signer::open(&directory.path().join("key.pem"), Path::new("none"));
    Arc::new(key.expect("a key"))
});

/// One simulation.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) plan: Plan,
    /// The log that every node appends to and reads; another one after it has lost its end.
    log: Mutex<Arc<MemoryLog>>,
    pub(crate) nodes: Vec<Node>,
    /// The number of current outages of the log.
    pub(crate) outages: AtomicUsize,
    /// What reads promise.
    pub(crate) reads: ReadSettings,
    pub(crate) network: Chance,
    pub(crate) disk: Chance,
    pub(crate) identifiers: Chance,
    began: Instant,
    trace: Mutex<Trace>,
    met: Mutex<Met>,
    /// How often each batch was sent, by its first record and where it belongs.
    sent: Mutex<BTreeMap<(Position, Bytes), usize>>,
    /// The position of each request ID.
    request_ids: Mutex<BTreeMap<String, i64>>,
    /// The first broken promise.
    violation: Mutex<Option<String>>,
    is_healed: Arc<AtomicBool>,
    has_lost_end: AtomicBool,
}

/// A random stream that decides each step until all faults have ended.
#[derive(Debug)]
pub(crate) struct Chance {
    random: Mutex<Random>,
    is_healed: Arc<AtomicBool>,
}

impl Chance {
    /// A number below `end`.
    pub(crate) fn below(&self, end: usize) -> usize {
        lock(&self.random).below(end.max(1))
    }

    /// Whether a failure with this probability, in thousandths, happens now.
    pub(crate) fn fails(&self, thousandths: usize) -> bool {
        !self.is_healed.load(Ordering::Relaxed) && self.below(1000) < thousandths
    }

    /// Waits up to this many milliseconds, and sometimes yields to other tasks first.
    pub(crate) async fn delay(&self, max: usize) {
        let delay = self.below(max + 1);
        if delay > 0 {
            sleep(milliseconds(delay)).await;
        }
        for _ in 0..self.below(3) {
            task::yield_now().await;
        }
    }
}

impl World {
    pub(crate) fn new(plan: Plan, random: &mut Random, mode: ReadMode) -> Arc<Self> {
        let is_healed = Arc::new(AtomicBool::new(false));
        let mut chance =
            || Chance { random: Mutex::new(random.fork()), is_healed: Arc::clone(&is_healed) };
        let (network, disk, identifiers) = (chance(), chance(), chance());
        Arc::new(Self {
            nodes: (0..plan.nodes).map(|_| Node::default()).collect(),
            plan,
            log: Mutex::default(),
            outages: AtomicUsize::new(0),
            reads: ReadSettings { mode, ..ReadSettings::default() },
            network,
            disk,
            identifiers,
            began: Instant::now(),
            trace: Mutex::default(),
            met: Mutex::default(),
            sent: Mutex::default(),
            request_ids: Mutex::default(),
            violation: Mutex::default(),
            is_healed,
            has_lost_end: AtomicBool::new(false),
        })
    }

    /// The key that checkpoints are signed with.
    pub(crate) fn signer() -> Arc<Signer> {
        Arc::clone(&SIGNER)
    }

    /// The virtual time since the beginning.
    pub(crate) fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    /// Adds a step to the trace.
    pub(crate) fn trace(&self, step: Step, subject: usize, detail: u64) {
        lock(&self.trace).add(self.elapsed(), step, subject, detail);
    }

    /// A number that identifies this trace.
    pub(crate) fn traced(&self) -> u64 {
        lock(&self.trace).hash()
    }

    /// Counts a situation.
    pub(crate) fn meet(&self, situation: Situation) {
        lock(&self.met).count(situation);
    }

    /// How often each situation was met.
    pub(crate) fn met(&self) -> Met {
        lock(&self.met).clone()
    }

    /// Records a broken promise.
    pub(crate) fn violate(&self, violation: String) {
        lock(&self.violation).get_or_insert(violation);
    }

    /// The first broken promise.
    pub(crate) fn violation(&self) -> Option<String> {
        lock(&self.violation).clone()
    }

    /// The log that every node appends to and reads.
    pub(crate) fn log(&self) -> Arc<MemoryLog> {
        Arc::clone(&lock(&self.log))
    }

    /// The end of the log.
    pub(crate) fn head(&self) -> Head {
        *self.log().head().borrow()
    }

    /// Whether the last records were taken away.
    pub(crate) fn has_lost_end(&self) -> bool {
        self.has_lost_end.load(Ordering::Relaxed)
    }

    /// Takes the last records away, as a restored backup does.
    pub(crate) async fn lose_end(&self, records: usize) {
        self.has_lost_end.store(true, Ordering::Relaxed);
        let all = ReadLimit { records: usize::MAX, bytes: usize::MAX };
        let kept = self.log().read(Position::START, all).await.expect("a log in memory");
        let kept = kept.into_iter().rev().skip(records).map(|record| record.body);
        let mut bodies: Vec<_> = kept.collect();
        bodies.reverse();
        let restored = MemoryLog::default();
        for body in bodies {
            let head = *restored.head().borrow();
            restored.append(head, vec![body]).await.expect("appended");
        }
        let end = restored.head().borrow().position.to_int();
        lock(&self.request_ids).retain(|_, position| *position <= end);
        *lock(&self.log) = Arc::new(restored);
    }

    /// Ends every fault for good.
    pub(crate) fn heal(&self) {
        self.is_healed.store(true, Ordering::Relaxed);
    }

    /// Whether every fault has ended.
    pub(crate) fn is_healed(&self) -> bool {
        self.is_healed.load(Ordering::Relaxed)
    }

    /// Whether a node cannot reach the log now.
    pub(crate) fn is_cut_from_log(&self, node: usize) -> bool {
        let cuts = self.nodes[node].log_partitions.load(Ordering::Relaxed);
        !self.is_healed() && cuts + self.outages.load(Ordering::Relaxed) > 0
    }

    /// Whether no client can reach a node now.
    pub(crate) fn is_cut_from_clients(&self, node: usize) -> bool {
        !self.is_healed() && self.nodes[node].client_partitions.load(Ordering::Relaxed) > 0
    }

    /// A node sends an append. Returns how often it has sent this one.
    pub(crate) fn send(&self, expected: Head, bodies: &[Bytes]) -> usize {
        let batch = (expected.position, bodies.first().cloned().unwrap_or_default());
        let times = *lock(&self.sent).entry(batch).and_modify(|times| *times += 1).or_insert(1);
        if times > 1 {
            self.meet(Situation::AppendedAgain);
        }
        times
    }

    /// An append arrives at the log, which was sent for the `times`th time.
    pub(crate) async fn land(
        &self,
        node: usize,
        times: usize,
        expected: Head,
        bodies: Vec<Bytes>,
    ) -> Result<Vec<Record>, AppendError> {
        let first = bodies.first().cloned().unwrap_or_default();
        let landed = self.log().append(expected, bodies).await;
        let Ok(records) = &landed else {
            self.trace(Step::Conflict, node, expected.position.0);
            let limit = ReadLimit { records: 1, bytes: 0 };
            let there = self.log().read(expected.position, limit).await.expect("a log in memory");
            let is_own = there.first().is_some_and(|record| record.body == first);
            self.meet(if is_own { Situation::ConflictWithItself } else { Situation::Conflict });
            return landed;
        };
        if times > 1 {
            self.meet(Situation::WrittenByRetry);
        }
        for record in records {
            self.trace(Step::Landing, node, record.position.0);
            let event = UserPoolEvent::decode(record.body.clone()).expect("an event");
            if event.position != record.position.to_int() {
                self.violate(format!("the record at {} says {}", record.position, event.position));
            }
            if let Some(id) = event.request_id
                && let Some(before) = lock(&self.request_ids).insert(id.clone(), event.position)
            {
                self.violate(format!("request {id} is at {before} and at {}", event.position));
            }
        }
        landed
    }
}

/// The content of a mutex, which is never held across an await.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("no panic")
}
