//! Logs on one node for the engine, and clusters whose nodes are killed.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    sync::{
        Arc, Weak,
        atomic::{AtomicU64, Ordering},
    },
};

use userpool::{
    event_log::{DatabaseTls, Durability, LogUrl, PostgresLog, PostgresSettings, create_log},
    telemetry::metrics::LogMetrics,
};

pub(super) use super::node::{Node, OWNER, ROLE};

/// The public key of the checkpoints.
pub(super) const KEY: [u8; 32] = [7; 32];

/// The URL of a database on these nodes.
pub(super) fn url(role: &str, nodes: &[&Node]) -> String {
    let hosts: Vec<_> = nodes.iter().map(|node| node.host()).collect();
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
    let node = Arc::new(Node::create("").await);
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

/// A primary with two standbys, of which one must have each commit.
pub(super) struct Cluster {
    pub(super) nodes: [Node; 3],
    pub(super) name: String,
}

impl Cluster {
    pub(super) async fn start() -> Self {
        let primary = Node::create("restart_after_crash = off").await;
        let second = Node::standby(&primary, "b").await;
        let third = Node::standby(&primary, "c").await;
        for node in [&primary, &second, &third] {
            node.configure("synchronous_standby_names = 'ANY 1 (a, b, c)'");
            node.signal("HUP");
        }
        let both =
            "select count(*) = 2 or null from pg_stat_replication where sync_state = 'quorum'";
        primary.wait_for(both).await;
        let name = new_name();
        create(&primary, &name, &KEY).await;
        Self { nodes: [primary, second, third], name }
    }

    /// The settings of a server that may use every node.
    pub(super) fn settings(&self) -> PostgresSettings {
        let [first, second, third] = &self.nodes;
        settings(ROLE, &[first, second, third], &self.name, Durability::Synchronous)
    }
}

/// Writes a file that only its owner can read.
pub(super) fn write_private(path: &Path, text: &str) {
    fs::write(path, text).expect("written");
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).expect("private");
}
