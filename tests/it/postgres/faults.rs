//! A primary with two standbys, of which one must have each commit: nothing that was
//! acknowledged is lost, whatever dies.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use tempfile::TempDir;
use tokio::{
    task::JoinSet,
    time::{sleep, timeout},
};
use userpool::{
    audit::checkpoint::Signer,
    event_log::{
        AppendError, EventLog as _, Head, Position, PostgresLog, ReadError, ReadLimit, Record,
    },
    proto::CreateUserPoolRequest,
    telemetry::metrics::LogMetrics,
};
use uuid::Uuid;

use super::{
    cluster::{self, Cluster},
    servers::wait_for,
};
use crate::support::{Client, TestServer, named};

const ALL: ReadLimit = ReadLimit { records: usize::MAX, bytes: usize::MAX };
const PATIENCE: Duration = Duration::from_mins(2);
/// How many callers each server has.
const CALLERS: u128 = 8;

async fn open(cluster: &Cluster) -> PostgresLog {
    PostgresLog::open(cluster.settings(), None, LogMetrics::default()).await.expect("a log")
}

/// The commits that wait for a standby.
const WAITING: &str = "select pid from pg_stat_activity where wait_event = 'SyncRep' \
                       and query ilike 'commit%'";

#[tokio::test(flavor = "multi_thread")]
async fn a_canceled_wait_is_not_acknowledged_before_a_barrier() {
    let cluster = Cluster::start().await;
    let [primary, second, third] = &cluster.nodes;
    let log = Arc::new(open(&cluster).await);
    let mut head = Head::default();
    for end in ["pg_cancel_backend", "pg_terminate_backend"] {
        let bodies = || vec![Bytes::from_static(b"a")];
        // So that there is a session that appends.
        head = log.append(head, bodies()).await.expect("appended")[0].head();
        second.signal_all("STOP");
        third.signal_all("STOP");
        let appending = {
            let log = Arc::clone(&log);
            tokio::spawn(async move { log.append(head, bodies()).await })
        };
        let pid = primary.wait_for(WAITING).await;
        primary.execute("userpool", &format!("select {end}({pid})")).await;

        // The database shows the record, and no standby has it.
        let unknown = appending.await.expect("no panic").expect_err("not acknowledged");
        assert!(matches!(unknown, AppendError::Unknown(_)), "{end}: {unknown}");
        let written = format!(
            "select count(*) from userpool_record where log = '{}' and position > {}",
            cluster.name, head.position
        );
        assert_eq!(primary.value(&written).await, "1", "{end}");
        let unconfirmed = log.barrier().await.expect_err("no standby");
        assert!(matches!(unconfirmed, ReadError::Unavailable(_)), "{end}: {unconfirmed}");

        second.signal_all("CONT");
        third.signal_all("CONT");
        let confirmed = timeout(PATIENCE, async {
            while log.barrier().await.is_err() {
                sleep(Duration::from_millis(20)).await;
            }
            log.read(head.position, ALL).await
        });
        let read = confirmed.await.expect("in time").expect("readable");
        assert_eq!(read.len(), 1, "{end}");
        head = read[0].head();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_promoted_standby_has_what_was_acknowledged() {
    let cluster = Cluster::start().await;
    let directory = TempDir::new().expect("a directory");
    let key = directory.path().join("key.pem");
    let public_key = Signer::open_key(&key).expect("a key").public_key();
    let name = cluster::new_name();
    cluster::create(&cluster.nodes[0], &name, &public_key).await;
    let mut settings = cluster.settings();
    settings.name = name.parse().expect("a name");
    let configure = |config: &mut userpool::server::Config| {
        config.postgres = Some(settings.clone());
        config.signing_key = Some(key.clone());
    };
    let servers = [
        TestServer::with_identifiers(0, configure).await,
        TestServer::with_identifiers(1_000_000, configure).await,
    ];
    let clients = [servers[0].client().await, servers[1].client().await];
    let stopped = Arc::new(AtomicBool::new(false));
    let mut callers = JoinSet::new();
    for caller in 0..2 * CALLERS {
        let (clients, stopped) = (clients.clone(), Arc::clone(&stopped));
        callers.spawn(call(clients, caller, stopped));
    }
    wait_for(&servers[0], 200).await;

    cluster.nodes[0].kill();
    let survivor = promote_the_newer(&cluster).await;
    let before = head_on(&cluster, survivor, &name).await;
    // Both servers go on.
    wait_for(&servers[0], before + 100).await;
    wait_for(&servers[1], before + 100).await;
    stopped.store(true, Ordering::SeqCst);
    let answers: Vec<(Uuid, i64)> = callers.join_all().await.concat();

    let log =
        PostgresLog::open(settings.clone(), None, LogMetrics::default()).await.expect("a log");
    let records = read_all(&log).await;
    let recorded: BTreeMap<i64, String> = records
        .iter()
        .map(|record| {
            let event = userpool::audit::decode_with_record(record).expect("an event");
            (event.position, event.request_id.unwrap_or_default())
        })
        .collect();
    assert!(answers.len() > 300, "{}", answers.len());
    for (request_id, position) in &answers {
        assert_eq!(recorded[position], request_id.to_string(), "position {position}");
    }
    let mut requests: Vec<_> = recorded.values().collect();
    requests.sort();
    requests.dedup();
    assert_eq!(requests.len(), records.len(), "a request was recorded twice");
    for server in servers {
        wait_for(&server, i64::try_from(records.len()).expect("few")).await;
        server.try_stop().await.expect("stopped");
    }
}

/// Creates user pools, each request until it is answered, by either server.
async fn call(
    mut clients: [Client; 2],
    caller: u128,
    stopped: Arc<AtomicBool>,
) -> Vec<(Uuid, i64)> {
    let mut answers = Vec::new();
    for number in 1.. {
        if stopped.load(Ordering::SeqCst) {
            break;
        }
        let id = Uuid::from_u128(caller * 1_000_000 + number);
        for attempt in 0.. {
            let request =
                CreateUserPoolRequest { request_id: Some(id.to_string()), ..named("people") };
            let client = &mut clients[usize::try_from(caller + attempt).expect("small") % 2];
            let asked = timeout(Duration::from_secs(10), client.create_user_pool(request)).await;
            if let Ok(Ok(created)) = asked {
                answers.push((id, created.into_inner().position));
                break;
            }
        }
    }
    answers
}

/// Promotes the standby that has more, which the other then follows. Returns its index.
async fn promote_the_newer(cluster: &Cluster) -> usize {
    const RECEIVED: &str = "select pg_last_wal_receive_lsn() - '0/0'::pg_lsn";
    let received = async |node: usize| -> u128 {
        cluster.nodes[node].value(RECEIVED).await.parse().unwrap_or_default()
    };
    let (newer, other, name) =
        if received(1).await >= received(2).await { (1, 2, "c") } else { (2, 1, "b") };
    cluster.nodes[newer].promote();
    cluster.nodes[other].follow(&cluster.nodes[newer], name);
    cluster.nodes[other].signal("HUP");
    newer
}

/// The end of the log on the promoted node, once it is the primary.
async fn head_on(cluster: &Cluster, node: usize, name: &str) -> i64 {
    let node = &cluster.nodes[node];
    node.wait_for("select count(*) where not pg_is_in_recovery()").await;
    let head = format!("select max(position) from userpool_record where log = '{name}'");
    node.value(&head).await.parse().expect("a position")
}

async fn read_all(log: &PostgresLog) -> Vec<Record> {
    let mut records: Vec<Record> = Vec::new();
    loop {
        let after = records.last().map_or(Position::START, |record| record.position);
        let page = log.read(after, ReadLimit::PAGE).await.expect("readable");
        let Some(first) = page.first() else { return records };
        let head = records.last().map(Record::head).unwrap_or_default();
        first.check_follows(head).expect("a whole chain");
        records.extend(page);
    }
}
