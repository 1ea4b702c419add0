//! Three servers on a cluster, under load: random calls of clients that retry at any server. At
//! the end, every answer must be explained by one order of all changes, which is the log that
//! each server shows.

use std::{
    fs::{self, OpenOptions},
    path::PathBuf,
    sync::Arc,
    thread,
    time::Duration,
};

use tempfile::TempDir;
use tokio::{
    process::Command,
    task::JoinSet,
    time::{Instant, sleep},
};
use tonic::transport::Channel;
use userpool::{
    audit::checkpoint::Signer,
    event_log::{EventLog as _, Position, PostgresLog, ReadLimit, Record},
    telemetry::metrics::LogMetrics,
};

use super::{
    any_server::{AnyServer, Calls},
    cluster::{self, Cluster, new_name},
    network::{Member, Place},
};
use crate::{
    binary::{BINARY, Process, run, userpool, userpool_by},
    linearizability::{Run, Worker, agree, log},
    random::Random,
};

const SERVERS: usize = 3;
const CLIENTS: usize = 32;
/// How often, and how many times, something is asked that is expected to come.
const ASK_INTERVAL: Duration = Duration::from_millis(20);
const ASK_ATTEMPTS: usize = 6000;

/// Three servers and their clients.
pub(super) struct Replicas {
    directory: TempDir,
    name: String,
    url: String,
    settings: &'static [&'static str],
    /// Where the servers are in a network, if they are in one.
    places: Option<[Place; SERVERS]>,
    /// `None` while it does not run.
    servers: [Option<Process>; SERVERS],
    pub(super) addresses: Vec<String>,
    run: Arc<Run>,
    pub(super) calls: Arc<Calls>,
    clients: JoinSet<()>,
}

impl Replicas {
    /// Starts the servers on a new log of the cluster.
    pub(super) async fn start(cluster: &Cluster) -> Self {
        Self::start_with(cluster, &[]).await
    }

    /// The same with other settings.
    pub(super) async fn start_with(cluster: &Cluster, settings: &'static [&'static str]) -> Self {
        let directory = TempDir::new().expect("a directory");
        let name = new_name();
        let key = Signer::open_key(&directory.path().join("key.pem")).expect("a key");
        cluster::create(cluster.primary(), &name, &key.public_key()).await;
        let places = cluster
            .network()
            .map(|network| [0, 1, 2].map(|server| network.place(Member::Server(server)).clone()));
        let address = |server| match places {
            // A socket is reached from any namespace.
            Some(_) => format!("unix:{}/{server}.socket", directory.path().display()),
            None => "127.0.0.1:0".to_owned(),
        };
        let mut replicas = Self {
            addresses: (0..SERVERS).map(address).collect(),
            places,
            directory,
            name,
            url: cluster.url(),
            settings,
            servers: [None, None, None],
            run: Arc::default(),
            calls: Arc::default(),
            clients: JoinSet::new(),
        };
        for server in 0..SERVERS {
            replicas.start_server(server).await;
        }
        replicas
    }

    /// How a server is started.
    pub(super) fn command(&self, server: usize) -> Command {
        let place = self.places.as_ref().map(|places| &places[server]);
        let mut command = place.map_or_else(userpool, |place| userpool_by(place.command(BINARY)));
        command
            .arg("serve")
            .arg("--data-dir")
            .arg(self.data_dir(server))
            .args(["--listen", &self.addresses[server]])
            .args(["--replica", &format!("userpool-{server}")])
            .args(["--log-url", &self.url, "--log-name", &self.name, "--signing-key"])
            .arg(self.directory.path().join("key.pem"))
            .args(self.settings);
        command
    }

    /// What the processes of a server have logged.
    pub(super) fn logged(&self, server: usize) -> String {
        fs::read_to_string(self.log_file(server)).unwrap_or_default()
    }

    fn log_file(&self, server: usize) -> PathBuf {
        self.directory.path().join(format!("{server}.log"))
    }

    pub(super) fn data_dir(&self, server: usize) -> PathBuf {
        self.directory.path().join(server.to_string())
    }

    /// Starts a server, at the same address as before.
    pub(super) async fn start_server(&mut self, server: usize) {
        let log = OpenOptions::new().create(true).append(true).open(self.log_file(server));
        let process = Process::from(self.command(server).stderr(log.expect("a file"))).await;
        process.address().clone_into(&mut self.addresses[server]);
        self.servers[server] = Some(process);
    }

    pub(super) async fn kill_server(&mut self, server: usize) {
        self.take(server).kill().await;
    }

    /// The process of a server that runs.
    pub(super) fn take(&mut self, server: usize) -> Process {
        self.servers[server].take().expect("it runs")
    }

    pub(super) async fn signal_server(&self, server: usize, signal: &str) {
        self.servers[server].as_ref().expect("it runs").signal(signal).await;
    }

    pub(super) async fn channel(&self, server: usize) -> Channel {
        self.servers[server].as_ref().expect("it runs").channel().await
    }

    /// Has clients call, until the check.
    pub(super) fn load(&mut self, random: &mut Random) {
        self.load_with(CLIENTS, random);
    }

    /// The same with another number of clients.
    pub(super) fn load_with(&mut self, clients: usize, random: &mut Random) {
        for client in 0..clients {
            let channel = AnyServer::new(&self.calls, &self.addresses, client % SERVERS);
            let worker = Worker::new(&self.run, random.fork(), channel, client % 4 == 0);
            self.clients.spawn(worker.work(usize::MAX));
        }
    }

    /// Waits for so many more acknowledged changes, and returns how long it took.
    pub(super) async fn wait_for_changes(&self, count: usize) -> Duration {
        let (begun, enough) = (Instant::now(), self.calls.count() + count);
        for _ in 0..ASK_ATTEMPTS {
            if self.calls.count() >= enough {
                return begun.elapsed();
            }
            sleep(ASK_INTERVAL).await;
        }
        unreachable!("no {count} changes were acknowledged, but {}", self.calls.count());
    }

    /// Ends the load. No change follows.
    pub(super) async fn stop_load(&mut self) {
        self.calls.stop();
        while let Some(client) = self.clients.join_next().await {
            client.expect("no panic");
        }
    }

    /// Ends the load, and checks every answer against the log that each server shows. Returns
    /// how many changes were acknowledged.
    pub(super) async fn check(mut self, cluster: &Cluster) -> usize {
        self.stop_load().await;
        agree(&self.run, &self.channel(0).await).await;
        let shown = log(&self.channel(0).await).await;
        for server in 1..SERVERS {
            assert_eq!(log(&self.channel(server).await).await, shown, "server {server}");
        }
        assert_eq!(self.records(cluster).await.len(), shown.len(), "records of the database");
        // From outside, every hash.
        let verified = run(userpool().args(["verify", "--endpoint", &self.addresses[0]])).await;
        assert!(verified.status.success(), "{verified:?}");
        for server in 0..SERVERS {
            let ended = self.take(server).terminate("TERM").await;
            assert!(ended.status.success(), "server {server}: {}", self.logged(server));
        }
        self.calls.count()
    }

    /// The records of the log, whose chain is whole.
    async fn records(&self, cluster: &Cluster) -> Vec<Record> {
        let mut settings = cluster.settings();
        settings.name = self.name.parse().expect("a name");
        let log = PostgresLog::open(settings, None, LogMetrics::default()).await.expect("a log");
        let mut records: Vec<Record> = Vec::new();
        loop {
            let head = records.last().map(Record::head).unwrap_or_default();
            let after = records.last().map_or(Position::START, |record| record.position);
            let page = log.read(after, ReadLimit::PAGE).await.expect("readable");
            let Some(first) = page.first() else { return records };
            first.check_follows(head).expect("a whole chain");
            records.extend(page);
        }
    }
}

impl Drop for Replicas {
    /// Shows why a server ended, if that failed the test.
    fn drop(&mut self) {
        if thread::panicking() {
            for server in 0..SERVERS {
                let logged = self.logged(server);
                let lines: Vec<_> = logged.lines().rev().take(8).collect();
                eprintln!("server {server}, the last line first: {lines:#?}");
            }
        }
    }
}
