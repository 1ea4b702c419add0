//! Many clients call at once, some cancel calls, and the server is killed repeatedly:
//! their answers are those that one client after the other would get, in the order of
//! the log.
//!
//! The model checks a history; `objections` tests that check.

#[path = "../linearizability/mod.rs"]
mod model;
mod objections;

use std::sync::Arc;

use tempfile::TempDir;
use tokio::task::JoinSet;
use tonic::transport::Channel;
use userpool::proto::{
    DescribeUserPoolRequest, EventView, ListUserPoolEventsRequest, ReplayUserPoolRequest,
    UserPoolEvent, replay_user_pool_request::AsOf,
    user_pool_history_service_client::UserPoolHistoryServiceClient,
};

pub(crate) use self::model::{Run, Worker};
use self::model::{check, entry_of, history::Outcome, recorded};
use crate::{
    binary::Process,
    calls::Call,
    random::{Random, rounds},
    support::{TestServer, create},
};

const CONNECTIONS: usize = 4;
const WORKERS: usize = 24;
/// The number of calls per client.
const QUESTIONS: usize = 40;

#[tokio::test(flavor = "multi_thread")]
async fn the_answers_to_many_clients_are_linearizable() {
    let mut random = Random::seeded();
    for _ in 0..rounds(2) {
        let server = TestServer::start().await;
        let run = Arc::new(Run::default());
        let mut channels = Vec::new();
        for _ in 0..CONNECTIONS {
            channels.push(server.channel().await);
        }
        start(&run, &mut random, &channels, QUESTIONS).join_all().await;
        agree(&run, &channels[0]).await;
        server.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_answers_are_linearizable_across_kill_9() {
    let mut random = Random::seeded();
    for _ in 0..rounds(2) {
        let directory = TempDir::new().expect("a directory");
        let run = Arc::new(Run::default());
        for _ in 0..4 {
            let server = Process::start(directory.path()).await;
            let mut channels = Vec::new();
            for _ in 0..CONNECTIONS {
                channels.push(server.channel().await);
            }
            let clients = start(&run, &mut random, &channels, usize::MAX);
            let enough = run.answers() + 100 + random.below(300);
            while run.answers() < enough {
                tokio::task::yield_now().await;
            }
            server.kill().await;
            clients.join_all().await;
        }
        let server = Process::start(directory.path()).await;
        agree(&run, &server.channel().await).await;
        server.kill().await;
    }
}

/// User pools and history are two services with one state.
#[tokio::test(flavor = "multi_thread")]
async fn a_described_change_is_in_the_history() {
    let server = TestServer::start().await;
    let pool = create(&mut server.client().await, "people").await;
    let mut writers = JoinSet::new();
    for writer in 0..4 {
        let (mut client, pool) = (server.client().await, pool.clone());
        writers.spawn(async move {
            for turn in 0.. {
                let call = Call::tag(&pool, &format!("{writer}-{turn}"));
                call.send(&mut client).await.expect("updated");
            }
        });
    }
    let mut client = server.client().await;
    let mut history = UserPoolHistoryServiceClient::new(server.channel().await);
    for _ in 0..rounds(1) * 100 {
        let request = DescribeUserPoolRequest {
            user_pool_id: Some(pool.clone()),
            ..DescribeUserPoolRequest::default()
        };
        let described = client.describe_user_pool(request).await.expect("there").into_inner();
        let as_of = Some(AsOf::Position(described.position));
        let replay = ReplayUserPoolRequest {
            user_pool_id: Some(pool.clone()),
            as_of,
            ..ReplayUserPoolRequest::default()
        };
        let replayed = history.replay_user_pool(replay).await.expect("replayed").into_inner();
        assert_eq!(replayed.user_pool, described.user_pool);
    }
    writers.shutdown().await;
    server.stop().await;
}

/// Clients that make this many calls each, or stop when the server is gone.
fn start(run: &Arc<Run>, random: &mut Random, channels: &[Channel], times: usize) -> JoinSet<()> {
    let mut clients = JoinSet::new();
    for number in 0..WORKERS {
        let channel = channels[number % channels.len()].clone();
        let impatient = number % 3 == 0;
        clients.spawn(Worker::new(run, random.fork(), channel, impatient).work(times));
    }
    clients
}

/// Checks the answers against the log.
pub(crate) async fn agree(run: &Run, channel: &Channel) {
    let log: Vec<_> = log(channel).await.into_iter().map(recorded).collect();
    let history = run.history();
    let unanswered = history.iter().filter(|entry| entry.outcome == Outcome::Nothing).count();
    eprintln!("{} answers, {unanswered} without, {} events", history.len(), log.len());
    let found = check(&history, &log);
    let entry = found.as_ref().err().and_then(|objection| entry_of(objection, &history));
    assert_eq!(found, Ok(()), "{entry:?}");
}

/// The whole log, as the server lists it.
pub(crate) async fn log(channel: &Channel) -> Vec<UserPoolEvent> {
    let mut client = UserPoolHistoryServiceClient::new(channel.clone());
    let mut events = Vec::new();
    let mut page_token = String::new();
    loop {
        let request = ListUserPoolEventsRequest {
            page_size: 1000,
            page_token,
            view: EventView::Full.into(),
            ..Default::default()
        };
        let page = client.list_user_pool_events(request).await.expect("a page").into_inner();
        events.extend(page.events);
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return events;
        }
    }
}
