//! Two applications share one log: each promise holds across both, and both end with
//! the same read model.

mod convergence;
pub(crate) mod engine;
mod forks;
mod health;
mod races;
mod reads;
mod stale_state;
mod turns;
mod unknown_outcomes;
mod unreachable_log;

use std::sync::Arc;

use futures_util::future::join_all;
use tempfile::TempDir;
use userpool::{
    app::{self, App, Context, ExecuteError, FollowItem, Outcome, Settings, WatchQuery},
    event_log::{EventLog, MemoryLog, Position},
    proto::{
        CreateUserPoolRequest, UpdateUserPoolRequest, UserPool, UserPoolEvent,
        WatchUserPoolEventsRequest, watch_user_pool_events_request::Start,
    },
    telemetry::{metrics::AppMetrics, spans::Tracer},
    user_pool::{CheckedCommand, Limits},
};

use crate::support::{FixedSource, domain, named};

/// The number of callers of each application.
const CALLERS: usize = 200;
/// How far apart the identifiers of the two applications begin.
const IDENTIFIERS: u64 = 100_000_000;

/// An application and its read model.
struct Node {
    app: Arc<App>,
    _directory: Option<TempDir>,
}

impl Node {
    /// Its read model is on the disk.
    async fn start(log: Arc<dyn EventLog>, number: u64) -> Self {
        let directory = TempDir::new().expect("a directory");
        let app =
            App::start(log, &directory.path().join("read_model"), source(number), settings()).await;
        Self { app: Arc::new(app.expect("started")), _directory: Some(directory) }
    }

    /// Its read model is in memory.
    async fn start_in_memory(log: Arc<dyn EventLog>, number: u64) -> Self {
        let app = App::start_in_memory(log, source(number), settings()).await;
        Self { app: Arc::new(app.expect("started")), _directory: None }
    }

    /// Waits until everything up to this position is visible.
    async fn wait_for(&self, position: Position) {
        let mut seen = follow(&self.app, 0).await;
        while seen.next().await.position < position.to_int() {}
    }
}

fn source(number: u64) -> Arc<FixedSource> {
    Arc::new(FixedSource::starting_at(number * IDENTIFIERS))
}

/// The settings of an application.
pub(crate) fn settings() -> Settings {
    Settings {
        region: "us-east-1".to_owned(),
        limits: Limits::default(),
        cache: app::CACHE,
        clock: app::ClockSettings::default(),
        reads: app::ReadSettings::default(),
        metrics: AppMetrics::default(),
        tracer: Tracer::default(),
    }
}

/// Two applications over one log.
struct Pair {
    log: Arc<MemoryLog>,
    nodes: [Node; 2],
}

impl Pair {
    async fn start() -> Self {
        let log = Arc::new(MemoryLog::default());
        let start = |number| Node::start(Arc::<MemoryLog>::clone(&log), number);
        let nodes = [start(0).await, start(1).await];
        Self { log, nodes }
    }

    /// Runs all commands at once, alternately on the two applications; returns the
    /// answers in order.
    async fn race(
        &self,
        commands: impl IntoIterator<Item = CheckedCommand>,
    ) -> Vec<Result<Outcome, ExecuteError>> {
        let run = |(index, command): (usize, CheckedCommand)| {
            let app = Arc::clone(&self.nodes[index % 2].app);
            tokio::spawn(async move { app.execute(command, Context::default()).await })
        };
        let running: Vec<_> = commands.into_iter().enumerate().map(run).collect();
        join_all(running).await.into_iter().map(|ended| ended.expect("no panic")).collect()
    }

    /// The IDs of this many new user pools, created in a race.
    async fn pools(&self, count: usize) -> Vec<String> {
        let created = self.race((0..count).map(|_| create(None))).await;
        created.into_iter().map(|created| id(&created.expect("created"))).collect()
    }

    /// Waits until both applications show the whole log.
    async fn wait_for_both(&self) {
        let end = self.log.head().borrow().position;
        for node in &self.nodes {
            node.wait_for(end).await;
        }
    }
}

/// A watch without its checkpoints.
struct Events(app::Follow);

async fn follow(app: &App, after: i64) -> Events {
    let start = Some(Start::AfterPosition(after));
    let watch = WatchQuery::parse(WatchUserPoolEventsRequest { start, ..Default::default() });
    Events(app.history().follow(watch.expect("a legal request")).await.expect("followed"))
}

impl Events {
    async fn next(&mut self) -> UserPoolEvent {
        loop {
            match self.0.next().await.expect("readable") {
                FollowItem::Event(event) => {
                    return prost::Message::decode(event).expect("an event");
                }
                FollowItem::Checkpoint { .. } => (),
                FollowItem::Draining => unreachable!("nobody stops the application"),
            }
        }
    }
}

fn create(request_id: Option<String>) -> CheckedCommand {
    let request = CreateUserPoolRequest { request_id, ..named("people") };
    CheckedCommand::create_user_pool(request, &Limits::default()).expect("a legal request")
}

fn tag(id: &str, team: &str, expected_revision: Option<i64>) -> CheckedCommand {
    let request = UpdateUserPoolRequest {
        user_pool_id: Some(id.to_owned()),
        user_pool_tags: [("team".to_owned(), team.to_owned())].into(),
        expected_revision,
        ..Default::default()
    };
    CheckedCommand::update_user_pool(request).expect("a legal request")
}

fn assign(id: &str, prefix: &str) -> CheckedCommand {
    CheckedCommand::create_user_pool_domain(domain(prefix, id)).expect("a legal request")
}

fn user_pool(outcome: &Outcome) -> UserPool {
    prost::Message::decode(outcome.user_pool.clone()).expect("a user pool")
}

fn id(outcome: &Outcome) -> String {
    user_pool(outcome).id.expect("an ID")
}
