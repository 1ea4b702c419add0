//! A node: the real application and the real gRPC door on a simulated log, which can
//! be killed at any await and started again.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};
use tokio::{
    sync::watch,
    time::{sleep, timeout},
};
use tower::Layer;
use userpool::{
    app::{self, App, ReadMode, ReadSettings, Settings, Source},
    auth::Access,
    grpc::{self, Grpc, Services, StartupGate},
    service::Operations,
    telemetry::{metrics::Metrics, spans::Tracer},
    transport::{CallLayer, Capacity, Phase},
};
use uuid::Uuid;

use crate::{
    log::SimulatedLog,
    plan::milliseconds,
    situations::Situation,
    trace::Step,
    world::{World, lock},
};

/// Hardly more than the calls of a simulation need at the same time, so that it runs out if calls
/// do not give back what they take.
const CAPACITY: Capacity =
    Capacity { reads: 24, watches: 6, watches_per_connection: 6, client_memory: 8 * 1024 * 1024 };

/// How long calls may take to end when a node stops: longer than all silences of a log.
const DRAIN_TIMEOUT: Duration = Duration::from_mins(5);

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
    calls: CallLayer,
    /// How many calls it got.
    pub(crate) received: Arc<AtomicUsize>,
    metrics: Arc<Metrics>,
    phase: Arc<watch::Sender<Phase>>,
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

impl Serving {
    pub(crate) fn is_stopping(&self) -> bool {
        self.phase.borrow().is_last()
    }

    /// Checks that no call runs, and that the metrics have counted each.
    pub(crate) fn check_calls(&self) -> Result<(), String> {
        let text = self.metrics.text().map_err(|error| error.to_string())?;
        let sum = |name: &str| -> usize {
            let lines = text.lines().filter(|line| line.starts_with(name));
            let counts = lines.filter_map(|line| line.rsplit(' ').next()?.parse::<usize>().ok());
            counts.sum()
        };
        let received = self.received.load(Ordering::Relaxed);
        let started = sum("grpc_server_started_total{");
        let handled = sum("grpc_server_handled_total{");
        if !self.calls.is_idle() || (started, handled) != (received, received) {
            return Err(format!(
                "of {received} calls, {started} were counted at their start and {handled} at \
                 their end"
            ));
        }
        Ok(())
    }
}

/// Stops a node as SIGTERM does, unless it is down: running calls may end, and watches are told.
pub(crate) async fn stop(world: &World, number: usize) {
    let node = &world.nodes[number];
    let Some(Serving { app, calls, phase, .. }) = node.serving() else { return };
    let mut lives = node.lives();
    let stopping = async {
        phase.send_replace(Phase::Stopping);
        app.drain();
        if !calls.is_idle() {
            world.meet(Situation::StoppedUnderLoad);
        }
        if timeout(DRAIN_TIMEOUT, calls.wait_idle()).await.is_err() {
            world.violate(format!("calls of node {number} go on after it was told to stop"));
        }
        // It does not end if the log is silent for too long; then the process ends all the same.
        app.close().await;
    };
    tokio::select! {
        biased;
        _ = lives.changed() => (),
        () = stopping => node.kill(),
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
            let settings = settings(world, &metrics);
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
    let calls = calls(source, phases.clone(), Arc::clone(&metrics));
    let door = calls.layer(gate(&app, phases, &metrics));
    let (received, phase) = (Arc::default(), Arc::new(phase));
    *lock(&node.serving) = Some(Serving { app, door, calls, received, metrics, phase });
    world.trace(Step::Start, number, node.life());
}

/// The settings of every application.
pub(crate) fn settings(world: &World, metrics: &Metrics) -> Settings {
    let mode = if world.plan.strict_reads { ReadMode::Strict } else { ReadMode::Latest };
    Settings {
        region: "eu-west-1".to_owned(),
        limits: world.limits(),
        cache: app::CACHE,
        clock: app::ClockSettings::default(),
        reads: ReadSettings { mode, ..ReadSettings::default() },
        metrics: metrics.app.clone(),
        tracer: Tracer::default(),
    }
}

/// The steps of a call as in a server, from the first one after HTTP/2.
fn calls(
    source: Arc<dyn Source>,
    phases: watch::Receiver<Phase>,
    metrics: Arc<Metrics>,
) -> CallLayer {
    let access = Access::default();
    CallLayer::new(&Grpc, source, access, CAPACITY, phases, metrics, Tracer::default())
}

/// The services of an application.
fn gate(app: &Arc<App>, phases: watch::Receiver<Phase>, metrics: &Metrics) -> StartupGate {
    let account_id = "123456789012".to_owned();
    let operations = Operations::new(Arc::clone(app), World::signer(), account_id);
    let gate = StartupGate::new(phases, metrics.refused.clone());
    gate.open(Services::new(&Arc::new(operations)).expect("descriptors"));
    gate
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
        let skew = i64::try_from(skew).expect("a small number");
        self.world.time() + TimeDelta::milliseconds(skew)
    }

    fn uuid(&self) -> Uuid {
        let half = || u64::try_from(self.world.identifiers.below(usize::MAX)).expect("64 bits");
        Uuid::from_u64_pair(half(), half())
    }

    fn user_pool_suffix(&self) -> String {
        format!("{:09}", self.world.identifiers.below(1_000_000_000))
    }
}
