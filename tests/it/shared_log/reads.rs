//! What a read shows on one of several servers, and how long it waits for that.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use futures_util::future::{FutureExt as _, join_all};
use tokio::{
    task::{JoinHandle, yield_now},
    time::Instant,
};
use tonic::{Code, Status};
use userpool::{
    app::{ReadMode, ReadSettings},
    event_log::{EventLog as _, MemoryLog},
    proto::{
        DeleteUserPoolRequest, DescribeLogRequest, DescribeUserPoolRequest,
        DescribeUserPoolResponse, HashAnchor, ListUserPoolEventsRequest, ReplayUserPoolRequest,
        RestoreUserPoolRequest, VerifyUserPoolHistoryRequest, WatchUserPoolEventsRequest,
        replay_user_pool_request::AsOf,
        user_pool_history_service_client::UserPoolHistoryServiceClient,
        watch_user_pool_events_request::Start,
    },
};

use super::{IDENTIFIERS, Node, engine::Engine};
use crate::support::{Client, FixedSource, TestServer, create, metadata, reason};

/// Two servers on one log.
struct Servers {
    log: Arc<MemoryLog>,
    /// The connection of the second one, which hears of a record only when it asks.
    engine: Arc<Engine>,
    first: TestServer,
    second: TestServer,
}

impl Servers {
    async fn start(reads: ReadSettings) -> Self {
        let log = Arc::new(MemoryLog::default());
        let engine = Engine::on(&log);
        let first = TestServer::on(Arc::<MemoryLog>::clone(&log)).await;
        let source = FixedSource::starting_at(IDENTIFIERS);
        let connection = Arc::<Engine>::clone(&engine);
        let second = TestServer::on_with(connection, source, |config| config.reads = reads).await;
        Self { log, engine, first, second }
    }

    async fn create(&self, name: &str) -> String {
        create(&mut self.first.client().await, name).await
    }

    /// A read on the second server, while that reads the log up to this position only. The engine
    /// must be told so before the next record: each server asks for the end of the log once a second.
    async fn behind<T: Send + 'static>(
        &self,
        readable: u64,
        read: impl Future<Output = T> + Send + 'static,
    ) -> JoinHandle<T> {
        self.engine.read_up_to(readable);
        let missing = self.engine.missing.load(Ordering::Relaxed);
        let read = tokio::spawn(read);
        while self.engine.missing.load(Ordering::Relaxed) < missing + 2 {
            yield_now().await;
        }
        assert!(!read.is_finished(), "it waits");
        read
    }

    async fn stop(self) {
        self.engine.read_up_to(u64::MAX);
        self.engine.cut(false);
        self.first.stop().await;
        self.second.stop().await;
    }
}

async fn describe(
    mut client: Client,
    id: String,
    min_position: Option<i64>,
) -> Result<DescribeUserPoolResponse, Status> {
    let request = DescribeUserPoolRequest { user_pool_id: Some(id), min_position };
    client.describe_user_pool(request).await.map(tonic::Response::into_inner)
}

fn mode(mode: ReadMode) -> ReadSettings {
    ReadSettings { mode, ..ReadSettings::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_shows_what_another_server_acknowledged() {
    for mode in [ReadMode::Latest, ReadMode::Strict].map(mode) {
        let servers = Servers::start(mode).await;
        for name in ["one", "two", "three"] {
            let id = servers.create(name).await;
            let shown = describe(servers.second.client().await, id, None).await.expect("shown");
            assert_eq!(shown.head_position, shown.position);
        }
        let durable_heads = servers.engine.durable_heads.load(Ordering::Relaxed);
        assert_eq!(durable_heads > 0, mode.mode == ReadMode::Strict);
        servers.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_strict_read_believes_no_former_primary() {
    let servers = Servers::start(mode(ReadMode::Strict)).await;
    servers.create("one").await;
    let former = *servers.log.head().borrow();
    let id = servers.create("two").await;
    servers.engine.ask_former_primary(former);

    let mut second = servers.second.client().await;
    let shown = describe(second.clone(), id.clone(), None).await.expect("shown");
    assert_eq!((shown.position, shown.head_position), (2, 2));

    // A refusal shows the state, too.
    let delete = || DeleteUserPoolRequest { user_pool_id: Some(id.clone()), ..Default::default() };
    servers.first.client().await.delete_user_pool(delete()).await.expect("deleted");
    let refused = second.delete_user_pool(delete()).await.expect_err("it is deleted");
    assert_eq!(refused.code(), Code::NotFound);
    servers.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_waits_until_its_server_has_read_the_log() {
    let servers = Servers::start(ReadSettings::default()).await;
    let first = servers.create("one").await;
    servers.engine.read_up_to(1);
    let second = servers.create("two").await;

    let read = describe(servers.second.client().await, second, None);
    let read = servers.behind(1, read).await;
    // One that needs less does not wait.
    let shown = describe(servers.second.client().await, first, Some(1)).await.expect("shown");
    assert_eq!(shown.head_position, 1);
    servers.engine.read_up_to(2);

    assert_eq!(read.await.expect("no panic").expect("shown").position, 2);
    servers.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_that_waits_too_long_is_refused() {
    let servers = Servers::start(ReadSettings::default()).await;
    servers.engine.read_up_to(0);
    let id = servers.create("one").await;

    let client = servers.second.client().await;
    let reads = [None, Some(1)].map(|position| describe(client.clone(), id.clone(), position));
    for read in join_all(reads).await {
        let refused = read.expect_err("behind");
        assert_eq!((refused.code(), reason(&refused).as_str()), (Code::Unavailable, "BEHIND"));
        let told = ["requested", "current"].map(|key| metadata(&refused, key).expect("a number"));
        assert_eq!(told, ["1", "0"]);
    }
    servers.stop().await;
}

#[tokio::test]
async fn reads_share_one_question() {
    let engine = Engine::on(&Arc::default());
    let node = Node::start_in_memory(Arc::<Engine>::clone(&engine), 0).await;
    let asked = || engine.asked.load(Ordering::Relaxed);
    let before = asked();
    engine.answer_none();
    let mut reads: Vec<_> =
        (0..51).map(|_| Box::pin(node.app.history().wait_to_read(None))).collect();
    let (first, others) = reads.split_first_mut().expect("reads");

    assert!(first.as_mut().now_or_never().is_none());
    while asked() == before {
        yield_now().await;
    }
    for read in others {
        assert!(read.as_mut().now_or_never().is_none());
    }
    engine.answer_all();
    for read in join_all(reads).await {
        read.expect("answered");
    }

    // The first one's, which was sent before the others came, and theirs.
    assert_eq!(asked() - before, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_with_a_position_asks_nothing() {
    let servers = Servers::start(ReadSettings::default()).await;
    let id = servers.create("one").await;
    let client = servers.second.client().await;
    describe(client.clone(), id.clone(), None).await.expect("shown");
    let before = servers.engine.asked.load(Ordering::Relaxed);

    servers.engine.cut(true);
    describe(client.clone(), id.clone(), Some(1)).await.expect("shown");

    assert_eq!(servers.engine.asked.load(Ordering::Relaxed), before);
    servers.engine.cut(false);
    // Only the log knows whether there is a later one.
    let refused = describe(client, id, Some(2)).await.expect_err("beyond the end");
    assert_eq!((refused.code(), reason(&refused).as_str()), (Code::OutOfRange, "BEYOND_END"));
    assert!(servers.engine.asked.load(Ordering::Relaxed) > before);
    servers.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_local_read_shows_what_its_server_has() {
    let servers = Servers::start(mode(ReadMode::Local)).await;
    let id = servers.create("one").await;
    servers.engine.cut(true);
    let client = servers.second.client().await;

    let refused = describe(client.clone(), id.clone(), None).await.expect_err("not read yet");
    assert_eq!(reason(&refused), "USER_POOL_NOT_FOUND");
    servers.engine.cut(false);
    // With a position, it waits for that.
    assert_eq!(describe(client.clone(), id.clone(), Some(1)).await.expect("shown").position, 1);
    assert_eq!(describe(client.clone(), id.clone(), None).await.expect("shown").position, 1);

    let long_ago = Instant::now().checked_sub(Duration::from_secs(6));
    *servers.engine.last_contact.lock().expect("no panic") = long_ago;
    let refused = describe(client, id, None).await.expect_err("stale");
    assert_eq!((refused.code(), reason(&refused).as_str()), (Code::Unavailable, "LOG_UNREACHABLE"));
    assert!(refused.message().contains("6s, which is longer than --max-staleness 5s"), "{refused}");
    servers.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_cannot_reach_the_log_says_so() {
    let servers = Servers::start(ReadSettings::default()).await;
    let id = servers.create("one").await;
    let client = servers.second.client().await;
    describe(client.clone(), id.clone(), None).await.expect("shown");
    servers.engine.cut(true);

    let refused = describe(client, id, None).await.expect_err("unreachable");

    assert_eq!((refused.code(), reason(&refused).as_str()), (Code::Unavailable, "LOG_UNREACHABLE"));
    let mut history = UserPoolHistoryServiceClient::new(servers.second.channel().await);
    let log = history.describe_log(DescribeLogRequest::default()).await.expect("answered");
    assert_eq!(log.into_inner().head.expect("a head").position, 1);
    servers.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_waits_for_the_position_that_it_resumes_after() {
    let servers = Servers::start(ReadSettings::default()).await;
    for name in ["one", "two"] {
        servers.create(name).await;
    }
    let mut history = UserPoolHistoryServiceClient::new(servers.second.channel().await);
    let after = |position| WatchUserPoolEventsRequest {
        start: Some(Start::AfterPosition(position)),
        ..Default::default()
    };
    let refused = history.watch_user_pool_events(after(3)).await.expect_err("beyond the end");
    assert_eq!(reason(&refused), "BEYOND_END");
    assert_eq!(metadata(&refused, "current").as_deref(), Some("2"));
    servers.engine.read_up_to(2);
    servers.create("three").await;

    let mut watching = history.clone();
    let watch = async move { watching.watch_user_pool_events(after(3)).await };
    let watch = servers.behind(2, watch).await;
    servers.engine.read_up_to(3);

    let mut watch = watch.await.expect("no panic").expect("resumed").into_inner();
    let told = watch.message().await.expect("a message").expect("a checkpoint");
    let position = |content| match content {
        userpool::proto::watch_user_pool_events_response::Content::Checkpoint(it) => it.position,
        userpool::proto::watch_user_pool_events_response::Content::Event(it) => it.position,
    };
    assert_eq!(told.content.map(position), Some(3));
    drop(watch);
    servers.stop().await;
}

/// What only another server shows so far is waited for, also where the request has a position
/// that this server shows.
#[tokio::test(flavor = "multi_thread")]
async fn the_history_waits_for_what_it_is_asked_for() {
    let servers = Servers::start(ReadSettings::default()).await;
    let id = servers.create("one").await;
    let mut ahead = UserPoolHistoryServiceClient::new(servers.first.channel().await);
    let behind = UserPoolHistoryServiceClient::new(servers.second.channel().await);
    describe(servers.second.client().await, id.clone(), Some(1)).await.expect("shown");
    servers.engine.read_up_to(1);
    let mut client = servers.first.client().await;
    for revision in 2..=3 {
        let request = userpool::proto::UpdateUserPoolRequest {
            user_pool_id: Some(id.clone()),
            user_pool_tags: [("team".to_owned(), revision.to_string())].into(),
            ..Default::default()
        };
        client.update_user_pool(request).await.expect("updated");
    }

    // The second page of a list that began on the other server.
    let list =
        ListUserPoolEventsRequest { page_size: 2, min_position: Some(1), ..Default::default() };
    let page = ahead.list_user_pool_events(list.clone()).await.expect("listed").into_inner();
    let second = ListUserPoolEventsRequest { page_token: page.next_page_token, ..list };
    let mut listing = behind.clone();
    let read = async move { listing.list_user_pool_events(second).await };
    let read = servers.behind(1, read).await;
    servers.engine.read_up_to(2);
    servers.engine.read_up_to(3);
    let page = read.await.expect("no panic").expect("listed").into_inner();
    let positions: Vec<_> = page.events.iter().map(|event| event.position).collect();
    assert_eq!(positions, [3]);

    let mut client = servers.first.client().await;
    let request = userpool::proto::UpdateUserPoolRequest {
        user_pool_id: Some(id.clone()),
        user_pool_tags: [("team".to_owned(), "4".to_owned())].into(),
        ..Default::default()
    };
    client.update_user_pool(request).await.expect("updated");
    let replay = ReplayUserPoolRequest {
        user_pool_id: Some(id.clone()),
        as_of: Some(AsOf::Revision(4)),
        min_position: Some(1),
    };
    let mut replaying = behind.clone();
    let read = async move { replaying.replay_user_pool(replay).await };
    let read = servers.behind(3, read).await;
    servers.engine.read_up_to(4);
    assert_eq!(read.await.expect("no panic").expect("replayed").into_inner().position, 4);

    // An anchor of the other server is compared, not reported as lost.
    let restore =
        RestoreUserPoolRequest { user_pool_id: Some(id), revision: Some(1), ..Default::default() };
    client.restore_user_pool(restore).await.expect("restored");
    let described = ahead.describe_log(DescribeLogRequest::default()).await.expect("described");
    let anchor: Option<HashAnchor> = described.into_inner().head;
    let verify = VerifyUserPoolHistoryRequest { expected: anchor.clone(), min_position: Some(1) };
    let mut verifying = behind.clone();
    let read = async move { verifying.verify_user_pool_history(verify).await };
    let read = servers.behind(4, read).await;
    servers.engine.read_up_to(5);
    let verified = read.await.expect("no panic").expect("verified").into_inner();
    assert!(verified.valid);
    assert_eq!(verified.head, anchor);
    servers.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_restores_what_another_one_recorded() {
    let servers = Servers::start(mode(ReadMode::Local)).await;
    let id = servers.create("one").await;
    let mut client = servers.second.client().await;

    let restore =
        RestoreUserPoolRequest { user_pool_id: Some(id), revision: Some(1), ..Default::default() };
    let restored = client.restore_user_pool(restore).await.expect("restored").into_inner();

    assert_eq!(restored.revision, 1);
    assert_eq!(userpool::event_log::EventLog::head(&*servers.log).borrow().position.0, 1);
    servers.stop().await;
}
