//! A watch sends each event once and in order, old and then new ones, and a slow
//! reader costs nobody else anything.

use std::sync::Arc;

use tokio::task::JoinSet;
use tonic::{Code, Status, Streaming, transport::Channel};
use userpool::{
    audit::{MismatchCause, Verifier},
    proto::{
        CreateUserPoolRequest, DescribeUserPoolRequest, EventView, ListUserPoolEventsRequest,
        UserPoolEvent, UserPoolEventFilter, UserPoolEventType, WatchCheckpoint,
        WatchUserPoolEventsRequest, WatchUserPoolEventsResponse,
        user_pool_history_service_client::UserPoolHistoryServiceClient,
        watch_user_pool_events_request::Start, watch_user_pool_events_response::Content,
    },
};

use crate::{
    calls::Call,
    support::{TestServer, create, domain, fields, metadata, named, reason},
};

/// The messages of a watch.
struct Watch(Streaming<WatchUserPoolEventsResponse>);

fn after(position: i64) -> WatchUserPoolEventsRequest {
    WatchUserPoolEventsRequest { start: Some(Start::AfterPosition(position)), ..Default::default() }
}

async fn watch(channel: Channel, request: WatchUserPoolEventsRequest) -> Result<Watch, Status> {
    let mut client = UserPoolHistoryServiceClient::new(channel);
    Ok(Watch(client.watch_user_pool_events(request).await?.into_inner()))
}

impl Watch {
    async fn content(&mut self) -> Result<Content, Status> {
        let message = self.0.message().await?.expect("a watch ends with a status");
        Ok(message.content.expect("content"))
    }

    async fn event(&mut self) -> UserPoolEvent {
        loop {
            if let Content::Event(event) = self.content().await.expect("content") {
                return *event;
            }
        }
    }

    async fn checkpoint(&mut self) -> WatchCheckpoint {
        let content = self.content().await.expect("content");
        let Content::Checkpoint(checkpoint) = content else {
            unreachable!("a checkpoint, not {content:?}")
        };
        checkpoint
    }

    /// The next events, which must have these positions.
    async fn expect(&mut self, positions: std::ops::RangeInclusive<i64>) {
        for position in positions {
            assert_eq!(self.event().await.position, position);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_continues_from_old_to_new_events_without_a_gap() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    for number in 0..100 {
        create(&mut client, &format!("past-{number}")).await;
    }
    let writing = tokio::spawn(async move {
        for number in 0..200 {
            create(&mut client, &format!("present-{number}")).await;
        }
    });
    let mut watch = watch(server.channel().await, after(0)).await.expect("a watch");
    watch.expect(1..=300).await;
    writing.await.expect("written");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn caught_up_is_sent_once_with_a_position_to_resume_from() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    for name in ["a", "b", "c"] {
        create(&mut client, name).await;
    }
    let mut first = watch(server.channel().await, after(1)).await.expect("a watch");
    first.expect(2..=3).await;
    let checkpoint = first.checkpoint().await;
    assert_eq!((checkpoint.position, checkpoint.caught_up), (3, true));
    create(&mut client, "d").await;
    first.expect(4..=4).await;

    let mut resumed = watch(server.channel().await, after(3)).await.expect("a watch");
    resumed.expect(4..=4).await;
    let mut from_now = watch(server.channel().await, WatchUserPoolEventsRequest::default())
        .await
        .expect("a watch");
    let checkpoint = from_now.checkpoint().await;
    assert_eq!((checkpoint.position, checkpoint.caught_up), (4, true));
    create(&mut client, "e").await;
    from_now.expect(5..=5).await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_filtered_watch_sends_matches_and_checkpoints() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    let people = create(&mut client, "people").await;
    for name in ["a", "b"] {
        create(&mut client, name).await;
    }
    let filter = UserPoolEventFilter {
        user_pool_id: Some(people.clone()),
        types: vec![UserPoolEventType::UserPoolDomainCreated.into()],
        ..Default::default()
    };
    let request = WatchUserPoolEventsRequest { filter: Some(filter), ..after(0) };
    let mut watch = watch(server.channel().await, request).await.expect("a watch");
    let checkpoint = watch.checkpoint().await;
    assert_eq!((checkpoint.position, checkpoint.caught_up), (3, true));
    create(&mut client, "c").await;
    client.create_user_pool_domain(domain("people-login", &people)).await.expect("a domain");
    watch.expect(5..=5).await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_watch_sends_a_checkpoint_at_its_interval() {
    let server = TestServer::start().await;
    create(&mut server.client().await, "a").await;
    let request = WatchUserPoolEventsRequest { checkpoint_interval_seconds: 1, ..after(1) };
    let mut watch = watch(server.channel().await, request).await.expect("a watch");
    for _ in 0..2 {
        let checkpoint = watch.checkpoint().await;
        assert_eq!((checkpoint.position, checkpoint.caught_up), (1, true));
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn describe_shows_an_event_that_a_watch_has_sent() {
    let server = TestServer::start().await;
    let mut watch = watch(server.channel().await, after(0)).await.expect("a watch");
    let mut writer = server.client().await;
    let mut reader = server.client().await;
    let writing = tokio::spawn(async move {
        for number in 0..100 {
            create(&mut writer, &format!("pool-{number}")).await;
        }
    });
    for _ in 0..100 {
        let event = watch.event().await;
        let described = DescribeUserPoolRequest {
            user_pool_id: Some(event.user_pool_id),
            ..DescribeUserPoolRequest::default()
        };
        let described = reader.describe_user_pool(described).await.expect("there").into_inner();
        assert_eq!(described.position, event.position);
    }
    writing.await.expect("written");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unread_watch_delays_no_other_and_misses_nothing() {
    let server = TestServer::start().await;
    let mut slow = watch(server.channel().await, after(0)).await.expect("a watch");
    let mut quick = watch(server.channel().await, after(0)).await.expect("a watch");
    // More than the flow-control windows of a connection hold.
    let message = format!("{{####}}{}", "x".repeat(19_994));
    let mut client = server.client().await;
    for position in 1..=200 {
        let large = CreateUserPoolRequest {
            email_verification_message: Some(message.clone()),
            ..named("large")
        };
        client.create_user_pool(large).await.expect("a user pool");
        quick.expect(position..=position).await;
    }
    slow.expect(1..=200).await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_records_of_a_watch_verify() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    for name in ["a", "b", "c"] {
        create(&mut client, name).await;
    }
    let request = WatchUserPoolEventsRequest { include_records: true, ..after(0) };
    let mut watch = watch(server.channel().await, request).await.expect("a watch");
    let mut verifier = Verifier::default();
    for _ in 0..3 {
        let event = watch.event().await;
        let mut changed = event.clone();
        changed.user_pool_id.push('x');
        let refused = verifier.push_event(&changed).expect_err("another event than the record's");
        assert!(matches!(refused.cause, MismatchCause::EventChanged(_)), "{refused:?}");
        verifier.push_event(&event).expect("the record of the event");
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_ends_with_a_reason_when_the_server_stops() {
    let server = TestServer::start().await;
    create(&mut server.client().await, "a").await;
    let mut idle = watch(server.channel().await, after(0)).await.expect("a watch");
    idle.expect(1..=1).await;
    idle.checkpoint().await;
    let stopping = tokio::spawn(server.stop());
    let ended = idle.content().await.expect_err("the end");
    assert_eq!((ended.code(), reason(&ended).as_str()), (Code::Unavailable, "SHUTTING_DOWN"));
    stopping.await.expect("stopped");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invalid_watch_is_refused() {
    let server = TestServer::start().await;
    create(&mut server.client().await, "a").await;
    let beyond = watch(server.channel().await, after(2)).await.err().expect("refused");
    assert_eq!((beyond.code(), reason(&beyond).as_str()), (Code::OutOfRange, "BEYOND_END"));

    let unknown = UserPoolEventFilter {
        user_pool_id: Some("us-east-1_AbCdEfGhI".to_owned()),
        ..Default::default()
    };
    let request = WatchUserPoolEventsRequest { filter: Some(unknown), ..after(0) };
    let unknown = watch(server.channel().await, request).await.err().expect("refused");
    assert_eq!(reason(&unknown), "USER_POOL_NOT_FOUND");

    let time = Some(prost_types::Timestamp::default());
    let filter = UserPoolEventFilter { start_time: time, end_time: time, ..Default::default() };
    let request = WatchUserPoolEventsRequest {
        filter: Some(filter),
        checkpoint_interval_seconds: 301,
        ..after(-1)
    };
    let refused = watch(server.channel().await, request).await.err().expect("refused");
    let expected =
        ["filter.start_time", "filter.end_time", "after_position", "checkpoint_interval_seconds"];
    assert_eq!(fields(&refused), expected);
    server.stop().await;
}

/// Every event and every checkpoint has the hash to resume with.
#[tokio::test(flavor = "multi_thread")]
async fn a_watch_resumes_only_in_the_log_with_the_hash_that_it_knows() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    for name in ["a", "b"] {
        create(&mut client, name).await;
    }
    let mut first = watch(server.channel().await, after(0)).await.expect("a watch");
    let hashes = [vec![0; 32], first.event().await.hash, first.event().await.hash];
    assert_eq!(first.checkpoint().await.hash, hashes[2]);
    for (position, hash) in (0..).zip(&hashes) {
        let request = WatchUserPoolEventsRequest { after_hash: hash.clone(), ..after(position) };
        let mut resumed = watch(server.channel().await, request).await.expect("the same log");
        resumed.expect(position + 1..=2).await;
        assert_eq!(resumed.checkpoint().await.hash, hashes[2]);

        let request = WatchUserPoolEventsRequest { after_hash: vec![9; 32], ..after(position) };
        let refused = watch(server.channel().await, request).await.err().expect("another log");
        assert_eq!(
            (refused.code(), reason(&refused).as_str()),
            (Code::FailedPrecondition, "WRONG_LOG")
        );
        assert_eq!(metadata(&refused, "position"), Some(position.to_string()));
        assert_eq!(metadata(&refused, "expected_hash"), Some("09".repeat(32)));
        assert_eq!(metadata(&refused, "found_hash"), Some(data_encoding::HEXLOWER.encode(hash)));
    }
    let request = WatchUserPoolEventsRequest { after_hash: vec![9; 31], ..Default::default() };
    let refused = watch(server.channel().await, request).await.err().expect("refused");
    assert_eq!(fields(&refused), ["after_position", "after_hash"]);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_watchers_get_every_event_once_and_in_order() {
    watched(50, 400).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes: tests/run -- --ignored"]
async fn a_thousand_watchers_get_ten_thousand_events_in_order() {
    watched(1000, 10_000).await;
}

/// This many watchers while this many commands run, eight at a time.
async fn watched(watchers: usize, commands: i64) {
    let server = TestServer::start().await;
    let mut channels = Vec::new();
    for _ in 0..watchers.div_ceil(50) {
        channels.push(server.channel().await);
    }
    let mut watching = JoinSet::new();
    for watcher in 0..watchers {
        let channel = channels[watcher % channels.len()].clone();
        let mut watch = watch(channel, after(0)).await.expect("a watch");
        watching.spawn(async move { watch.expect(1..=commands).await });
    }
    let client = Arc::new(server.client().await);
    let mut writing = JoinSet::new();
    for writer in 0..8 {
        let client = Arc::clone(&client);
        writing.spawn(async move {
            let mut client = client.as_ref().clone();
            for number in (0..commands).filter(|number| number % 8 == writer) {
                create(&mut client, &format!("pool-{number}")).await;
            }
        });
    }
    writing.join_all().await;
    watching.join_all().await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_of_summaries_has_those_of_a_list() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    let summaries = |position| WatchUserPoolEventsRequest {
        view: EventView::Summary.into(),
        ..after(position)
    };
    let mut new = watch(server.channel().await, summaries(0)).await.expect("a watch");
    let ids = [create(&mut client, "people").await, create(&mut client, "staff").await];
    for team in ["one", "two"] {
        for id in &ids {
            Call::set_tag(id, "team", team).send(&mut client).await.expect("tagged");
        }
    }
    let list =
        |view: EventView| ListUserPoolEventsRequest { view: view.into(), ..Default::default() };
    let mut history = UserPoolHistoryServiceClient::new(server.channel().await);
    let mut listed = async |view| {
        history.list_user_pool_events(list(view)).await.expect("a page").into_inner().events
    };
    let (whole, expected) = (listed(EventView::Full).await, listed(EventView::Summary).await);
    assert_eq!(expected[5].changes[0].old_value.as_deref(), Some("one"));

    // From memory as they are recorded, and from the log.
    for expected in &expected {
        let mut event = new.event().await;
        event.hash.clear();
        assert_eq!(event, *expected);
    }
    let restarted = server.restart().await;
    let mut old = watch(restarted.channel().await, summaries(0)).await.expect("a watch");
    for (expected, whole) in expected.iter().zip(&whole) {
        let mut event = old.event().await;
        // A client resumes after it.
        assert_eq!(event.hash, whole.hash);
        event.hash.clear();
        assert_eq!(event, *expected);
    }
    let filter = UserPoolEventFilter { user_pool_id: Some(ids[1].clone()), ..Default::default() };
    let of_staff = WatchUserPoolEventsRequest { filter: Some(filter), ..summaries(0) };
    let mut of_staff = watch(restarted.channel().await, of_staff).await.expect("a watch");
    for position in [2, 4, 6] {
        assert_eq!(of_staff.event().await.changes, expected[position - 1].changes);
    }
    let both = WatchUserPoolEventsRequest { include_records: true, ..summaries(0) };
    let refused = watch(restarted.channel().await, both).await.err().expect("refused");
    assert_eq!(fields(&refused), ["view"]);
    restarted.stop().await;
}
