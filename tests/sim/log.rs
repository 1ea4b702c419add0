//! The log as a node sees it: over a network that may lose an append or its answer,
//! and on machines that may write it later than the node believes.

use std::{
    future::pending,
    sync::{Arc, Mutex, Weak},
};

use bytes::Bytes;
use tokio::{sync::watch, task, time::sleep};
use userpool::event_log::{
    AppendError, EventLog, Head, Position, ReadError, ReadLimit, Record, Turn,
};

use crate::{lies::Lie, plan::milliseconds, situations::Situation, turns::Taken, world::World};

/// How often a former primary answers where reads must not depend on it, in thousandths.
const FORMER_PRIMARIES: usize = 100;

/// The connection of one node, in one of its lives, to the shared log.
#[derive(Debug)]
pub(crate) struct SimulatedLog {
    world: Arc<World>,
    node: usize,
    life: u64,
    head: watch::Sender<Head>,
    /// The newest head that the node has learned of, also from an answer.
    known: Mutex<Head>,
}

impl SimulatedLog {
    /// The log of a node that starts now.
    pub(crate) fn open(world: &Arc<World>, node: usize) -> Arc<Self> {
        let life = world.nodes[node].life();
        let (head, known) = (watch::Sender::new(world.head()), Mutex::new(world.head()));
        let log = Arc::new(Self { world: Arc::clone(world), node, life, head, known });
        task::spawn(announce(Arc::downgrade(&log), log.world.log().head()));
        log
    }

    /// A dead node receives and does nothing.
    async fn outlive(&self) {
        if self.world.nodes[self.node].life() != self.life {
            pending::<()>().await;
        }
    }

    fn is_cut(&self) -> bool {
        self.world.is_cut_from_log(self.node)
    }

    /// Waits while the log is silent. Returns whether it was.
    async fn wait_for_answer(&self) -> bool {
        let mut was_silent = false;
        while self.world.is_silent() {
            was_silent = true;
            sleep(milliseconds(20)).await;
        }
        self.outlive().await;
        if was_silent {
            self.world.meet(Situation::SilentLog);
        }
        was_silent
    }

    /// No answer comes.
    async fn give_up(&self) {
        self.wait_for_answer().await;
        sleep(milliseconds(20 + self.world.disk.below(300))).await;
        self.outlive().await;
    }

    /// A request to the log that only reads.
    async fn ask(&self) -> Result<(), ReadError> {
        let World { disk, plan, .. } = &*self.world;
        disk.delay(2).await;
        self.outlive().await;
        if self.wait_for_answer().await || self.is_cut() || disk.fails(plan.rates.failed_reads) {
            self.give_up().await;
            return Err(ReadError::Unavailable("no answer".into()));
        }
        Ok(())
    }

    /// Waits until what is in the log is durable.
    async fn wait_until_durable(&self) -> Result<(), ReadError> {
        let is_durable = self.world.wait_until_durable().await;
        self.outlive().await;
        if is_durable { Ok(()) } else { Err(ReadError::Unavailable("a failover".into())) }
    }

    fn known(&self) -> Head {
        *self.known.lock().expect("no panic")
    }

    /// Returns a head that the node learns of.
    fn learn(&self, head: Head) -> Head {
        let mut known = self.known.lock().expect("no panic");
        if head.position > known.position {
            *known = head;
        }
        head
    }

    /// Shows the node a new end of the log.
    fn announce(&self, head: Head) {
        self.learn(head);
        self.head.send_if_modified(|known| {
            let is_newer = head.position > known.position;
            if is_newer {
                *known = head;
            }
            is_newer
        });
    }
}

/// Announces new records to a node with a delay.
async fn announce(log: Weak<SimulatedLog>, mut heads: watch::Receiver<Head>) {
    while heads.changed().await.is_ok() {
        let Some(log) = log.upgrade() else { return };
        log.world.disk.delay(log.world.plan.rates.announcement_delay).await;
        while log.is_cut() || log.world.is_silent() {
            sleep(milliseconds(100)).await;
        }
        log.announce(*heads.borrow_and_update());
    }
}

#[async_trait::async_trait]
impl EventLog for SimulatedLog {
    fn head(&self) -> watch::Receiver<Head> {
        self.head.subscribe()
    }

    async fn latest(&self) -> Result<Head, ReadError> {
        self.ask().await?;
        let World { disk, plan, .. } = &*self.world;
        if plan.strict_reads && disk.fails(FORMER_PRIMARIES) {
            self.world.meet(Situation::FormerPrimary);
            return Ok(self.known());
        }
        let head = self.world.told_head().await;
        // Records may land while the answer is on its way.
        self.world.disk.delay(4).await;
        self.outlive().await;
        Ok(self.learn(head))
    }

    async fn turn(&self) -> Result<Turn, AppendError> {
        let World { disk, plan, .. } = &*self.world;
        if plan.rates.turn_patience == 0 {
            let head = self.latest().await;
            let head = head.map_err(|error| AppendError::NotAppended(error.into()))?;
            return Ok(Turn { head, now: None });
        }
        self.ask().await.map_err(|error| AppendError::NotAppended(error.into()))?;
        loop {
            match self.world.take_turn(self.node, self.life) {
                Taken::Yes => break,
                Taken::FromAnother => break self.world.meet(Situation::LostTurn),
                Taken::No => sleep(milliseconds(1 + disk.below(5))).await,
            }
            self.outlive().await;
            if self.is_cut() {
                self.give_up().await;
                return Err(AppendError::NotAppended("no answer".into()));
            }
        }
        let (head, now) = (self.world.told_head().await, self.world.time());
        disk.delay(4).await;
        self.outlive().await;
        if self.is_cut() {
            // It has the turn, and does not know.
            self.give_up().await;
            return Err(AppendError::NotAppended("no answer".into()));
        }
        Ok(Turn { head: self.learn(head), now: Some(now.into()) })
    }

    async fn end_turn(&self) {
        self.world.disk.delay(2).await;
        self.outlive().await;
        if !self.is_cut() {
            self.world.turns.end(self.node);
        }
    }

    async fn durable_head(&self) -> Result<Head, ReadError> {
        self.ask().await?;
        let head = self.world.told_head().await;
        self.wait_until_durable().await?;
        Ok(self.learn(head))
    }

    async fn durable_record(&self, after: Position) -> Result<Option<Record>, ReadError> {
        let read = self.read(after, ReadLimit { records: 1, bytes: 0 }).await?;
        self.wait_until_durable().await?;
        Ok(read.into_iter().next())
    }

    async fn append(&self, expected: Head, bodies: Vec<Bytes>) -> Result<Vec<Record>, AppendError> {
        let World { disk, plan, .. } = &*self.world;
        disk.delay(2).await;
        self.outlive().await;
        if self.is_cut() && disk.below(2) == 0 {
            // No connection: the append was never sent.
            return Err(AppendError::NotAppended("no connection".into()));
        }
        let unknown = || AppendError::Unknown("no answer".into());
        let times = self.world.send(expected, &bodies);
        let is_lost = self.is_cut() || (self.world.is_silent() && disk.below(2) == 0);
        if is_lost || disk.fails(plan.rates.lost_appends) {
            self.world.meet(Situation::LostAppend);
            self.give_up().await;
            return Err(unknown());
        }
        let is_late = disk.fails(plan.rates.late_appends);
        let is_silent = is_late || disk.fails(plan.rates.silent_appends);
        let late = if is_late { 20 + disk.below(800) } else { 0 };
        let delay = milliseconds(disk.below(plan.rates.append_delay) + late);
        let (world, node) = (Arc::clone(&self.world), self.node);
        // The log is on another machine: a sent append arrives even if the node dies.
        let landing = task::spawn(async move {
            sleep(delay).await;
            let landed = world.land(node, times, expected, bodies).await;
            if landed.is_ok() && is_silent {
                let late = if is_late { Situation::LateAppend } else { Situation::SilentAppend };
                world.meet(late);
            }
            landed
        });
        if is_silent {
            self.give_up().await;
            return Err(unknown());
        }
        let landed = landing.await.expect("no panic");
        if landed.is_ok() && self.world.nodes[node].life() != self.life {
            self.world.meet(Situation::CrashBeforeAnswer);
        }
        self.outlive().await;
        if self.wait_for_answer().await || self.is_cut() {
            self.give_up().await;
            return Err(unknown());
        }
        if let Ok(records) = &landed
            && let Some(last) = records.last()
        {
            self.announce(last.head());
        }
        landed
    }

    fn can_append_again(&self) -> bool {
        true
    }

    async fn read(&self, after: Position, limit: ReadLimit) -> Result<Vec<Record>, ReadError> {
        self.ask().await?;
        let mut records = self.world.log().read(after, limit).await?;
        if self.world.lies(Lie::MissingRecord) && records.len() > 1 {
            records.remove(0);
        }
        if let Some(last) = records.pop() {
            self.learn(last.head());
            let is_other = self.world.lies(Lie::OtherRecord);
            records.push(if is_other { another(last) } else { last });
        }
        Ok(records)
    }
}

/// A record in the place of this one that says something else.
fn another(record: Record) -> Record {
    let before = Head { position: Position(record.position.0 - 1), hash: record.previous_hash };
    let mut body = record.body.to_vec();
    // Another value of a field that this version does not know.
    body.extend_from_slice(&[0xf8, 0xff, 0x01, 0x01]);
    let other = Record::chain(before, vec![body.into()]);
    other.into_iter().next().unwrap_or(record)
}
