//! A server of PostgreSQL on this machine.
//!
//! It listens on a Unix socket in its directory, and nowhere else unless asked to.

use std::{
    fs,
    io::Write as _,
    net::TcpListener,
    path::PathBuf,
    process::{Command, Stdio},
    sync::{Mutex, MutexGuard, PoisonError, mpsc},
    thread,
    time::Duration,
};

use tempfile::TempDir;
use tokio::time::sleep;
use tokio_postgres::{NoTls, SimpleQueryMessage};

use super::{
    disk::Disk,
    network::Place,
    patroni::Patroni,
    programs::{directory, give, program, program_in, run},
};
use crate::authority::IssuedCertificate;

/// The owner of the tables.
pub(super) const OWNER: &str = "owner";
/// The role of the servers.
pub(super) const ROLE: &str = "userpool";
/// How often, and how many times, a node is asked whether it is ready.
const READY_INTERVAL: Duration = Duration::from_millis(50);
const READY_ATTEMPTS: usize = 1200;
/// How long a node may take to end.
const END_TIMEOUT: Duration = Duration::from_secs(20);

/// A server of the database.
pub(crate) struct Node {
    directory: TempDir,
    running: Mutex<Option<Running>>,
    port: u16,
    options: NodeOptions,
}

/// How a node is run.
#[derive(Default)]
pub(super) struct NodeOptions {
    /// Its place in a network, if it is in one.
    pub(super) place: Option<Place>,
    /// Where its files are, if they are on a disk of their own.
    pub(super) disk: Option<Disk>,
    /// The Patroni that starts it. `None`: the test starts it.
    pub(super) patroni: Option<Patroni>,
}

/// The port of a node that listens only on its socket.
const SOCKET_PORT: u16 = 5432;

/// A process of a node.
struct Running {
    id: u32,
    /// Is sent to when it has ended.
    ended: mpsc::Receiver<()>,
}

impl Node {
    /// A new database, with the roles of the owner and the servers.
    pub(super) async fn create(settings: &str, options: NodeOptions) -> Self {
        let node = Self::stopped(SOCKET_PORT, options);
        node.initialize(settings);
        node.start_new().await;
        node
    }

    /// The same, which is reached over the network as well: with TLS, by the servers with a
    /// password and by the owner with a certificate.
    pub(super) async fn encrypted(server: &IssuedCertificate, authority: &str) -> Self {
        let free = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = free.local_addr().expect("an address").port();
        drop(free);
        let node = Self::stopped(port, NodeOptions::default());
        node.initialize(&format!(
            "listen_addresses = 'localhost'\nport = {port}\nssl = on\nssl_ca_file = 'root.crt'"
        ));
        for (file, text) in [
            ("server.crt", server.certificate.as_str()),
            ("server.key", &server.key),
            ("root.crt", authority),
            (
                "pg_hba.conf",
                "local all all trust\n\
                 hostssl all userpool all scram-sha-256\n\
                 hostssl all owner all cert\n",
            ),
        ] {
            let path = node.data().join(file);
            fs::write(&path, text).expect("written");
            give(&path, 0o600);
        }
        node.start_new().await;
        node
    }

    /// A node that Patroni runs, and that is not started yet.
    pub(super) fn managed(options: NodeOptions) -> Self {
        Self::stopped(SOCKET_PORT, options)
    }

    fn stopped(port: u16, options: NodeOptions) -> Self {
        Self { directory: directory(), running: Mutex::default(), port, options }
    }

    fn initialize(&self, settings: &str) {
        run(program("initdb")
            .args(["--auth", "trust", "--username", OWNER, "--no-sync", "--encoding", "UTF8"])
            .args(["--no-locale", "--pgdata"])
            .arg(self.data()));
        // The last one of a setting is used.
        self.configure(&format!("listen_addresses = ''\n{settings}"));
        if self.options.place.is_some() {
            let path = self.data().join("pg_hba.conf");
            fs::write(
                &path,
                "local all all trust\nlocal replication all trust\n\
                 host all all 10.0.0.0/16 trust\nhost replication all 10.0.0.0/16 trust\n",
            )
            .expect("written");
        }
    }

    async fn start_new(&self) {
        self.start().await;
        self.create_roles().await;
    }

    /// Creates the role of the servers, and their database.
    pub(super) async fn create_roles(&self) {
        self.execute("postgres", &format!("create role {ROLE} login")).await;
        self.execute("postgres", "create database userpool").await;
    }

    /// A standby of a primary.
    pub(super) async fn standby(primary: &Self, name: &str, options: NodeOptions) -> Self {
        let node = Self::stopped(SOCKET_PORT, options);
        node.copy(primary, name).await;
        node
    }

    /// Becomes a standby of a primary, with a copy of its data instead of its own.
    pub(super) async fn copy(&self, primary: &Self, name: &str) {
        self.copy_data(primary);
        fs::write(self.data().join("standby.signal"), "").expect("written");
        self.follow(primary, name);
        self.start().await;
    }

    /// Replaces the data of this node, which does not run, with those of another.
    pub(super) fn copy_data(&self, other: &Self) {
        if self.data().exists() {
            fs::remove_dir_all(self.data()).expect("removed");
        }
        run(program("pg_basebackup")
            .args(["--checkpoint", "fast", "--no-sync", "--wal-method", "stream"])
            .args(["--username", OWNER, "--host"])
            .arg(other.directory.path())
            .arg("--pgdata")
            .arg(self.data()));
    }

    fn data(&self) -> PathBuf {
        let disk = self.options.disk.as_ref();
        disk.map_or_else(|| self.directory.path().join("data"), Disk::data)
    }

    /// The disk that its files are on.
    pub(super) fn disk(&self) -> &Disk {
        self.options.disk.as_ref().expect("it has one")
    }

    pub(super) fn configure(&self, settings: &str) {
        let path = self.data().join("postgresql.conf");
        let mut file = fs::OpenOptions::new().append(true).open(path).expect("a file");
        writeln!(file, "{settings}").expect("written");
    }

    /// Follows another primary after the next start or reload.
    pub(super) fn follow(&self, primary: &Self, name: &str) {
        let host = primary.host();
        self.configure(&format!(
            "primary_conninfo = 'host={host} user={OWNER} application_name={name}'"
        ));
    }

    /// Follows no primary after the next start or reload.
    pub(super) fn follow_nobody(&self) {
        self.configure("primary_conninfo = ''");
    }

    /// Starts it, and waits until it answers.
    pub(super) async fn start(&self) {
        let log = fs::File::create(self.directory.path().join("log")).expect("a file");
        let mut command = self.command();
        command.stderr(log);
        let ((started, id), (ending, ended)) = (mpsc::channel(), mpsc::channel());
        // The signal comes when the thread ends that started it, so this one waits.
        #[expect(clippy::disallowed_methods, reason = "no simulation runs a database")]
        thread::spawn(move || {
            let mut child = command.spawn().expect("postgres runs");
            started.send(child.id()).expect("somebody waits");
            child.wait().expect("it ends");
            // Nobody waits if it was not killed.
            let _ = ending.send(());
        });
        *self.running() = Some(Running { id: id.recv().expect("started"), ended });
        for _ in 0..READY_ATTEMPTS {
            if self.connect("postgres").await.is_ok() {
                return;
            }
            sleep(READY_INTERVAL).await;
        }
        unreachable!("the node does not start: {}", self.logged());
    }

    /// The command that runs it.
    fn command(&self) -> Command {
        let (place, sockets) = (self.options.place.as_ref(), self.directory.path());
        if let Some(patroni) = &self.options.patroni {
            return patroni.command(&self.data(), sockets);
        }
        let mut command = program_in(place, "postgres");
        command.arg("-D").arg(self.data()).arg("-k").arg(sockets);
        for setting in ["logging_collector=off", "max_connections=60"] {
            command.arg("-c").arg(setting);
        }
        if let Some(Place { address, .. }) = place {
            command.arg("-c").arg(format!("listen_addresses={address}"));
        }
        command
    }

    /// What it has logged since its last start.
    pub(super) fn logged(&self) -> String {
        fs::read_to_string(self.directory.path().join("log")).unwrap_or_default()
    }

    fn running(&self) -> MutexGuard<'_, Option<Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn id(&self) -> Option<u32> {
        self.running().as_ref().map(|running| running.id)
    }

    /// Waits until it has ended.
    fn wait(&self) {
        if let Some(Running { ended, .. }) = self.running().take() {
            let _ = ended.recv_timeout(END_TIMEOUT);
        }
    }

    /// Sends a signal to the postmaster.
    pub(super) fn signal(&self, signal: &str) {
        let Some(id) = self.id() else { return };
        run(Command::new("kill").args(["-s", signal, &id.to_string()]).stderr(Stdio::piped()));
    }

    /// Sends a signal to every process of the node.
    pub(super) fn signal_all(&self, signal: &str) {
        let Some(id) = self.id() else { return };
        for process in [Some(id), self.postmaster()].into_iter().flatten().flat_map(process_tree) {
            // It may have ended.
            let _ =
                Command::new("kill").args(["-s", signal, &process]).stderr(Stdio::null()).status();
        }
    }

    /// The postmaster of a node that Patroni runs, which is no child of Patroni.
    fn postmaster(&self) -> Option<u32> {
        self.options.patroni.as_ref()?;
        let lines = fs::read_to_string(self.data().join("postmaster.pid")).ok()?;
        let id = lines.lines().next()?.parse().ok()?;
        // The file may be that of an earlier one.
        let directory = fs::read_link(format!("/proc/{id}/cwd")).ok()?;
        (directory == self.data()).then_some(id)
    }

    /// Kills the first process. The others notice that, and until then show commits that waited
    /// for a standby.
    pub(super) fn kill_postmaster(&self) {
        self.signal("KILL");
        self.wait();
    }

    /// Kills it, as a loss of the machine does: every process at once.
    pub(super) fn kill(&self) {
        self.signal_all("STOP");
        self.signal_all("KILL");
        self.wait();
    }

    /// Makes a standby the primary.
    pub(super) fn promote(&self) {
        run(program("pg_ctl").args(["promote", "--no-wait", "--pgdata"]).arg(self.data()));
    }

    async fn connect(
        &self,
        database: &str,
    ) -> Result<tokio_postgres::Client, tokio_postgres::Error> {
        let mut config = tokio_postgres::Config::new();
        config.host_path(self.directory.path()).port(self.port).user(OWNER).dbname(database);
        let (client, connection) = config.connect(NoTls).await?;
        tokio::spawn(connection);
        Ok(client)
    }

    /// Executes statements as the owner.
    pub(super) async fn execute(&self, database: &str, sql: &str) {
        let executed = self.try_execute(database, sql).await;
        executed.unwrap_or_else(|error| unreachable!("{sql}: {error:?}"));
    }

    /// Executes statements as the owner, which may be refused.
    pub(super) async fn try_execute(
        &self,
        database: &str,
        sql: &str,
    ) -> Result<(), tokio_postgres::Error> {
        self.connect(database).await.expect("connected").batch_execute(sql).await
    }

    /// The single value of a query as the owner.
    pub(super) async fn value(&self, sql: &str) -> String {
        self.try_value(sql).await.expect("an answer")
    }

    /// The same of a node that may not run.
    pub(super) async fn try_value(&self, sql: &str) -> Result<String, tokio_postgres::Error> {
        let messages = self.connect("userpool").await?.simple_query(sql).await?;
        let value = messages.iter().find_map(|message| {
            let SimpleQueryMessage::Row(row) = message else { return None };
            row.get(0).map(str::to_owned)
        });
        Ok(value.unwrap_or_default())
    }

    /// Waits until a query as the owner has an answer other than nothing and 0.
    pub(super) async fn wait_for(&self, sql: &str) -> String {
        for _ in 0..READY_ATTEMPTS {
            // Patroni may restart it meanwhile.
            let value = self.try_value(sql).await;
            if let Ok(value) = value
                && !value.is_empty()
                && value != "0"
            {
                return value;
            }
            sleep(READY_INTERVAL).await;
        }
        unreachable!("no answer to {sql}");
    }

    /// Its port, if it listens on the network.
    pub(super) const fn port(&self) -> u16 {
        self.port
    }

    /// The path of its socket.
    pub(super) fn socket(&self) -> PathBuf {
        self.directory.path().join(".s.PGSQL.5432")
    }

    /// The directory of its socket, with which it is reached from any namespace.
    pub(super) fn directory(&self) -> String {
        self.directory.path().display().to_string()
    }

    /// Where servers and standbys reach it.
    pub(super) fn host(&self) -> String {
        self.options.place.as_ref().map_or_else(|| self.directory(), |place| place.address.clone())
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if self.id().is_some() {
            self.signal_all("CONT");
            self.signal_all("QUIT");
            self.wait();
        }
    }
}

/// A process, and those that it and its children have started.
fn process_tree(id: u32) -> Vec<String> {
    let listed = Command::new("ps").args(["-e", "-o", "pid=,ppid="]).output().expect("ps");
    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
    let parents: Vec<_> = listed.lines().filter_map(|line| line.trim().split_once(' ')).collect();
    let mut tree = vec![id.to_string()];
    let mut next = 0;
    while let Some(parent) = tree.get(next).cloned() {
        let children = parents.iter().filter(|(_, of)| of.trim() == parent);
        tree.extend(children.map(|(child, _)| (*child).to_owned()));
        next += 1;
    }
    tree
}
