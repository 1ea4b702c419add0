//! Many watchers over several servers, which are killed one after another while commands run: each
//! watcher goes on at any server, and sees every position once and in order.
//!
//! `USERPOOL_ROUNDS=50 tests/run postgres::watchers` kills 50 servers.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{
    sync::watch,
    task::JoinSet,
    time::{Instant, timeout},
};
use tonic::Code;
use userpool::{
    client::{Options, Watch, WatchItem},
    proto::{UserPoolEvent, WatchUserPoolEventsRequest, watch_user_pool_events_request::Start},
};

use super::{cluster::Cluster, replicas::Replicas};
use crate::{
    linearizability::log,
    random::{Random, rounds},
};

const WATCHERS: usize = 200;
/// Few clients, because each change is sent to every watcher.
const CLIENTS: usize = 6;
/// How long a watcher waits for a server before it takes another.
const DEADLINE: Duration = Duration::from_secs(2);
/// Longer than anything here takes, unless it hangs.
const PATIENCE: Duration = Duration::from_mins(2);

/// A watcher of the whole log.
struct Watcher {
    addresses: Arc<Vec<String>>,
    random: Random,
    /// Where the log ends, once no more commands follow.
    end: watch::Receiver<Option<usize>>,
    /// How many streams all watchers had.
    streams: Arc<AtomicUsize>,
    /// What resumes it.
    request: WatchUserPoolEventsRequest,
    /// The hash of each event so far.
    hashes: Vec<Vec<u8>>,
}

impl Watcher {
    /// Watches until the end of the log.
    async fn watch(mut self) -> Vec<Vec<u8>> {
        loop {
            let Some(mut watched) = self.start().await else { continue };
            self.streams.fetch_add(1, Ordering::SeqCst);
            if self.follow(&mut watched).await {
                return self.hashes;
            }
            self.request = watched.resume_request().clone();
        }
    }

    /// A watch at any server after the last event.
    async fn start(&mut self) -> Option<Watch> {
        let address = self.random.pick(&self.addresses).expect("a server");
        let mut options = Options::to(address.parse().expect("an endpoint"));
        options.deadline = DEADLINE;
        let client = options.connect().await.ok()?;
        match client.watch(self.request.clone()).await {
            Ok(watched) => Some(watched),
            Err(status) => {
                let may_recover = [Code::Unavailable, Code::DeadlineExceeded];
                assert!(may_recover.contains(&status.code()), "{status:?}");
                None
            }
        }
    }

    /// Follows a watch until it leaves this server, or until the end of the log, which it says.
    async fn follow(&mut self, watched: &mut Watch) -> bool {
        loop {
            if self.end.borrow().is_some_and(|end| self.hashes.len() == end) {
                return true;
            }
            let item = tokio::select! {
                item = watched.next() => item.expect("it can be resumed"),
                _ = self.end.changed() => continue,
            };
            let leaves = match item {
                WatchItem::Event(event) => {
                    self.receive(*event);
                    self.random.once_in(400)
                }
                WatchItem::Checkpoint(at) => {
                    assert_eq!(usize::try_from(at.position), Ok(self.hashes.len()));
                    false
                }
                WatchItem::Disconnected { .. } => {
                    let leaves = self.random.chance(70);
                    if !leaves {
                        // The client goes on at the same server by itself, once that runs again.
                        self.streams.fetch_add(1, Ordering::SeqCst);
                    }
                    leaves
                }
            };
            if leaves {
                return false;
            }
        }
    }

    fn receive(&mut self, event: UserPoolEvent) {
        let next = self.hashes.len() + 1;
        assert_eq!(usize::try_from(event.position), Ok(next), "the next position");
        self.hashes.push(event.hash);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_watcher_sees_every_position_once_as_servers_die() {
    let mut random = Random::seeded();
    let cluster = Cluster::start().await;
    let mut replicas = Replicas::start(&cluster).await;
    replicas.load_with(CLIENTS, &mut random);
    replicas.wait_for_changes(20).await;
    let (end, _) = watch::channel(None);
    let (addresses, streams) =
        (Arc::new(replicas.addresses.clone()), Arc::<AtomicUsize>::default());
    let mut watchers = JoinSet::new();
    for _ in 0..WATCHERS {
        let watcher = Watcher {
            addresses: Arc::clone(&addresses),
            random: random.fork(),
            end: end.subscribe(),
            streams: Arc::clone(&streams),
            request: WatchUserPoolEventsRequest {
                start: Some(Start::AfterPosition(0)),
                checkpoint_interval_seconds: 1,
                ..Default::default()
            },
            hashes: Vec::new(),
        };
        watchers.spawn(watcher.watch());
    }
    let begun = Instant::now();
    let kills = rounds(3);
    for kill in 0..kills {
        let server = kill % replicas.addresses.len();
        replicas.wait_for_changes(20 + random.below(40)).await;
        replicas.kill_server(server).await;
        replicas.wait_for_changes(10 + random.below(20)).await;
        replicas.start_server(server).await;
    }
    replicas.wait_for_changes(20).await;
    replicas.stop_load().await;
    let shown = log(&replicas.channel(0).await).await;
    end.send_replace(Some(shown.len()));
    let watched = timeout(PATIENCE, watchers.join_all()).await.expect("in time");
    let hashes: Vec<_> = shown.into_iter().map(|event| event.hash).collect();
    assert_eq!(watched.len(), WATCHERS);
    for seen in watched {
        assert_eq!(seen, hashes);
    }
    eprintln!(
        "{kills} servers killed in {:?}: each of {WATCHERS} watchers received {} events, over {} \
         streams",
        begun.elapsed(),
        hashes.len(),
        streams.load(Ordering::SeqCst),
    );
    replicas.check(&cluster).await;
}
