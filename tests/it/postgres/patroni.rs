//! Three nodes that Patroni runs, which replaces a lost primary without help: nothing that was
//! acknowledged is lost, moved or recorded twice.

use std::{
    fs,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU64, Ordering},
};

use tempfile::TempDir;
use tokio::time::Instant;

use super::{
    cluster::Cluster,
    node::{NodeOptions, OWNER},
    programs::{command_as_postgres, directory, give, path_of},
    replicas::Replicas,
};
use crate::{
    random::{Random, rounds},
    tools,
};

/// etcd, in which the nodes agree on the primary.
pub(super) struct Etcd {
    process: Child,
    address: String,
    _directory: TempDir,
}

impl Etcd {
    fn start(program: &Path) -> Self {
        let directory = TempDir::new().expect("a directory");
        let free = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").expect("a port"));
        let [address, peers] = free.each_ref().map(|port| port.local_addr().expect("an address"));
        let [address, peers] = [address, peers].map(|address| address.to_string());
        drop(free);
        let [clients_url, peers_url] =
            [&address, &peers].map(|address| format!("http://{address}"));
        let process = Command::new("setpriv")
            .args(["--pdeathsig", "KILL"])
            .arg(program)
            .arg("--data-dir")
            .arg(directory.path())
            .args(["--listen-client-urls", &clients_url, "--advertise-client-urls", &clients_url])
            .args(["--listen-peer-urls", &peers_url, "--initial-advertise-peer-urls", &peers_url])
            .args(["--initial-cluster", &format!("default={peers_url}")])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("etcd runs");
        Self { process, address, _directory: directory }
    }
}

impl Drop for Etcd {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The Patroni of one node.
pub(super) struct Patroni {
    program: PathBuf,
    configuration: TempDir,
}

impl Patroni {
    /// Node 0, 1 or 2 of a cluster, with the settings for quorum commits that the page of replicas
    /// names.
    fn new(program: &Path, etcd: &Etcd, cluster: u64, number: usize) -> Self {
        let configuration = directory();
        let (name, host) = (Cluster::NAMES[number], format!("127.0.{cluster}.{}", number + 1));
        let (etcd, programs) = (&etcd.address, path_of("postgres"));
        let programs = programs.parent().expect("a directory").display();
        let pgpass = configuration.path().join("pgpass");
        let text = format!(
            "scope: userpool
name: {name}
restapi: {{listen: '{host}:8008', connect_address: '{host}:8008'}}
etcd3: {{host: '{etcd}'}}
bootstrap:
  dcs:
    ttl: 20
    loop_wait: 2
    retry_timeout: 5
    maximum_lag_on_failover: 0
    synchronous_mode: quorum
    synchronous_mode_strict: true
    synchronous_node_count: 1
    postgresql: {{parameters: {{max_connections: 60}}}}
  initdb: [auth: trust, encoding: UTF8, no-locale, no-sync]
postgresql:
  listen: {host}:5432
  connect_address: {host}:5432
  data_dir: DATA
  bin_dir: {programs}
  pgpass: {}
  remove_data_directory_on_diverged_timelines: true
  parameters: {{unix_socket_directories: SOCKETS}}
  pg_hba: [local all all trust, host all all 127.0.0.0/16 trust, host replication all 127.0.0.0/16 trust]
  authentication: {{superuser: {{username: {OWNER}}}, replication: {{username: {OWNER}}}}}
",
            pgpass.display()
        );
        fs::write(configuration.path().join("patroni.yml"), text).expect("written");
        Self { program: program.to_owned(), configuration }
    }

    /// The command that runs the node, with its data and its socket in these directories.
    pub(super) fn command(&self, data: &Path, sockets: &Path) -> Command {
        let path = self.configuration.path().join("patroni.yml");
        let text = fs::read_to_string(&path).expect("readable");
        let text = text.replace("DATA", &data.display().to_string());
        let text = text.replace("SOCKETS", &sockets.display().to_string());
        fs::write(&path, text).expect("written");
        give(&path, 0o600);
        let mut command = command_as_postgres(None, "TERM", &self.program);
        command.arg(path);
        command
    }
}

/// Three nodes that Patroni runs, or `None` if that is not to be tested.
async fn cluster(promise: &str) -> Option<(Cluster, Etcd)> {
    static CLUSTERS: AtomicU64 = AtomicU64::new(1);
    let (patroni, etcd) = tools::patroni(promise)?;
    let (etcd, cluster) = (Etcd::start(&etcd), CLUSTERS.fetch_add(1, Ordering::Relaxed));
    let options = [0, 1, 2].map(|number| NodeOptions {
        patroni: Some(Patroni::new(&patroni, &etcd, cluster, number)),
        ..NodeOptions::default()
    });
    Some((Cluster::start_managed(options).await, etcd))
}

#[tokio::test(flavor = "multi_thread")]
async fn patroni_replaces_a_lost_primary_and_nothing_is_lost() {
    let cluster = cluster("that Patroni replaces a lost primary, and nothing is lost").await;
    let Some((mut cluster, _etcd)) = cluster else { return };
    let mut random = Random::seeded();
    let mut replicas = Replicas::start(&cluster).await;
    replicas.load(&mut random);
    for _ in 0..rounds(1) {
        replicas.wait_for_changes(50 + random.below(200)).await;
        let killed = Instant::now();
        cluster.primary().kill();
        let former = cluster.wait_for_failover().await;
        replicas.wait_for_changes(1).await;
        eprintln!("acknowledged again {:?} after the loss of the primary", killed.elapsed());
        cluster.nodes[former].start().await;
        cluster.wait_for_standbys().await;
    }
    replicas.wait_for_changes(50).await;
    let acknowledged = replicas.check(&cluster).await;
    eprintln!("{acknowledged} changes acknowledged, all there");
}

#[tokio::test(flavor = "multi_thread")]
async fn patroni_replaces_a_frozen_primary_and_nothing_is_lost() {
    let cluster = cluster("that Patroni replaces a frozen primary, and nothing is lost").await;
    let Some((mut cluster, _etcd)) = cluster else { return };
    let mut random = Random::seeded();
    let mut replicas = Replicas::start_with(&cluster, &["--reads", "strict"]).await;
    replicas.load(&mut random);
    for _ in 0..rounds(1) {
        replicas.wait_for_changes(50 + random.below(200)).await;
        cluster.primary().signal_all("STOP");
        let former = cluster.wait_for_failover().await;
        replicas.wait_for_changes(50).await;
        // It goes on in the belief that it is the primary, until Patroni looks.
        cluster.nodes[former].signal_all("CONT");
        replicas.wait_for_changes(50).await;
        cluster.wait_for_standbys().await;
    }
    replicas.wait_for_changes(50).await;
    let acknowledged = replicas.check(&cluster).await;
    eprintln!("{acknowledged} changes acknowledged, all there");
}
