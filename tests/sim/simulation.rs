//! One simulation: nodes, clients, watchers and faults in virtual time, which
//! advances only when all tasks are idle, and afterwards the check of every promise
//! against the log.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use prost::Message as _;
use tokio::{
    runtime::{Builder, Runtime},
    task::{self, JoinSet},
    time::{Instant, sleep, sleep_until, timeout},
};
use userpool::{
    app::{App, Domain, PoolPage},
    event_log::{Head, Record},
    proto::UserPoolEvent,
    telemetry::{metrics::Metrics, panic_message},
    user_pool::PoolFilter,
};

#[cfg(sim_bugs)]
use userpool::app::planted_bugs::take_reached;

use crate::{
    audit::audit,
    lies::Lie,
    linearizability::{
        Run, Worker, check, entry_of,
        history::{Outcome, Refusal},
        recorded,
    },
    network::Network,
    node::{self, SimulatedSource},
    plan::{Case, Fault, FaultKind, Plan, milliseconds},
    random::Random,
    situations::{Met, Situation},
    trace::Step,
    watchers::Watcher,
    world::World,
};

/// How long clients may take, in virtual time: many times what they need.
pub(crate) const CLIENTS_TIMEOUT: Duration = Duration::from_hours(1);
/// How long nodes and watchers may take to catch up after all faults have ended.
const CATCH_UP_TIMEOUT: Duration = Duration::from_mins(5);
/// After this long, everything late has arrived.
const SETTLE: Duration = Duration::from_secs(3);

/// Changes of a simulation that break promises.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Tampering {
    /// What the log does once in a while.
    pub(crate) lie: Option<Lie>,
}

/// The result of a simulation, or of several.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Report {
    /// Identifies its trace.
    pub(crate) trace: u64,
    pub(crate) calls: usize,
    pub(crate) unanswered: usize,
    pub(crate) events: usize,
    pub(crate) faults: usize,
    pub(crate) simulated: Duration,
    pub(crate) met: Met,
}

impl Report {
    /// Adds another simulation.
    pub(crate) fn add(&mut self, other: &Self) {
        self.trace = self.trace.rotate_left(1) ^ other.trace;
        self.calls += other.calls;
        self.unanswered += other.unanswered;
        self.events += other.events;
        self.faults += other.faults;
        self.simulated += other.simulated;
        self.met.add(&other.met);
    }
}

/// A broken promise.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) case: Case,
    pub(crate) violation: String,
}

/// Simulates one case.
pub(crate) fn simulate(case: &Case, tampering: Tampering) -> Result<Report, Box<Failure>> {
    let mut random = Random::from_seed(case.seed);
    // The stream that plans are drawn from.
    random.fork();
    let runtime = runtime(case.seed);
    let run = AssertUnwindSafe(|| runtime.block_on(run(case.plan.clone(), random, tampering)));
    let ended = catch_unwind(run).unwrap_or_else(|panic| Err(panic_message(&*panic)));
    ended.map_err(|violation| Box::new(Failure { case: case.clone(), violation }))
}

/// A runtime in virtual time that draws from the seed.
pub(crate) fn runtime(seed: u64) -> Runtime {
    let mut builder = Builder::new_current_thread();
    builder.enable_time().start_paused(true);
    #[cfg(tokio_unstable)]
    builder.rng_seed(tokio::runtime::RngSeed::from_bytes(&seed.to_le_bytes()));
    #[cfg(not(tokio_unstable))]
    let _ = seed;
    builder.build().expect("a runtime")
}

async fn run(plan: Plan, mut random: Random, tampering: Tampering) -> Result<Report, String> {
    #[cfg(sim_bugs)]
    drop(take_reached());
    let world = World::new(plan, &mut random, tampering);
    let plan = &world.plan;
    for node in 0..plan.nodes {
        node::start(&world, node).await;
    }
    let answers = Arc::new(Run::default());
    let mut clients = JoinSet::new();
    for number in 0..plan.clients {
        let network = Network::new(&world);
        let client = Worker::new(&answers, random.fork(), network, number % 3 == 0);
        clients.spawn(client.work(plan.calls));
    }
    let mut watchers = JoinSet::new();
    for number in 0..plan.watchers {
        let (world, random) = (Arc::clone(&world), random.fork());
        watchers.spawn(Watcher { number, world, random, position: 0 }.watch());
    }
    let faults = task::spawn(bring_faults(Arc::clone(&world)));

    let is_late = |kind: &str| format!("{kind} did not finish in a healed world");
    let worked = timeout(CLIENTS_TIMEOUT, join(&mut clients)).await;
    faults.await.map_err(|error| error.to_string())?;
    worked.map_err(|_| is_late("a client"))??;
    sleep(SETTLE).await;
    check_violation(&world)?;
    check_nodes(&world).await?;
    let watched = timeout(CATCH_UP_TIMEOUT, join(&mut watchers)).await;
    watched.map_err(|_| is_late("a watcher"))??;
    check_violation(&world)?;
    let events = check_log(&world, &answers).await?;
    audit(&world, random.below(plan.nodes), &mut random).await?;
    for node in &world.nodes {
        node.serving().map_or(Ok(()), |serving| serving.check_calls())?;
        node.drop_application();
    }
    let history = answers.history();
    let unanswered = history.iter().filter(|entry| entry.outcome == Outcome::Nothing).count();
    let is_limit = |outcome: &Outcome| {
        matches!(outcome, Outcome::Refused { refusal: Refusal::TooManyPools { .. }, .. })
    };
    history.iter().filter(|entry| is_limit(&entry.outcome)).for_each(|_| {
        world.meet(Situation::LimitReached);
    });
    #[cfg(sim_bugs)]
    take_reached().into_iter().for_each(|branch| world.meet(Situation::Reached(branch)));
    Ok(Report {
        trace: world.traced(),
        calls: answers.answers(),
        unanswered,
        events,
        faults: plan.faults.len(),
        simulated: world.elapsed(),
        met: world.met(),
    })
}

/// No promise was broken at a landing or in a watch.
fn check_violation(world: &World) -> Result<(), String> {
    world.violation().map_or(Ok(()), Err)
}

/// Waits for all of them; a panic in one is a failure of the simulation.
pub(crate) async fn join(tasks: &mut JoinSet<()>) -> Result<(), String> {
    while let Some(ended) = tasks.join_next().await {
        ended.map_err(|error| match error.try_into_panic() {
            Ok(panic) => panic_message(&*panic),
            Err(error) => error.to_string(),
        })?;
    }
    Ok(())
}

/// Starts and ends every fault at its time, and ends all of them afterwards.
pub(crate) async fn bring_faults(world: Arc<World>) {
    let began = Instant::now();
    let mut faults = JoinSet::new();
    for fault in world.plan.faults.clone() {
        sleep_until(began + milliseconds(fault.at)).await;
        let duration = u64::try_from(fault.duration).expect("a small number");
        world.trace(Step::Fault, fault.node, duration);
        faults.spawn(bring_fault(Arc::clone(&world), fault));
    }
    faults.join_all().await;
    sleep(Duration::from_secs(1)).await;
    world.heal();
    for node in 0..world.plan.nodes {
        node::start(&world, node).await;
    }
}

async fn bring_fault(world: Arc<World>, fault: Fault) {
    let Fault { kind, node, duration, at: _ } = fault;
    let duration = milliseconds(duration);
    let place = &world.nodes[node];
    let counter = match kind {
        FaultKind::Crash => {
            place.kill();
            sleep(duration).await;
            return node::start(&world, node).await;
        }
        FaultKind::Stop => {
            node::stop(&world, node).await;
            sleep(duration).await;
            return node::start(&world, node).await;
        }
        FaultKind::LogPartition => &place.log_partitions,
        FaultKind::ClientPartition => &place.client_partitions,
        FaultKind::LogOutage => &world.outages,
        FaultKind::LogSilence => &world.silences,
    };
    counter.fetch_add(1, Ordering::Relaxed);
    sleep(duration).await;
    counter.fetch_sub(1, Ordering::Relaxed);
}

/// Every node reaches the end of the log and shows the state of a new projection of
/// it.
async fn check_nodes(world: &Arc<World>) -> Result<(), String> {
    for (number, node) in world.nodes.iter().enumerate() {
        let app = node.serving().ok_or_else(|| format!("node {number} does not serve"))?.app;
        check_node(world, number, &app).await?;
    }
    Ok(())
}

/// The node reaches the end of the log and shows the state of a new projection of it.
pub(crate) async fn check_node(world: &Arc<World>, number: usize, app: &App) -> Result<(), String> {
    let end = world.head();
    let source = Arc::new(SimulatedSource { world: Arc::clone(world), node: 0 });
    let settings = node::settings(world, &Metrics::new(&[]));
    let fresh = App::start_in_memory(world.log(), source, settings).await;
    let fresh = fresh.map_err(|error| error.to_string())?;
    let reached = timeout(CATCH_UP_TIMEOUT, async {
        while head(app) != end {
            sleep(Duration::from_millis(10)).await;
        }
    });
    let found = reached.await;
    found.map_err(|_| format!("node {number} is at {}, not at {end}", head(app)))?;
    if content(app).await != content(&fresh).await {
        return Err(format!("the read model of node {number} is not that of the log"));
    }
    Ok(())
}

fn head(app: &App) -> Head {
    app.history().head()
}

async fn content(app: &App) -> (PoolPage, Vec<Domain>) {
    let pools = app.find(&PoolFilter::default(), None, usize::MAX).await;
    let pools = pools.expect("a read model in memory");
    (pools, app.list_domains("", usize::MAX).expect("a read model in memory"))
}

/// The log is one chain and explains every answer. Returns the number of its events.
async fn check_log(world: &World, answers: &Run) -> Result<usize, String> {
    let mut before = Head::default();
    let mut log = Vec::new();
    for stored in world.records().await {
        let record = Record::parse(stored.stored).map_err(|defect| defect.to_string())?;
        record.check_follows(before).map_err(|defect| defect.to_string())?;
        before = record.head();
        log.push(recorded(UserPoolEvent::decode(record.body).map_err(|error| error.to_string())?));
    }
    let history = answers.history();
    check(&history, &log)
        .map_err(|objection| format!("{objection:?}, in {:?}", entry_of(&objection, &history)))?;
    Ok(log.len())
}
