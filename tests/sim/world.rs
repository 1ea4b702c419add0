//! The shared state of one simulation: its plan, its random streams, its log, its
//! nodes, and its trace.

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{
        Arc, LazyLock, Mutex, MutexGuard,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use tempfile::TempDir;
use tokio::{
    task,
    time::{Instant, sleep},
};
use userpool::{
    audit::checkpoint::Signer,
    event_log::{AppendError, EventLog as _, Head, MemoryLog, Position, ReadLimit, Record},
    user_pool::Limits,
};

use crate::{
    landings::Landings,
    lies::Lie,
    node::Node,
    plan::{Plan, milliseconds},
    random::Random,
    simulation::Tampering,
    situations::{Met, Situation},
    trace::{Step, Trace},
    turns::{Taken, Turns},
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
    /// How many silences of the log last.
    pub(crate) silences: AtomicUsize,
    /// How often the log has lost its end.
    losses: AtomicUsize,
    /// The records that it has lost, which may have been written again.
    lost: Mutex<Vec<Head>>,
    /// The last position that no failover can lose.
    durable: AtomicU64,
    pub(crate) turns: Turns,
    tampering: Tampering,
    pub(crate) network: Chance,
    pub(crate) disk: Chance,
    pub(crate) identifiers: Chance,
    began: Instant,
    trace: Mutex<Trace>,
    met: Mutex<Met>,
    /// How often each batch was sent, by its first record and where it belongs.
    sent: Mutex<BTreeMap<(Position, Bytes), usize>>,
    landings: Mutex<Landings>,
    /// The first broken promise.
    violation: Mutex<Option<String>>,
    is_healed: Arc<AtomicBool>,
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
    pub(crate) fn new(plan: Plan, random: &mut Random, tampering: Tampering) -> Arc<Self> {
        let is_healed = Arc::new(AtomicBool::new(false));
        let mut chance =
            || Chance { random: Mutex::new(random.fork()), is_healed: Arc::clone(&is_healed) };
        let (network, disk, identifiers) = (chance(), chance(), chance());
        Arc::new(Self {
            nodes: (0..plan.nodes).map(|_| Node::default()).collect(),
            plan,
            log: Mutex::default(),
            outages: AtomicUsize::new(0),
            silences: AtomicUsize::new(0),
            losses: AtomicUsize::new(0),
            lost: Mutex::default(),
            durable: AtomicU64::new(0),
            turns: Turns::default(),
            tampering,
            network,
            disk,
            identifiers,
            began: Instant::now(),
            trace: Mutex::default(),
            met: Mutex::default(),
            sent: Mutex::default(),
            landings: Mutex::default(),
            violation: Mutex::default(),
            is_healed,
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

    /// The end of the log as it is told, which a lie may make an older one.
    pub(crate) async fn told_head(&self) -> Head {
        let head = self.head();
        if head.position.0 < 3 || !self.lies(Lie::OldEnd) {
            return head;
        }
        let limit = ReadLimit { records: 1, bytes: 0 };
        let before = Position(head.position.0 - 3);
        let read = self.log().read(before, limit).await.expect("a log in memory");
        read.first().map_or(head, Record::head)
    }

    /// Whether the log tells this lie now.
    pub(crate) fn lies(&self, lie: Lie) -> bool {
        self.tampering.lie == Some(lie) && self.disk.fails(100)
    }

    /// The time that every node would have with a right clock.
    pub(crate) fn time(&self) -> DateTime<Utc> {
        let elapsed = i64::try_from(self.elapsed().as_millis()).expect("a small number");
        let start = DateTime::from_timestamp(1_512_950_400, 0).expect("2017-12-11");
        start + TimeDelta::milliseconds(elapsed)
    }

    pub(crate) fn limits(&self) -> Limits {
        let usual = Limits::default();
        let user_pools = self.plan.user_pools;
        Limits { user_pools: if user_pools == 0 { usual.user_pools } else { user_pools }, ..usual }
    }

    pub(crate) fn take_turn(&self, node: usize, life: u64) -> Taken {
        self.turns.take(node, life, milliseconds(self.plan.rates.turn_patience))
    }

    /// All records of the log.
    pub(crate) async fn records(&self) -> Vec<Record> {
        let all = ReadLimit { records: usize::MAX, bytes: usize::MAX };
        self.log().read(Position::START, all).await.expect("a log in memory")
    }

    /// Takes the last records away, as a restored backup does.
    pub(crate) async fn lose_end(&self, records: usize) {
        let kept = self.records().await.len().saturating_sub(records);
        self.keep(kept).await;
    }

    /// Takes the records away that are not durable, as a failover does.
    pub(crate) async fn fail_over(&self) {
        let durable = self.durable.load(Ordering::Relaxed);
        self.keep(usize::try_from(durable).expect("a small number")).await;
    }

    /// Puts a log with the first records in the place of this one.
    async fn keep(&self, count: usize) {
        let (restored, mut landings) = (MemoryLog::default(), Landings::default());
        let mut kept = self.records().await;
        let lost = kept.split_off(count.min(kept.len()));
        lock(&self.lost).extend(lost.iter().map(Record::head));
        for batch in kept.chunk_by(|_, next| next.batch.index > 0) {
            let head = *restored.head().borrow();
            let bodies = batch.iter().map(|record| record.body.clone()).collect();
            restored.append(head, bodies).await.expect("appended");
            for record in batch {
                let _ = landings.add(record, u64::MAX);
            }
        }
        self.losses.fetch_add(1, Ordering::Relaxed);
        self.durable.store(restored.head().borrow().position.0, Ordering::Relaxed);
        *lock(&self.landings) = landings;
        *lock(&self.log) = Arc::new(restored);
    }

    /// Whether the log has lost this record.
    pub(crate) fn has_lost(&self, head: Head) -> bool {
        lock(&self.lost).contains(&head)
    }

    /// Waits until records up to this position are durable. Returns `false` if a failover may
    /// have lost them.
    async fn replicate(&self, end: Position) -> bool {
        let losses = self.losses.load(Ordering::Relaxed);
        let delay = self.disk.below(self.plan.rates.replication_delay + 1);
        if delay > 0 {
            sleep(milliseconds(delay)).await;
        }
        let is_kept = self.losses.load(Ordering::Relaxed) == losses;
        if is_kept {
            self.durable.fetch_max(end.0, Ordering::Relaxed);
        }
        is_kept
    }

    /// Waits until the end of the log is durable. Returns `false` if a failover lost it.
    pub(crate) async fn wait_until_durable(&self) -> bool {
        let (losses, end) = (self.losses.load(Ordering::Relaxed), self.head().position.0);
        while self.durable.load(Ordering::Relaxed) < end {
            sleep(milliseconds(1)).await;
            if self.losses.load(Ordering::Relaxed) != losses {
                return false;
            }
        }
        true
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

    /// Whether the log answers nobody now.
    pub(crate) fn is_silent(&self) -> bool {
        !self.is_healed() && self.silences.load(Ordering::Relaxed) > 0
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
        let landed = self.write(expected, bodies).await;
        self.turns.end(node);
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
        let Some(last) = records.last() else { return landed };
        for record in records {
            self.trace(Step::Landing, node, record.position.0);
            let added = lock(&self.landings).add(record, self.limits().user_pools);
            added.unwrap_or_else(|violation| self.violate(violation));
        }
        if self.replicate(last.position).await {
            return landed;
        }
        Err(AppendError::Unknown("a failover".into()))
    }

    /// Appends to the log, unless it lies.
    async fn write(&self, expected: Head, bodies: Vec<Bytes>) -> Result<Vec<Record>, AppendError> {
        let log = self.log();
        let end = *log.head().borrow();
        if end == expected && self.lies(Lie::LostAppend) {
            return Ok(Record::chain(expected, bodies));
        }
        if end == expected && bodies.len() > 1 && self.lies(Lie::TornBatch) {
            log.append(expected, bodies.iter().take(1).cloned().collect()).await?;
            return Ok(Record::chain(expected, bodies));
        }
        if self.lies(Lie::LostEnd) {
            self.lose_end(1).await;
        }
        let is_unchecked = end.position >= expected.position && self.lies(Lie::UncheckedEnd);
        self.log().append(if is_unchecked { end } else { expected }, bodies).await
    }
}

/// The content of a mutex, which is never held across an await.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("no panic")
}
