//! Watchers that begin anywhere, filter, cancel and resume, while commands run and
//! the server is killed: each gets every requested event, once and in the order of
//! the log, and no checkpoint is ahead of its events.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
};

use tempfile::TempDir;
use tokio::{sync::watch, task::JoinSet};
use tonic::transport::Channel;
use userpool::proto::{
    EventView, ListUserPoolEventsRequest, UserPoolEvent, UserPoolEventFilter, UserPoolEventType,
    WatchUserPoolEventsRequest, user_pool_history_service_client::UserPoolHistoryServiceClient,
    user_pool_service_client::UserPoolServiceClient, watch_user_pool_events_request::Start,
    watch_user_pool_events_response::Content,
};

use crate::{
    binary::Process,
    random::{Random, rounds},
    support::{create, domain},
};

const WRITERS: usize = 6;
const WATCHERS: usize = 16;
/// How often the server is killed in a round.
const KILLS: usize = 2;

/// The shared state of a round.
#[derive(Debug, Clone)]
struct Shared {
    /// The current server.
    channel: watch::Receiver<Channel>,
    /// The last acknowledged position.
    acknowledged: Arc<AtomicI64>,
    /// Whether no more commands follow.
    written: Arc<AtomicBool>,
}

/// The messages of a watcher, over all its streams.
#[derive(Debug)]
struct WatchRecord {
    filter: UserPoolEventFilter,
    after: i64,
    messages: Vec<Message>,
}

#[derive(Debug)]
enum Message {
    Event(Box<UserPoolEvent>),
    Checkpoint {
        position: i64,
        caught_up: bool,
        /// The last acknowledged position before the stream was requested.
        acknowledged: i64,
    },
}

#[tokio::test(flavor = "multi_thread")]
async fn resumed_watches_are_equal_to_the_log() {
    let mut random = Random::seeded();
    for _ in 0..rounds(2) {
        let directory = TempDir::new().expect("a directory");
        let mut server = Process::start(directory.path()).await;
        let channel = server.channel().await;
        let pool = create(&mut UserPoolServiceClient::new(channel.clone()), "first").await;
        let (next, channel) = watch::channel(channel);
        let shared =
            Shared { channel, acknowledged: Arc::new(AtomicI64::new(1)), written: Arc::default() };
        let mut writers = JoinSet::new();
        for writer in 0..WRITERS {
            writers.spawn(write(shared.clone(), random.fork(), writer));
        }
        let mut watchers = JoinSet::new();
        for _ in 0..WATCHERS {
            watchers.spawn(observe(shared.clone(), random.fork(), pool.clone()));
        }
        for _ in 0..KILLS {
            acknowledged(&shared, 60 + random.below(100)).await;
            server.kill().await;
            server = Process::start(directory.path()).await;
            next.send_replace(server.channel().await);
        }
        acknowledged(&shared, 60).await;
        shared.written.store(true, Ordering::SeqCst);
        writers.join_all().await;
        let watched = watchers.join_all().await;
        let log = log(server.channel().await).await;
        let messages: usize = watched.iter().map(|watched| watched.messages.len()).sum();
        eprintln!("{} events, {messages} messages to {WATCHERS} watchers", log.len());
        for watched in watched {
            assert_equal_to_log(&log, &watched);
        }
        server.kill().await;
    }
}

/// Waits for this many more acknowledged commands.
async fn acknowledged(shared: &Shared, more: usize) {
    let more = i64::try_from(more).expect("a small number");
    let enough = shared.acknowledged.load(Ordering::SeqCst) + more;
    while shared.acknowledged.load(Ordering::SeqCst) < enough {
        tokio::task::yield_now().await;
    }
}

/// Creates user pools, and gives some of them domains.
async fn write(mut shared: Shared, mut random: Random, writer: usize) {
    for turn in 0.. {
        let mut client = UserPoolServiceClient::new(shared.channel.borrow_and_update().clone());
        while !shared.written.load(Ordering::SeqCst) {
            let name = format!("{writer}-{turn}-{}", random.next());
            let Ok(created) = client.create_user_pool(crate::support::named(&name)).await else {
                break;
            };
            let created = created.into_inner();
            shared.acknowledged.fetch_max(created.position, Ordering::SeqCst);
            if random.once_in(3) {
                let id = created.user_pool.and_then(|pool| pool.id).expect("an ID");
                let prefix = format!("writer-{name}");
                let Ok(assigned) = client.create_user_pool_domain(domain(&prefix, &id)).await
                else {
                    break;
                };
                shared.acknowledged.fetch_max(assigned.into_inner().position, Ordering::SeqCst);
            }
        }
        if shared.written.load(Ordering::SeqCst) || shared.channel.changed().await.is_err() {
            return;
        }
    }
}

/// Watches until it has every event, and cancels now and then.
async fn observe(mut shared: Shared, mut random: Random, pool: String) -> WatchRecord {
    let types = [UserPoolEventType::UserPoolDomainCreated.into()];
    let filter = match random.below(4) {
        0 => UserPoolEventFilter { user_pool_id: Some(pool), ..Default::default() },
        1 => UserPoolEventFilter { types: types.to_vec(), ..Default::default() },
        _ => UserPoolEventFilter::default(),
    };
    let now = shared.acknowledged.load(Ordering::SeqCst);
    let after = if random.once_in(2) { 0 } else { now };
    let mut watched = WatchRecord { filter, after, messages: Vec::new() };
    let mut position = after;
    loop {
        let client = UserPoolHistoryServiceClient::new(shared.channel.borrow_and_update().clone());
        let ended = stream(client, &shared, &mut random, &mut position, &mut watched).await;
        match ended {
            StreamEnd::Done => return watched,
            StreamEnd::HungUp => (),
            StreamEnd::Gone => shared.channel.changed().await.expect("another server"),
        }
    }
}

enum StreamEnd {
    /// Every event was received.
    Done,
    HungUp,
    /// The server is gone.
    Gone,
}

/// One stream, after `position`.
async fn stream(
    mut client: UserPoolHistoryServiceClient<Channel>,
    shared: &Shared,
    random: &mut Random,
    position: &mut i64,
    watched: &mut WatchRecord,
) -> StreamEnd {
    let request = WatchUserPoolEventsRequest {
        filter: Some(watched.filter.clone()),
        start: Some(Start::AfterPosition(*position)),
        checkpoint_interval_seconds: 1,
        include_records: random.once_in(2),
        ..WatchUserPoolEventsRequest::default()
    };
    let acknowledged = shared.acknowledged.load(Ordering::SeqCst);
    let Ok(messages) = client.watch_user_pool_events(request).await else { return StreamEnd::Gone };
    let mut messages = messages.into_inner();
    let mut left = if random.once_in(4) { usize::MAX } else { 1 + random.below(80) };
    loop {
        // Read before the message, which may have been sent before it was true.
        let written = shared.written.load(Ordering::SeqCst);
        let Ok(message) = messages.message().await else { return StreamEnd::Gone };
        match message.and_then(|message| message.content).expect("content") {
            Content::Event(event) => {
                *position = event.position;
                watched.messages.push(Message::Event(event));
            }
            Content::Checkpoint(checkpoint) => {
                *position = checkpoint.position;
                let caught_up = checkpoint.caught_up;
                watched.messages.push(Message::Checkpoint {
                    position: checkpoint.position,
                    caught_up,
                    acknowledged,
                });
            }
        }
        if written && *position >= shared.acknowledged.load(Ordering::SeqCst) {
            return StreamEnd::Done;
        }
        left -= 1;
        if left == 0 {
            return StreamEnd::HungUp;
        }
    }
}

/// Compares the messages of a watcher with the log.
fn assert_equal_to_log(log: &BTreeMap<i64, UserPoolEvent>, watched: &WatchRecord) {
    let WatchRecord { filter, after, messages } = watched;
    let matches = |event: &UserPoolEvent| {
        filter.user_pool_id.as_ref().is_none_or(|id| *id == event.user_pool_id)
            && (filter.types.is_empty() || filter.types.contains(&event.r#type))
    };
    // The events between two positions, which should have been sent.
    let between = |from: i64, to: i64| {
        let mut range = log.range(from + 1..to).map(|(_, event)| event);
        range.find(|event| matches(event)).map(|event| event.position)
    };
    let mut position = *after;
    for message in messages {
        match message {
            Message::Event(event) => {
                assert!(event.position > position, "{} after {position}", event.position);
                assert_eq!(between(position, event.position), None, "passed over");
                let recorded = log.get(&event.position).expect("the event is recorded");
                let event = UserPoolEvent { record: None, ..event.as_ref().clone() };
                assert_eq!(event, *recorded);
                assert!(matches(&event));
                position = event.position;
            }
            Message::Checkpoint { position: checkpoint, caught_up, acknowledged } => {
                assert!(*checkpoint >= position, "checkpoint {checkpoint} after {position}");
                assert_eq!(between(position, checkpoint + 1), None, "checkpoint {checkpoint}");
                assert!(*checkpoint <= i64::try_from(log.len()).expect("a small number"));
                assert!(!caught_up || checkpoint >= acknowledged, "caught up at {checkpoint}");
                position = *checkpoint;
            }
        }
    }
}

async fn log(channel: Channel) -> BTreeMap<i64, UserPoolEvent> {
    let mut client = UserPoolHistoryServiceClient::new(channel);
    let mut events = BTreeMap::new();
    let mut page_token = String::new();
    loop {
        let request = ListUserPoolEventsRequest {
            page_size: 1000,
            page_token,
            view: EventView::Full.into(),
            ..Default::default()
        };
        let page = client.list_user_pool_events(request).await.expect("a page").into_inner();
        events.extend(page.events.into_iter().map(|event| (event.position, event)));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return events;
        }
    }
}
