//! Logs on one node for the engine, and clusters whose nodes are killed.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    sync::{
        Arc, Weak,
        atomic::{AtomicU64, Ordering},
    },
    thread,
};

use userpool::{
    event_log::{DatabaseTls, Durability, LogUrl, PostgresLog, PostgresSettings, create_log},
    telemetry::metrics::LogMetrics,
};

pub(super) use super::node::{Node, NodeOptions, OWNER, ROLE};
use super::{
    disk::Disk,
    network::{Member, Network},
};

/// The public key of the checkpoints.
pub(super) const KEY: [u8; 32] = [7; 32];

/// The URL of a database on these nodes, by their sockets.
pub(super) fn url(role: &str, nodes: &[&Node]) -> String {
    url_of(role, nodes.iter().map(|node| node.directory()))
}

fn url_of(role: &str, hosts: impl Iterator<Item = String>) -> String {
    let hosts: Vec<_> = hosts.map(|host| host.replace('/', "%2F")).collect();
    format!("postgres://{role}@{}/userpool", hosts.join(","))
}

/// The settings of a log on these nodes.
pub(super) fn settings(
    role: &str,
    nodes: &[&Node],
    name: &str,
    durability: Durability,
) -> PostgresSettings {
    PostgresSettings {
        // So that a test can tell the sessions of its own log.
        url: LogUrl::Text(format!("{}?application_name={name}", url(role, nodes))),
        name: name.parse().expect("a name"),
        tls: DatabaseTls::default(),
        durability,
        replica: None,
    }
}

/// Creates a log, and grants the servers what they need.
pub(super) async fn create(primary: &Node, name: &str, key: &[u8]) {
    let owner = settings(OWNER, &[primary], name, Durability::Managed);
    let (grants, is_new) = create_log(&owner, "us-east-1", key, ROLE).await.expect("created");
    assert!(is_new);
    // Not at the same time as another test, which the database refuses.
    let grants = format!("select pg_advisory_xact_lock(1);\n{grants}");
    primary.execute("userpool", &grants).await;
}

/// A node that all tests of the engine share as long as one of them runs.
pub(super) async fn shared_node() -> Arc<Node> {
    static SHARED: tokio::sync::Mutex<Weak<Node>> = tokio::sync::Mutex::const_new(Weak::new());
    let mut shared = SHARED.lock().await;
    if let Some(node) = shared.upgrade() {
        return node;
    }
    let node = Arc::new(Node::create("", NodeOptions::default()).await);
    *shared = Arc::downgrade(&node);
    node
}

/// A name that no other log has.
pub(super) fn new_name() -> String {
    static COUNT: AtomicU64 = AtomicU64::new(1);
    format!("log-{}", COUNT.fetch_add(1, Ordering::Relaxed))
}

/// An empty log on a node.
pub(crate) struct TestLog {
    pub(crate) node: Arc<Node>,
    pub(crate) name: String,
}

impl TestLog {
    pub(crate) async fn new() -> Self {
        let (node, name) = (shared_node().await, new_name());
        create(&node, &name, &KEY).await;
        Self { node, name }
    }

    pub(crate) fn settings(&self) -> PostgresSettings {
        settings(ROLE, &[&self.node], &self.name, Durability::Managed)
    }

    /// An engine of it.
    pub(crate) async fn open(&self) -> PostgresLog {
        let opened = PostgresLog::open(self.settings(), None, LogMetrics::default()).await;
        opened.expect("a log")
    }
}

/// A standby that takes a while to follow the new primary finds there what it lacks: otherwise
/// the first checkpoint after the promotion may remove it.
const SETTINGS: &str = "restart_after_crash = off\nwal_keep_size = '256MB'";

/// A primary with two standbys, of which one must have each commit.
pub(super) struct Cluster {
    pub(super) nodes: [Node; 3],
    /// Which of them is the primary.
    primary: usize,
    /// The name of an empty log.
    pub(super) name: String,
    /// The network of the nodes and the servers, which otherwise use sockets.
    network: Option<Network>,
}

impl Cluster {
    /// What each node is called, as a standby.
    pub(super) const NAMES: [&str; 3] = ["a", "b", "c"];

    pub(super) async fn start() -> Self {
        Self::start_at(Default::default(), None).await
    }

    /// The same in a network.
    pub(super) async fn start_in(network: Network) -> Self {
        let place = |node| Some(network.place(Member::Node(node)).clone());
        let options =
            [0, 1, 2].map(|node| NodeOptions { place: place(node), ..NodeOptions::default() });
        Self::start_at(options, Some(network)).await
    }

    /// The same with a disk for each node.
    pub(super) async fn start_on(disks: [Disk; 3]) -> Self {
        let options = disks.map(|disk| NodeOptions { disk: Some(disk), ..NodeOptions::default() });
        let cluster = Self::start_at(options, None).await;
        // Neither initdb nor the base backups did so, to save time.
        cluster.disks().into_iter().for_each(Disk::sync);
        cluster
    }

    /// Three nodes that Patroni runs; the first one becomes the primary.
    pub(super) async fn start_managed(options: [NodeOptions; 3]) -> Self {
        let (nodes, name) = (options.map(Node::managed), new_name());
        for node in &nodes {
            node.start().await;
        }
        // They wait for a standby, as every commit does.
        nodes[0].create_roles().await;
        let cluster = Self { nodes, primary: 0, name, network: None };
        cluster.wait_for_standbys().await;
        create(cluster.primary(), &cluster.name, &KEY).await;
        cluster
    }

    async fn start_at([first, second, third]: [NodeOptions; 3], network: Option<Network>) -> Self {
        let first = Node::create(SETTINGS, first).await;
        let second = Node::standby(&first, Self::NAMES[1], second).await;
        let third = Node::standby(&first, Self::NAMES[2], third).await;
        for node in [&first, &second, &third] {
            node.configure("synchronous_standby_names = 'ANY 1 (a, b, c)'");
            node.signal("HUP");
        }
        let (nodes, name) = ([first, second, third], new_name());
        let cluster = Self { nodes, primary: 0, name, network };
        cluster.wait_for_standbys().await;
        create(cluster.primary(), &cluster.name, &KEY).await;
        cluster
    }

    pub(super) fn primary(&self) -> &Node {
        &self.nodes[self.primary]
    }

    /// Which node is the primary.
    pub(super) const fn primary_member(&self) -> Member {
        Member::Node(self.primary)
    }

    /// Which nodes are the standbys.
    pub(super) fn standby_members(&self) -> [Member; 2] {
        self.standby_indexes().map(Member::Node)
    }

    /// The network that it is in.
    pub(super) const fn network(&self) -> Option<&Network> {
        self.network.as_ref()
    }

    /// The same, to cut and heal.
    pub(super) fn network_mut(&mut self) -> &mut Network {
        self.network.as_mut().expect("it is in one")
    }

    pub(super) fn standbys(&self) -> [&Node; 2] {
        let [one, other] = self.standby_indexes();
        [&self.nodes[one], &self.nodes[other]]
    }

    const fn standby_indexes(&self) -> [usize; 2] {
        [(self.primary + 1) % 3, (self.primary + 2) % 3]
    }

    /// Waits until a commit may wait for either standby.
    pub(super) async fn wait_for_standbys(&self) {
        let both =
            "select count(*) = 2 or null from pg_stat_replication where sync_state = 'quorum'";
        self.primary().wait_for(both).await;
    }

    /// Makes the standby with the most records the primary, which the other standby follows.
    /// Returns the former primary, which may still run: so first, both standbys take no more from
    /// it, or it could acknowledge what the new primary lacks.
    pub(super) async fn promote(&mut self) -> usize {
        const RECEIVED: &str =
            "select greatest(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn()) - '0/0'";
        let received =
            async |node: &Node| -> u128 { node.value(RECEIVED).await.parse().unwrap_or_default() };
        for standby in self.standbys() {
            standby.follow_nobody();
            standby.signal("HUP");
        }
        for standby in self.standbys() {
            standby.wait_for("select count(*) = 0 or null from pg_stat_wal_receiver").await;
        }
        let [one, other] = self.standby_indexes();
        let one_is_newer = received(&self.nodes[one]).await >= received(&self.nodes[other]).await;
        let (newer, other) = if one_is_newer { (one, other) } else { (other, one) };
        self.nodes[newer].promote();
        self.nodes[newer].wait_for("select count(*) where not pg_is_in_recovery()").await;
        self.nodes[other].follow(&self.nodes[newer], Self::NAMES[other]);
        self.nodes[other].signal("HUP");
        std::mem::replace(&mut self.primary, newer)
    }

    /// Waits until another node is the primary. Returns the former one.
    pub(super) async fn wait_for_failover(&mut self) -> usize {
        const IS_PRIMARY: &str = "select count(*) where not pg_is_in_recovery()";
        let [one, other] = self.standby_indexes();
        let (first, second) = (&self.nodes[one], &self.nodes[other]);
        let promoted = tokio::select! {
            _ = first.wait_for(IS_PRIMARY) => one,
            _ = second.wait_for(IS_PRIMARY) => other,
        };
        std::mem::replace(&mut self.primary, promoted)
    }

    /// Kills a node, which then becomes a standby with a copy of the primary's data: its own may
    /// have commits that nobody was told of.
    pub(super) async fn renew(&self, node: usize) {
        self.nodes[node].kill();
        self.nodes[node].copy(self.primary(), Self::NAMES[node]).await;
        self.wait_for_standbys().await;
    }

    fn disks(&self) -> [&Disk; 3] {
        self.nodes.each_ref().map(Node::disk)
    }

    /// Cuts the power of every node at once, that of this one first.
    pub(super) fn cut_power(&self, first: usize) {
        let disks = self.disks();
        disks[first].cut_power(&[disks[(first + 1) % 3], disks[(first + 2) % 3]]);
        for node in &self.nodes {
            node.kill();
        }
    }

    /// Starts every node with what is on its disk.
    pub(super) async fn restore_power(&self) {
        for disk in self.disks() {
            disk.restore_power().await;
        }
        for node in &self.nodes {
            node.start().await;
        }
        self.wait_for_standbys().await;
    }

    /// Copies the primary into a standby, as a backup, and returns its index.
    pub(super) fn back_up(&self) -> usize {
        let [backup, _] = self.standby_indexes();
        self.nodes[backup].kill();
        self.nodes[backup].copy_data(self.primary());
        backup
    }

    /// Loses every node, and begins again with a backup.
    pub(super) async fn restore(&mut self, backup: usize) {
        for node in &self.nodes {
            node.kill();
        }
        self.primary = backup;
        self.primary().start().await;
        for standby in self.standby_indexes() {
            self.nodes[standby].copy(self.primary(), Self::NAMES[standby]).await;
        }
        self.wait_for_standbys().await;
    }

    /// The settings of a server that may use every node.
    pub(super) fn settings(&self) -> PostgresSettings {
        let [first, second, third] = &self.nodes;
        settings(ROLE, &[first, second, third], &self.name, Durability::Synchronous)
    }

    /// The URL of the database with every node, as servers reach them.
    pub(super) fn url(&self) -> String {
        format!("{}?sslmode=disable", url_of(ROLE, self.nodes.iter().map(Node::host)))
    }
}

impl Drop for Cluster {
    /// Shows what the nodes did, if that failed the test.
    fn drop(&mut self) {
        if thread::panicking() {
            for (node, name) in self.nodes.iter().zip(Self::NAMES) {
                let logged = node.logged();
                let lines: Vec<_> = logged.lines().rev().take(12).collect();
                eprintln!("node {name}, the last line first: {lines:#?}");
            }
        }
    }
}

/// Writes a file that only its owner can read.
pub(super) fn write_private(path: &Path, text: &str) {
    fs::write(path, text).expect("written");
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).expect("private");
}
