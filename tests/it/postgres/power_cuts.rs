//! The power of every node of the database is cut at once, under load: nothing that was
//! acknowledged is lost, moved or recorded twice.

use super::{cluster::Cluster, disk::Disk, replicas::Replicas};
use crate::random::{Random, rounds};

#[tokio::test(flavor = "multi_thread")]
async fn a_power_cut_of_every_node_loses_nothing() {
    let disks = Disk::create("that a power cut of every node of the database loses nothing");
    let Some(disks) = disks else { return };
    let mut random = Random::seeded();
    let cluster = Cluster::start_on(disks).await;
    let mut replicas = Replicas::start(&cluster).await;
    replicas.load(&mut random);
    let cuts = rounds(2);
    for _ in 0..cuts {
        replicas.wait_for_changes(50 + random.below(200)).await;
        cluster.cut_power(random.below(3));
        cluster.restore_power().await;
        let recovered = cluster.primary().logged();
        assert!(recovered.contains("was not properly shut down"), "{recovered}");
        replicas.wait_for_changes(1).await;
    }
    replicas.wait_for_changes(50).await;
    let acknowledged = replicas.check(&cluster).await;
    eprintln!("{cuts} power cuts: {acknowledged} changes acknowledged, all there");
}
