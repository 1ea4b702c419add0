//! The log loses its end while it is used: after a restored backup any records, in a failover
//! those that were not durable yet. Every node that has seen a lost record ends, and no other
//! does. A failover loses nothing that was acknowledged.
//!
//! No node is started again here: these nodes have no files, so a new one has seen nothing.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::Duration,
};

use prost::Message as _;
use tokio::{
    task::{self, JoinSet},
    time::{sleep, timeout},
};
use userpool::{
    app::{App, Context, ExecuteError, Failure},
    event_log::{EventLog as _, Head, Position, ReadLimit, Record},
    proto::UserPoolEvent,
    telemetry::panic_message,
    user_pool::{CheckedCommand, Limits},
};

use crate::{
    linearizability::{Run, Worker, check, entry_of, history::Outcome, recorded},
    network::Network,
    node,
    plan::{Case, FaultKind, Plan, milliseconds},
    random::Random,
    simulation::{CLIENTS_TIMEOUT, Tampering, bring_faults, check_node, join, runtime},
    world::World,
};

/// How long a node may take to notice that the log has forked.
const NOTICE_TIMEOUT: Duration = Duration::from_mins(1);

/// The log of the simulation loses up to this many records.
const MAX_LOST: usize = 5;

/// What the log loses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Loss {
    /// Its last records.
    End,
    /// The records that are not durable.
    NotDurable,
}

/// Simulates one seed. Returns how many nodes had seen a lost record.
pub(crate) fn simulate(seed: u64, loss: Loss) -> Result<usize, String> {
    let mut plan = Case::draw(seed).plan;
    let random = Random::from_seed(seed);
    plan.faults.retain(|fault| !matches!(fault.kind, FaultKind::Crash | FaultKind::Stop));
    if loss == Loss::NotDurable {
        plan.rates.replication_delay = plan.rates.replication_delay.max(200);
    }
    let runtime = runtime(seed);
    let run = AssertUnwindSafe(|| runtime.block_on(run(plan, random, loss)));
    let ended = catch_unwind(run).unwrap_or_else(|panic| Err(panic_message(&*panic)));
    ended.map_err(|violation| format!("seed {seed}: {violation}"))
}

async fn run(plan: Plan, mut random: Random, loss: Loss) -> Result<usize, String> {
    let world = World::new(plan, &mut random, Tampering::default());
    let plan = &world.plan;
    for node in 0..plan.nodes {
        node::start(&world, node).await;
    }
    let answers = Arc::new(Run::default());
    let mut clients = JoinSet::new();
    for _ in 0..plan.clients {
        let client = Worker::new(&answers, random.fork(), Network::new(&world), false);
        clients.spawn(client.work(plan.calls));
    }
    let faults = task::spawn(bring_faults(Arc::clone(&world)));
    sleep(milliseconds(random.below(3000) + 100)).await;
    match loss {
        Loss::End => world.lose_end(random.below(MAX_LOST) + 1).await,
        Loss::NotDurable => world.fail_over().await,
    }
    let seen: Vec<Head> = apps(&world)?.iter().map(|app| app.history().head()).collect();

    let worked = timeout(CLIENTS_TIMEOUT, join(&mut clients)).await;
    worked.map_err(|_| "a client did not finish".to_owned())??;
    faults.await.map_err(|error| error.to_string())?;
    if loss == Loss::NotDurable {
        sleep(milliseconds(2000)).await;
        check_acknowledged(&world, &answers).await?;
    }
    let mut forked = 0;
    for (number, (app, seen)) in apps(&world)?.into_iter().zip(seen).enumerate() {
        // A read makes the node look.
        let _ = app.history().wait_to_read(None).await;
        let has_seen_lost = !has(&world, seen).await || !has(&world, app.history().head()).await;
        match timeout(NOTICE_TIMEOUT, app.failed()).await {
            // It may also have heard of a lost record without having shown it.
            Ok(Failure::Forked(fork)) if world.has_lost(fork.known) => {
                forked += 1;
                check_refusals(&app, number).await?;
            }
            Err(_) if !has_seen_lost => check_node(&world, number, &app).await?,
            Ok(failure) => return Err(format!("node {number} ended with {failure:?}")),
            Err(_) => return Err(format!("node {number} shows what the log does not have")),
        }
    }
    Ok(forked)
}

/// Everything that was acknowledged is in the log. What reads and refusals were based on may be
/// lost, if they came before it was durable.
async fn check_acknowledged(world: &World, answers: &Run) -> Result<(), String> {
    let mut history = answers.history();
    for entry in &mut history {
        if !matches!(entry.outcome, Outcome::Recorded { .. } | Outcome::NotRecorded) {
            entry.outcome = Outcome::Nothing;
        }
    }
    let records = world.records().await.into_iter();
    let event = |record: Record| UserPoolEvent::decode(record.body).expect("an event");
    let log: Vec<_> = records.map(|record| recorded(event(record))).collect();
    check(&history, &log)
        .map_err(|objection| format!("{objection:?}, in {:?}", entry_of(&objection, &history)))
}

/// The applications of all nodes.
fn apps(world: &World) -> Result<Vec<Arc<App>>, String> {
    let nodes = world.nodes.iter().enumerate();
    let app = |(number, node): (usize, &node::Node)| {
        let serving = node.serving().ok_or_else(|| format!("node {number} does not serve"))?;
        Ok(serving.app)
    };
    nodes.map(app).collect()
}

/// Whether the log has this head, or had it at some time.
async fn has(world: &World, head: Head) -> bool {
    if head.position == Position::START {
        return true;
    }
    let before = Position(head.position.0 - 1);
    let read = world.log().read(before, ReadLimit { records: 1, bytes: 0 }).await;
    read.expect("a log in memory").first().map(Record::head) == Some(head)
}

/// A node that has noticed the fork answers nothing more.
async fn check_refusals(app: &App, number: usize) -> Result<(), String> {
    if app.history().wait_to_read(Some(Position::START)).await.is_ok() {
        return Err(format!("node {number} answers a read after the fork"));
    }
    let request = userpool::proto::CreateUserPoolRequest {
        pool_name: Some("late".to_owned()),
        ..Default::default()
    };
    let command = CheckedCommand::create_user_pool(request, &Limits::default());
    let command = command.expect("a legal request");
    match app.execute(command, Context::default()).await {
        Err(ExecuteError::Forked(_)) => Ok(()),
        answer => Err(format!("node {number} answers a command with {answer:?} after the fork")),
    }
}

#[test]
fn a_fork_ends_every_node_that_has_seen_what_is_lost() {
    for loss in [Loss::End, Loss::NotDurable] {
        let simulate = |seed| match simulate(seed, loss) {
            Ok(forked) => forked,
            Err(violation) => unreachable!("{loss:?}: {violation}"),
        };
        let forked: usize = (0..crate::SEEDS).map(simulate).sum();
        eprintln!("{loss:?}: {} seeds: {forked} nodes had seen what was lost", crate::SEEDS);
        assert!(forked > 0 || crate::SEEDS < 100, "{loss:?}");
    }
}
