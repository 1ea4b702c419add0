//! `deploy/local-replicas`, as a person uses it: the servers go on when a node is killed and a
//! standby is promoted, and nothing is left behind.

use std::{
    collections::BTreeMap,
    process::{ExitStatus, Stdio},
    time::Duration,
};

use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines},
    process::{Child, ChildStdin, ChildStdout, Command},
    time::timeout,
};
use tonic::transport::Endpoint;
use userpool::proto::{CreateUserPoolRequest, user_pool_service_client::UserPoolServiceClient};
use uuid::Uuid;

use super::deploy;
use crate::support::{Client, named};

/// Longer than anything here takes, unless it hangs.
const PATIENCE: Duration = Duration::from_mins(2);
/// How long one attempt of a call may take.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(10);

/// The running script.
struct Replicas {
    child: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
    endpoints: BTreeMap<String, String>,
}

impl Replicas {
    /// Runs the script, with its files in a directory.
    async fn start(directory: &TempDir) -> Self {
        let mut child = Command::new(deploy("local-replicas"))
            .env("USERPOOL", env!("CARGO_BIN_EXE_userpool"))
            .env("PORT", "0")
            .env("TMPDIR", directory.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("it runs");
        let input = child.stdin.take().expect("a pipe");
        let output = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        let mut replicas = Self { child, input, output, endpoints: BTreeMap::new() };
        replicas.answer("the primary, and its standbys").await;
        for line in replicas.command("status", "server 2").await {
            if let Some(server) = line.strip_prefix("server ") {
                let (name, rest) = server.split_once(" on ").expect("an endpoint");
                let (endpoint, _) = rest.split_once(": ").expect("a state");
                replicas.endpoints.insert(name.to_owned(), endpoint.to_owned());
            }
        }
        replicas
    }

    /// Enters a command, and returns the lines up to one that contains this text.
    async fn command(&mut self, command: &str, end: &str) -> Vec<String> {
        self.input.write_all(format!("{command}\n").as_bytes()).await.expect("written");
        self.answer(end).await
    }

    async fn answer(&mut self, end: &str) -> Vec<String> {
        let mut lines: Vec<String> = Vec::new();
        let read = timeout(PATIENCE, async {
            while !lines.last().is_some_and(|line| line.contains(end)) {
                let line = self.output.next_line().await.expect("readable");
                lines.push(line.expect("it still runs"));
            }
        });
        assert!(read.await.is_ok(), "no line with {end}: {lines:?}");
        lines
    }

    fn client(&self, server: &str) -> Client {
        let endpoint = format!("http://{}", self.endpoints[server]);
        let endpoint = Endpoint::from_shared(endpoint).expect("an address");
        UserPoolServiceClient::new(endpoint.connect_lazy())
    }

    /// Creates a user pool through a server, however often it takes, and returns its position.
    async fn create(&self, server: &str, number: u128) -> i64 {
        let mut client = self.client(server);
        let request_id = Some(Uuid::from_u128(number).to_string());
        let created = timeout(PATIENCE, async {
            loop {
                let request =
                    CreateUserPoolRequest { request_id: request_id.clone(), ..named("people") };
                let asked = timeout(ATTEMPT_TIMEOUT, client.create_user_pool(request)).await;
                if let Ok(Ok(created)) = asked {
                    return created.into_inner().position;
                }
            }
        });
        created.await.expect("in time")
    }

    /// Ends its input.
    async fn end(self) -> ExitStatus {
        let Self { mut child, input, .. } = self;
        drop(input);
        timeout(PATIENCE, child.wait()).await.expect("in time").expect("it ends")
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn local_replicas_go_on_without_their_primary() {
    let directory = TempDir::new().expect("a directory");
    // The user of the database must be able to enter it.
    std::fs::set_permissions(directory.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755))
        .expect("changed");
    let mut replicas = Replicas::start(&directory).await;
    assert_eq!(replicas.create("0", 1).await, 1);

    replicas.command("kill a", "a is killed").await;
    let promoted = replicas.command("promote", " is the primary").await;
    // The one with more records, which is known only now.
    let is_b = promoted.last().is_some_and(|line| line.starts_with("node b"));
    let (primary, standby) = if is_b { ("b", "c") } else { ("c", "b") };
    assert_eq!(replicas.create("1", 2).await, 2);
    replicas.command("start a", "node a runs").await;
    replicas.command("kill 2", "2 is killed").await;
    replicas.command("start 2", "server 2 serves").await;
    assert_eq!(replicas.create("2", 3).await, 3);
    // Nothing is acknowledged when no standby has it.
    replicas.command(&format!("kill {standby}"), " is killed").await;
    let refused = replicas.command("promote", &format!("start {standby} first")).await;
    assert!(refused.concat().contains("may have commits"), "{refused:?}");
    assert_eq!(replicas.create("0", 4).await, 4);
    let status = replicas.command("status", "server 2").await;
    for expected in [
        "node a: standby, ".to_owned(),
        format!("node {primary}: primary, 4 records"),
        format!("node {standby}: standby, does not run"),
    ] {
        assert!(status.iter().any(|line| line.starts_with(&expected)), "{expected}: {status:?}");
    }

    assert!(replicas.end().await.success());
    let left = std::fs::read_dir(directory.path()).expect("readable").count();
    assert_eq!(left, 0, "files are left");
}
