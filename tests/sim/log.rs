//! The log as a node sees it: over a network that may lose an append or its answer,
//! and on machines that may write it later than the node believes.

use std::{
    future::pending,
    sync::{Arc, Weak},
};

use bytes::Bytes;
use tokio::{sync::watch, task, time::sleep};
use userpool::event_log::{AppendError, EventLog, Head, Position, ReadError, ReadLimit, Record};

use crate::{plan::milliseconds, situations::Situation, world::World};

/// The connection of one node, in one of its lives, to the shared log.
#[derive(Debug)]
pub(crate) struct SimulatedLog {
    world: Arc<World>,
    node: usize,
    life: u64,
    head: watch::Sender<Head>,
}

impl SimulatedLog {
    /// The log of a node that starts now.
    pub(crate) fn open(world: &Arc<World>, node: usize) -> Arc<Self> {
        let life = world.nodes[node].life();
        let head = watch::Sender::new(world.head());
        let log = Arc::new(Self { world: Arc::clone(world), node, life, head });
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

    /// No answer comes.
    async fn give_up(&self) -> AppendError {
        sleep(milliseconds(20 + self.world.disk.below(300))).await;
        self.outlive().await;
        AppendError::Unknown("no answer".into())
    }

    /// A request to the log that only reads.
    async fn ask(&self) -> Result<(), ReadError> {
        let World { disk, plan, .. } = &*self.world;
        disk.delay(2).await;
        self.outlive().await;
        if self.is_cut() || disk.fails(plan.rates.failed_reads) {
            sleep(milliseconds(20 + disk.below(300))).await;
            self.outlive().await;
            return Err(ReadError::Unavailable("no answer".into()));
        }
        Ok(())
    }
}

/// Announces new records to a node with a delay.
async fn announce(log: Weak<SimulatedLog>, mut heads: watch::Receiver<Head>) {
    while heads.changed().await.is_ok() {
        let Some(log) = log.upgrade() else { return };
        log.world.disk.delay(log.world.plan.rates.announcement_delay).await;
        while log.is_cut() {
            sleep(milliseconds(100)).await;
        }
        log.head.send_replace(*heads.borrow_and_update());
    }
}

#[async_trait::async_trait]
impl EventLog for SimulatedLog {
    fn head(&self) -> watch::Receiver<Head> {
        self.head.subscribe()
    }

    async fn latest(&self) -> Result<Head, ReadError> {
        self.ask().await?;
        let head = self.world.head();
        // Records may land while the answer is on its way.
        self.world.disk.delay(4).await;
        self.outlive().await;
        Ok(head)
    }

    async fn append(&self, expected: Head, bodies: Vec<Bytes>) -> Result<Vec<Record>, AppendError> {
        let World { disk, plan, .. } = &*self.world;
        disk.delay(2).await;
        self.outlive().await;
        if self.is_cut() && disk.below(2) == 0 {
            // No connection: the append was never sent.
            return Err(AppendError::NotAppended("no connection".into()));
        }
        let times = self.world.send(expected, &bodies);
        if self.is_cut() || disk.fails(plan.rates.lost_appends) {
            self.world.meet(Situation::LostAppend);
            return Err(self.give_up().await);
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
            return Err(self.give_up().await);
        }
        let landed = landing.await.expect("no panic");
        if landed.is_ok() && self.world.nodes[node].life() != self.life {
            self.world.meet(Situation::CrashBeforeAnswer);
        }
        self.outlive().await;
        if self.is_cut() { Err(self.give_up().await) } else { landed }
    }

    fn can_append_again(&self) -> bool {
        true
    }

    async fn read(&self, after: Position, limit: ReadLimit) -> Result<Vec<Record>, ReadError> {
        self.ask().await?;
        self.world.log().read(after, limit).await
    }
}
