//! Servers under load in a network that drops packets and closes no connection: nothing that was
//! acknowledged is lost, moved or recorded twice, and no strict read is older than one before it.

use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};
use userpool::proto::{ListUserPoolsRequest, user_pool_service_client::UserPoolServiceClient};

use super::{
    cluster::Cluster,
    network::{Member::Server, Network},
    replicas::Replicas,
};
use crate::random::{Random, rounds};

/// Longer than anything here takes, unless it hangs.
const PATIENCE: Duration = Duration::from_mins(2);
/// Longer than a server waits for the database.
const CUT_OFF: Duration = Duration::from_secs(8);
const ASK_INTERVAL: Duration = Duration::from_millis(50);
/// The commits that wait for a standby.
const WAITING: &str = "select count(*) from pg_stat_activity where wait_event = 'SyncRep'";

/// Whether a server shows the user pools.
async fn answers(replicas: &Replicas, server: usize) -> bool {
    let mut client = UserPoolServiceClient::new(replicas.channel(server).await);
    let request = ListUserPoolsRequest { max_results: Some(10), ..Default::default() };
    timeout(CUT_OFF, client.list_user_pools(request)).await.is_ok_and(|answer| answer.is_ok())
}

/// Waits until a server shows the user pools, and returns how long it took.
async fn wait_for_answer(replicas: &Replicas, server: usize) -> Duration {
    let begun = Instant::now();
    while !answers(replicas, server).await {
        assert!(begun.elapsed() < PATIENCE, "server {server} does not answer");
        sleep(ASK_INTERVAL).await;
    }
    begun.elapsed()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_primary_that_is_cut_from_its_standbys_is_replaced() {
    let network = Network::create("that servers leave a primary that its standbys cannot reach");
    let Some(network) = network else { return };
    let mut random = Random::seeded();
    let mut cluster = Cluster::start_in(network).await;
    let mut replicas = Replicas::start_with(&cluster, &["--reads", "strict"]).await;
    replicas.load(&mut random);
    let mut silence = Duration::ZERO;
    for _ in 0..rounds(1) {
        replicas.wait_for_changes(50 + random.below(200)).await;
        let cut = Instant::now();
        let (primary, standbys) = (cluster.primary_member(), cluster.standby_members());
        cluster.network_mut().cut(&[primary], &standbys);
        cluster.primary().wait_for(WAITING).await;
        // No connection was closed, so the primary does not know.
        let standbys = cluster.primary().value("select count(*) from pg_stat_replication").await;
        assert_eq!(standbys, "2");
        let former = cluster.promote().await;
        let promoted = Instant::now();
        replicas.wait_for_changes(1).await;
        silence = silence.max(replicas.calls.longest_silence(cut, Instant::now()));
        eprintln!("acknowledged {:?} after the promotion", promoted.elapsed());
        replicas.wait_for_changes(100).await;
        // It still runs, and can be reached by everybody.
        cluster.network_mut().heal();
        replicas.wait_for_changes(100).await;
        cluster.renew(former).await;
    }
    replicas.wait_for_changes(50).await;
    let acknowledged = replicas.check(&cluster).await;
    eprintln!("{acknowledged} changes acknowledged; at most {silence:?} without an answer");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_cut_from_the_primary_goes_on_later() {
    let network = Network::create("that a server which cannot reach the primary goes on later");
    let Some(network) = network else { return };
    let mut random = Random::seeded();
    let mut cluster = Cluster::start_in(network).await;
    let mut replicas = Replicas::start(&cluster).await;
    replicas.load(&mut random);
    for round in 0..3 * rounds(1) {
        let (server, primary) = (Server(round % 3), cluster.primary_member());
        replicas.wait_for_changes(50 + random.below(100)).await;
        let cut = Instant::now();
        match (round + round / 3) % 3 {
            0 => cluster.network_mut().cut(&[server], &[primary]),
            // Commits arrive, and their answers do not.
            1 => cluster.network_mut().drop_packets(primary, server),
            _ => cluster.network_mut().drop_packets(server, primary),
        }
        // The others go on, longer than this one waits for an answer.
        while cut.elapsed() < CUT_OFF {
            replicas.wait_for_changes(50).await;
        }
        let silence = replicas.calls.longest_silence(cut, Instant::now());
        assert!(!answers(&replicas, round % 3).await, "{server:?} does not know what is current");
        cluster.network_mut().heal();
        let later = wait_for_answer(&replicas, round % 3).await;
        eprintln!("{server:?}: all without an answer {silence:?}; answers {later:?} later");
    }
    replicas.wait_for_changes(50).await;
    replicas.check(&cluster).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_half_with_the_standbys_goes_on_without_the_other() {
    let network = Network::create("that only the half of a network with the standbys goes on");
    let Some(network) = network else { return };
    let mut random = Random::seeded();
    let mut cluster = Cluster::start_in(network).await;
    let mut replicas = Replicas::start_with(&cluster, &["--reads", "strict"]).await;
    replicas.load(&mut random);
    for round in 0..rounds(1) {
        let alone = round % 3;
        replicas.wait_for_changes(50 + random.below(200)).await;
        let cut = Instant::now();
        let (primary, [one, other]) = (cluster.primary_member(), cluster.standby_members());
        let others = [Server((alone + 1) % 3), Server((alone + 2) % 3), one, other];
        cluster.network_mut().cut(&[primary, Server(alone)], &others);
        let former = cluster.promote().await;
        replicas.wait_for_changes(100).await;
        let silence = replicas.calls.longest_silence(cut, Instant::now());
        assert!(!answers(&replicas, alone).await, "a read of the half without a standby");

        cluster.network_mut().heal();
        let later = wait_for_answer(&replicas, alone).await;
        eprintln!("{silence:?} without an answer; the other half answers {later:?} later");
        cluster.renew(former).await;
    }
    replicas.wait_for_changes(50).await;
    replicas.check(&cluster).await;
}
