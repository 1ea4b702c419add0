//! The log of the process: a record for each call with its caller and address, as
//! JSON unless a person reads it, and a level that signals change.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::Stdio,
};

use serde_json::Value;
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::{Child, Command},
};
use tonic::{
    Request,
    transport::{Channel, Endpoint},
};
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};

use crate::{
    binary::serve,
    support::{Client, named},
};

/// A server whose log is in a file, which the test reads while it runs.
struct ServerWithLog {
    child: Child,
    channel: Channel,
    log: PathBuf,
}

impl ServerWithLog {
    async fn start(directory: &Path, listen: &str) -> Self {
        let log = directory.join("stderr");
        let mut command = serve(&directory.join("data"));
        command.args(["--listen", listen]).stdout(Stdio::piped());
        command.stderr(File::create(&log).expect("a file"));
        let mut child = command.spawn().expect("it starts");
        let stdout = BufReader::new(child.stdout.take().expect("a pipe"));
        let line = stdout.lines().next_line().await.expect("readable").expect("a line");
        let address = line.strip_prefix("userpool listening on ").expect("an address").to_owned();
        let address =
            if listen.starts_with("unix:") { address } else { format!("http://{address}") };
        let channel = Endpoint::from_shared(address).expect("an address");
        let channel = channel.connect().await.expect("a connection");
        Self { child, channel, log }
    }

    /// The values of `key` in the records so far.
    fn records(&self, key: &str, value: &str) -> Vec<Value> {
        let log = fs::read_to_string(&self.log).expect("a log");
        // The last line may be incomplete.
        let whole = log.rsplit_once('\n').map_or("", |(whole, _)| whole);
        let records = whole.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
        records.filter(|record| record[key] == value).collect()
    }

    /// The first such record, once it is written.
    async fn record(&self, key: &str, value: &str) -> Value {
        loop {
            if let Some(record) = self.records(key, value).pop() {
                return record;
            }
            tokio::task::yield_now().await;
        }
    }

    /// Sends the signal, and waits until the log names its new level.
    async fn signal(&self, signal: &str, filter: &str) {
        let process = self.child.id().expect("it runs").to_string();
        let sent = Command::new("sh").args(["-c", "kill -s $0 $1", signal, &process]).status();
        assert!(sent.await.expect("a shell").success());
        self.record("filter", filter).await;
    }

    async fn probe(&self, id: &str) {
        let mut request = Request::new(HealthCheckRequest::default());
        request.metadata_mut().insert("x-request-id", id.parse().expect("a value"));
        HealthClient::new(self.channel.clone()).check(request).await.expect("health");
    }

    async fn create(&self, id: &str, traceparent: Option<&str>) {
        let mut request = Request::new(named("people"));
        request.metadata_mut().insert("x-request-id", id.parse().expect("a value"));
        if let Some(traceparent) = traceparent {
            let value = traceparent.parse().expect("a value");
            request.metadata_mut().insert("traceparent", value);
        }
        Client::new(self.channel.clone()).create_user_pool(request).await.expect("created");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_record_of_a_call_names_caller_address_and_trace() {
    let directory = TempDir::new().expect("a directory");
    let server = ServerWithLog::start(directory.path(), "127.0.0.1:0").await;
    let trace = "0af7651916cd43dd8448eb211c80319c";
    server.create("traced", Some(&format!("00-{trace}-b7ad6b7169203331-01"))).await;
    server.create("plain", None).await;

    let traced = server.record("correlation_id", "traced").await;
    let plain = server.record("correlation_id", "plain").await;

    assert_eq!((&traced["message"], &traced["code"]), (&"rpc".into(), &"OK".into()));
    assert_eq!((&traced["trace_id"], &traced["actor"]), (&trace.into(), &"anonymous".into()));
    let peer = traced["peer"].as_str().expect("a peer");
    assert!(peer.starts_with("127.0.0.1:"), "{peer}");
    assert_eq!(plain.get("trace_id"), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_record_of_a_call_on_a_socket_names_user_and_process() {
    let directory = TempDir::new().expect("a directory");
    let listen = format!("unix:{}", directory.path().join("socket").display());
    let server = ServerWithLog::start(directory.path(), &listen).await;
    server.create("local", None).await;

    let record = server.record("correlation_id", "local").await;

    let actor = record["actor"].as_str().expect("an actor");
    assert!(actor.starts_with("local:uid="), "{actor}");
    assert_eq!(record["peer"], format!("pid={}", std::process::id()));
}

#[tokio::test(flavor = "multi_thread")]
async fn signals_raise_and_restore_the_log_level() {
    let directory = TempDir::new().expect("a directory");
    let server = ServerWithLog::start(directory.path(), "127.0.0.1:0").await;
    let filter = "info,fjall=warn,lsm_tree=warn,sled=warn";

    server.probe("before").await;
    server.signal("USR1", &format!("{filter},userpool=debug")).await;
    server.probe("during").await;
    server.record("correlation_id", "during").await;
    server.signal("USR2", filter).await;
    server.probe("after").await;
    server.create("last", None).await;
    server.record("correlation_id", "last").await;

    assert!(server.records("correlation_id", "before").is_empty());
    assert!(server.records("correlation_id", "after").is_empty());
}
