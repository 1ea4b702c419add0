//! A node: the real application and the real gRPC door on a simulated log, which can
//! be killed at any await and started again.

use std::sync::{Arc, Mutex, atomic::AtomicUsize};

use chrono::{DateTime, TimeDelta, Utc};
use tokio::{sync::watch, time::sleep};
use tower::Layer;
use userpool::{
    app::{self, App, Settings, Source},
    auth::Access,
    grpc::{self, Grpc, Services, StartupGate},
    service::Operations,
    telemetry::{metrics::Metrics, spans::Tracer},
    transport::{CallLayer, Capacity, Phase},
    user_pool::Limits,
};
use uuid::Uuid;

use crate::{
    log::SimulatedLog,
    plan::milliseconds,
    situations::Situation,
    trace::Step,
    world::{World, lock},
};

/// The door of a node, behind the steps of every call.
pub(crate) type Door = <CallLayer as Layer<StartupGate>>::Service;

/// A node, which serves or is down.
#[derive(Debug, Default)]
pub(crate) struct Node {
    serving: Mutex<Option<Serving>>,
    /// How often it was killed.
    lives: watch::Sender<u64>,
    /// The number of partitions between it and the log.
    pub(crate) log_partitions: AtomicUsize,
    /// The same for its clients.
    pub(crate) client_partitions: AtomicUsize,
}

/// A node that serves.
#[derive(Debug, Clone)]
pub(crate) struct Serving {
    pub(crate) app: Arc<App>,
    pub(crate) door: Door,
    _phase: Arc<watch::Sender<Phase>>,
}

impl Node {
    /// The server, if it is up.
    pub(crate) fn serving(&self) -> Option<Serving> {
        lock(&self.serving).clone()
    }

    /// The number of its current life.
    pub(crate) fn life(&self) -> u64 {
        *self.lives.borrow()
    }

    /// Changes when it is killed.
    pub(crate) fn lives(&self) -> watch::Receiver<u64> {
        self.lives.subscribe()
    }

    /// Kills it: its memory is lost, and its log does nothing more for it.
    pub(crate) fn kill(&self) {
        self.lives.send_modify(|life| *life += 1);
        *lock(&self.serving) = None;
    }

    /// Stops it gracefully.
    pub(crate) fn drop_application(&self) {
        *lock(&self.serving) = None;
    }
}

/// Starts a node, unless it serves or is killed meanwhile.
pub(crate) async fn start(world: &Arc<World>, number: usize) {
    let node = &world.nodes[number];
    if node.serving().is_some() {
        return;
    }
    let mut lives = node.lives();
    let source: Arc<dyn Source> =
        Arc::new(SimulatedSource { world: Arc::clone(world), node: number });
    let metrics = Arc::new(Metrics::new(&grpc::methods()));
    let log = SimulatedLog::open(world, number);
    let starting = async {
        loop {
            let log = Arc::<SimulatedLog>::clone(&log);
            let settings = Settings { reads: world.reads, ..settings(&metrics) };
            let app = App::start_in_memory(log, Arc::clone(&source), settings).await;
            if let Ok(app) = app {
                return Arc::new(app);
            }
            // The log could not be read.
            world.meet(Situation::FailedStart);
            sleep(milliseconds(50)).await;
        }
    };
    let app = tokio::select! {
        biased;
        _ = lives.changed() => return,
        app = starting => app,
    };
    let (phase, phases) = watch::channel(Phase::Serving);
    let door = door(&app, source, phases, metrics);
    *lock(&node.serving) = Some(Serving { app, door, _phase: Arc::new(phase) });
    world.trace(Step::Start, number, node.life());
}

/// The settings of every application.
pub(crate) fn settings(metrics: &Metrics) -> Settings {
    Settings {
        region: "eu-west-1".to_owned(),
        limits: Limits::default(),
        cache: app::CACHE,
        clock: app::ClockSettings::default(),
        reads: app::ReadSettings::default(),
        metrics: metrics.app.clone(),
        tracer: Tracer::default(),
    }
}

/// The steps of a call as in a server, from the first one after HTTP/2.
fn door(
    app: &Arc<App>,
    source: Arc<dyn Source>,
    phases: watch::Receiver<Phase>,
    metrics: Arc<Metrics>,
) -> Door {
    let account_id = "123456789012".to_owned();
    let operations = Operations::new(Arc::clone(app), World::signer(), account_id);
    let gate = StartupGate::new(phases.clone(), metrics.refused.clone());
    gate.open(Services::new(&Arc::new(operations)).expect("descriptors"));
    let access = Access::default();
    let capacity = Capacity::default();
    CallLayer::new(&Grpc, source, access, capacity, phases, metrics, Tracer::default()).layer(gate)
}

/// The clock of a node, and identifiers from the seed.
#[derive(Debug)]
pub(crate) struct SimulatedSource {
    pub(crate) world: Arc<World>,
    pub(crate) node: usize,
}

impl Source for SimulatedSource {
    fn now(&self) -> DateTime<Utc> {
        let skew = self.world.plan.rates.clock_skew * self.node;
        let elapsed = self.world.elapsed().as_millis();
        let start = DateTime::from_timestamp(1_512_950_400, 0).expect("2017-12-11");
        let elapsed = i64::try_from(elapsed).expect("a small number");
        let skew = i64::try_from(skew).expect("a small number");
        start + TimeDelta::milliseconds(elapsed + skew)
    }

    fn uuid(&self) -> Uuid {
        let half = || u64::try_from(self.world.identifiers.below(usize::MAX)).expect("64 bits");
        Uuid::from_u64_pair(half(), half())
    }

    fn user_pool_suffix(&self) -> String {
        format!("{:09}", self.world.identifiers.below(1_000_000_000))
    }
}
