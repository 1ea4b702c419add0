//! Servers under load while nodes of the database and servers die, freeze or are cut off: nothing
//! that was acknowledged is lost, moved or recorded twice, and each read shows what was
//! acknowledged before it.
//!
//! `USERPOOL_ROUNDS=50 tests/run postgres::failovers` kills 50 primaries.

use std::{fs, time::Duration};

use tokio::time::{Instant, sleep, timeout};
use userpool::proto::{ListUserPoolsRequest, user_pool_service_client::UserPoolServiceClient};

use super::{cluster::Cluster, replicas::Replicas};
use crate::{
    binary::run,
    linearizability::log,
    random::{Random, rounds},
};

/// How many primaries are killed under one log, whose answers are checked together.
const KILLS_EACH: usize = 5;
/// Longer than the database lets a server keep its turn.
const FROZEN: Duration = Duration::from_secs(3);
/// Longer than anything here takes, unless it hangs.
const PATIENCE: Duration = Duration::from_mins(2);
/// How soon a change must be acknowledged after a standby was promoted.
const MAX_SILENCE: Duration = Duration::from_secs(20);

#[tokio::test(flavor = "multi_thread")]
async fn repeated_loss_of_the_primary_loses_and_moves_nothing() {
    let mut random = Random::seeded();
    let mut cluster = Cluster::start().await;
    let (mut left, mut silences, mut acknowledged) = (rounds(3), Vec::new(), 0);
    while left > 0 {
        let kills = left.min(KILLS_EACH);
        left -= kills;
        let mut replicas = Replicas::start(&cluster).await;
        replicas.load(&mut random);
        for _ in 0..kills {
            replicas.wait_for_changes(50 + random.below(200)).await;
            let killed = Instant::now();
            cluster.primary().kill();
            let former = cluster.promote().await;
            let promoted = Instant::now();
            replicas.wait_for_changes(1).await;
            silences.push((killed.elapsed(), promoted.elapsed()));
            assert!(promoted.elapsed() < MAX_SILENCE, "{:?}", promoted.elapsed());
            cluster.renew(former).await;
        }
        replicas.wait_for_changes(50).await;
        acknowledged += replicas.check(&cluster).await;
    }
    let longest = |of: fn(&(Duration, Duration)) -> Duration| silences.iter().map(of).max();
    eprintln!(
        "{} primaries killed: {acknowledged} changes acknowledged, all there; without an answer \
         at most {:?}, of which {:?} after the promotion",
        silences.len(),
        longest(|(all, _)| *all).unwrap_or_default(),
        longest(|(_, after)| *after).unwrap_or_default(),
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_former_primary_that_still_runs_acknowledges_nothing() {
    let mut random = Random::seeded();
    let mut cluster = Cluster::start().await;
    // With any other setting, reads may be of the former primary.
    let mut replicas = Replicas::start_with(&cluster, &["--reads", "strict"]).await;
    replicas.load(&mut random);
    replicas.wait_for_changes(100).await;

    // Cut off from both standbys, and not from the servers: two nodes accept writes.
    let former = cluster.promote().await;
    replicas.wait_for_changes(200).await;
    cluster.renew(former).await;

    // Frozen, and replaced meanwhile: it goes on later, in the belief that it is the primary.
    cluster.primary().signal_all("STOP");
    let former = cluster.promote().await;
    replicas.wait_for_changes(100).await;
    cluster.nodes[former].signal_all("CONT");
    replicas.wait_for_changes(200).await;
    cluster.renew(former).await;

    replicas.wait_for_changes(50).await;
    replicas.check(&cluster).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_primary_whose_postmaster_dies_shows_nothing_that_is_lost() {
    let mut random = Random::seeded();
    let mut cluster = Cluster::start().await;
    let mut replicas = Replicas::start(&cluster).await;
    replicas.load(&mut random);
    for _ in 0..rounds(3) {
        replicas.wait_for_changes(50 + random.below(200)).await;
        cluster.primary().kill_postmaster();
        let former = cluster.promote().await;
        replicas.wait_for_changes(1).await;
        cluster.renew(former).await;
    }
    replicas.wait_for_changes(50).await;
    replicas.check(&cluster).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_primary_that_restarts_or_freezes_loses_nothing() {
    let mut random = Random::seeded();
    let cluster = Cluster::start().await;
    let mut replicas = Replicas::start(&cluster).await;
    replicas.load(&mut random);
    replicas.wait_for_changes(100).await;

    // Commits that nobody was told of become visible.
    cluster.primary().kill();
    cluster.primary().start().await;
    cluster.wait_for_standbys().await;
    replicas.wait_for_changes(100).await;

    cluster.primary().signal_all("STOP");
    sleep(FROZEN).await;
    cluster.primary().signal_all("CONT");
    replicas.wait_for_changes(100).await;
    replicas.check(&cluster).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn servers_that_die_or_freeze_do_not_stop_the_others() {
    let mut random = Random::seeded();
    let cluster = Cluster::start().await;
    let mut replicas = Replicas::start(&cluster).await;
    replicas.load(&mut random);
    for _ in 0..rounds(2) {
        for server in 0..3 {
            replicas.wait_for_changes(20 + random.below(100)).await;
            replicas.kill_server(server).await;
            replicas.wait_for_changes(50).await;
            replicas.start_server(server).await;

            replicas.wait_for_changes(20 + random.below(100)).await;
            let frozen = Instant::now();
            replicas.signal_server(server, "STOP").await;
            sleep(FROZEN).await;
            replicas.wait_for_changes(50).await;
            replicas.signal_server(server, "CONT").await;
            let silence = replicas.calls.longest_silence(frozen, Instant::now());
            eprintln!("a frozen server: {silence:?} without an answer");
        }
    }
    replicas.check(&cluster).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_acknowledged_without_a_standby() {
    let mut random = Random::seeded();
    let cluster = Cluster::start().await;
    let mut replicas = Replicas::start(&cluster).await;
    replicas.load(&mut random);
    replicas.wait_for_changes(100).await;

    let [one, other] = cluster.standbys();
    one.signal_all("STOP");
    replicas.wait_for_changes(100).await;
    other.signal_all("STOP");
    // What was sent before may still be answered.
    sleep(Duration::from_secs(1)).await;
    let before = replicas.calls.count();
    // A wait that is canceled looks like a commit.
    let waiting = "select count(pg_cancel_backend(pid)) from pg_stat_activity \
                   where wait_event = 'SyncRep' and query ilike 'commit%'";
    let canceled = cluster.primary().value(waiting).await;
    assert_ne!(canceled, "0", "no commit waits");
    sleep(FROZEN).await;
    assert_eq!(replicas.calls.count(), before, "acknowledged without a standby");
    let (max_results, min_position) = (Some(10), Some(1));
    let request = ListUserPoolsRequest { max_results, min_position, ..Default::default() };
    let mut client = UserPoolServiceClient::new(replicas.channel(0).await);
    client.list_user_pools(request).await.expect("what a client knows is shown");

    one.signal_all("CONT");
    replicas.wait_for_changes(100).await;
    other.signal_all("CONT");
    replicas.wait_for_changes(100).await;
    replicas.check(&cluster).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restored_backup_ends_each_server_and_changes_nothing() {
    let mut random = Random::seeded();
    let mut cluster = Cluster::start().await;
    let mut replicas = Replicas::start(&cluster).await;
    replicas.load(&mut random);
    replicas.wait_for_changes(100).await;
    let backup = cluster.back_up();
    replicas.wait_for_changes(100).await;
    cluster.restore(backup).await;

    for server in 0..3 {
        let ended = timeout(PATIENCE, replicas.take(server).ended()).await.expect("in time");
        let logged = replicas.logged(server);
        assert_eq!(ended.status.code(), Some(3), "{logged}");
        assert!(logged.contains("the log had"), "{logged}");
        let seen = replicas.data_dir(server).join("seen_head");
        let before = fs::read(&seen).expect("a file");
        let again = run(&mut replicas.command(server)).await;
        assert_eq!(again.status.code(), Some(3), "{again:?}");
        assert_eq!(fs::read(&seen).expect("a file"), before);
        assert!(replicas.data_dir(server).join("read_model").exists());
    }
    // The loss is accepted.
    replicas.calls.stop();
    for server in 0..3 {
        fs::remove_dir_all(replicas.data_dir(server)).expect("removed");
        replicas.start_server(server).await;
    }
    let shown = log(&replicas.channel(0).await).await;
    assert!(shown.len() >= 100, "{}", shown.len());
    for server in 1..3 {
        assert_eq!(log(&replicas.channel(server).await).await, shown, "server {server}");
    }
}
