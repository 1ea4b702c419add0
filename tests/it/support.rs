//! A real server on port 0 with a fixed clock and fixed identifiers, and clients for
//! it.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use fjall::Keyspace;
use prost::Message as _;
use prost_types::Timestamp;
use tempfile::TempDir;
use tokio::{
    net::UnixStream,
    sync::oneshot,
    task::{JoinHandle, yield_now},
    time::timeout,
};
use tonic::{
    Status,
    transport::{Channel, Error},
};
use tonic_types::StatusExt as _;
use userpool::{
    app::Source,
    event_log::{EventLog, Head, MemoryLog},
    proto::{
        CreateUserPoolDomainRequest, CreateUserPoolRequest, DescribeUserPoolRequest,
        ListUserPoolsRequest, UserPool, UserPoolCreated, UserPoolDescription, UserPoolEvent,
        UserPoolEventType, UserPoolUpdated, user_pool_event::Payload,
        user_pool_service_client::UserPoolServiceClient,
    },
    server::{Config, Server, ServerError},
    transport::Endpoint,
};
use uuid::Uuid;

/// A client of the service.
pub(crate) type Client = UserPoolServiceClient<Channel>;

/// A clock that moves one second each time it is read, and identifiers that count up.
#[derive(Debug, Default)]
pub(crate) struct FixedSource {
    reads: AtomicU64,
    drawn: AtomicU64,
}

impl FixedSource {
    /// A source whose identifiers begin at this number.
    pub(crate) fn starting_at(number: u64) -> Self {
        Self { reads: AtomicU64::default(), drawn: AtomicU64::new(number) }
    }
}

impl Source for FixedSource {
    fn now(&self) -> DateTime<Utc> {
        // The application reads it once when it starts.
        let seconds = self.reads.fetch_add(1, Ordering::Relaxed).saturating_sub(1);
        let start = DateTime::from_timestamp(1_512_950_400, 0).expect("2017-12-11");
        start + TimeDelta::seconds(i64::try_from(seconds).expect("a small number"))
    }

    fn uuid(&self) -> Uuid {
        Uuid::from_u128(self.drawn.fetch_add(1, Ordering::Relaxed).into())
    }

    fn user_pool_suffix(&self) -> String {
        format!("{:09}", self.drawn.fetch_add(1, Ordering::Relaxed))
    }
}

/// The settings that tests run with.
pub(crate) fn config(data_dir: &Path) -> Config {
    let listen = Endpoint::Tcp("127.0.0.1:0".to_owned());
    let account_id = "123456789012".to_owned();
    Config { account_id, ..Config::new(listen, data_dir.to_owned()) }
}

/// A server in this process.
#[derive(Debug)]
pub(crate) struct TestServer {
    pub(crate) endpoint: Endpoint,
    /// The address of its metrics, if it serves them.
    pub(crate) metrics: Option<Endpoint>,
    /// The URL for AWS clients, if it serves them.
    pub(crate) aws_url: Option<String>,
    /// The URL of the console, if it serves one.
    pub(crate) console_url: Option<String>,
    directory: Option<TempDir>,
    stop: oneshot::Sender<()>,
    served: JoinHandle<Result<(), ServerError>>,
    source: Arc<FixedSource>,
}

impl TestServer {
    /// A server with an empty data directory of its own.
    pub(crate) async fn start() -> Self {
        Self::with(|_| ()).await
    }

    /// The same, on a data directory that another server has left.
    pub(crate) async fn start_in(directory: TempDir) -> Self {
        Self::with_in(directory, |_| ()).await
    }

    /// A server with an empty data directory of its own, and with other settings.
    pub(crate) async fn with(change: impl FnOnce(&mut Config)) -> Self {
        Self::with_in(TempDir::new().expect("a directory"), change).await
    }

    /// The same, on a data directory that another server has left.
    pub(crate) async fn with_in(directory: TempDir, change: impl FnOnce(&mut Config)) -> Self {
        Self::with_identifiers_in(directory, 0, change).await
    }

    /// A server whose identifiers begin at this number, for one that shares its log.
    pub(crate) async fn with_identifiers(number: u64, change: impl FnOnce(&mut Config)) -> Self {
        Self::with_identifiers_in(TempDir::new().expect("a directory"), number, change).await
    }

    async fn with_identifiers_in(
        directory: TempDir,
        number: u64,
        change: impl FnOnce(&mut Config),
    ) -> Self {
        let mut config = config(directory.path());
        change(&mut config);
        let source = Arc::new(FixedSource::starting_at(number));
        let ready = Server::start(config, Arc::<FixedSource>::clone(&source)).await;
        Self::serve(ready.expect("a server"), Some(directory), source)
    }

    /// A server on any log; its read model is rebuilt from it.
    pub(crate) async fn on(log: Arc<dyn EventLog>) -> Self {
        Self::on_with(log, FixedSource::default(), |_| ()).await
    }

    /// The same, with other settings and this source of time and identifiers.
    pub(crate) async fn on_with(
        log: Arc<dyn EventLog>,
        source: FixedSource,
        change: impl FnOnce(&mut Config),
    ) -> Self {
        let directory = TempDir::new().expect("a directory");
        let mut config = config(directory.path());
        change(&mut config);
        let source = Arc::new(source);
        let read_model = directory.path().join("read_model");
        let ready = Server::on(log, &read_model, config, Arc::<FixedSource>::clone(&source)).await;
        Self::serve(ready.expect("a server"), Some(directory), source)
    }

    /// A server with an empty log in memory, and with this source of time and
    /// identifiers.
    pub(crate) async fn with_source(source: Arc<dyn Source>) -> Self {
        Self::with_source_on(Arc::new(MemoryLog::default()), source).await
    }

    /// The same on any log.
    pub(crate) async fn with_source_on(log: Arc<dyn EventLog>, source: Arc<dyn Source>) -> Self {
        let directory = TempDir::new().expect("a directory");
        let config = config(directory.path());
        let read_model = directory.path().join("read_model");
        let ready = Server::on(log, &read_model, config, source).await;
        Self::serve(ready.expect("a server"), Some(directory), Arc::default())
    }

    fn serve(ready: Server, directory: Option<TempDir>, source: Arc<FixedSource>) -> Self {
        let (endpoint, metrics) = (ready.endpoint(), ready.metrics_endpoint());
        let (aws_url, console_url) = (ready.aws_url(), ready.console_url());
        let (stop, stopped) = oneshot::channel();
        let served = tokio::spawn(ready.serve(async {
            let _ = stopped.await;
        }));
        Self { endpoint, metrics, aws_url, console_url, directory, stop, served, source }
    }

    /// The path of the data directory.
    pub(crate) fn data_dir(&self) -> &Path {
        self.directory.as_ref().expect("a directory").path()
    }

    /// A new connection.
    pub(crate) async fn channel(&self) -> Channel {
        let address = format!("http://{}", self.endpoint);
        let endpoint = Channel::from_shared(address).expect("an address");
        endpoint.connect().await.expect("a connection")
    }

    /// A client with a new connection, or an error if the server has ended.
    pub(crate) async fn try_client(&self) -> Result<UserPoolServiceClient<Channel>, Error> {
        let address = format!("http://{}", self.endpoint);
        let endpoint = Channel::from_shared(address).expect("an address");
        endpoint.connect().await.map(UserPoolServiceClient::new)
    }

    /// A client with a new connection.
    pub(crate) async fn client(&self) -> UserPoolServiceClient<Channel> {
        UserPoolServiceClient::new(self.channel().await)
    }

    /// Stops it gracefully and waits for the end; returns the data directory.
    pub(crate) async fn stop(mut self) -> TempDir {
        let directory = self.directory.take().expect("a directory");
        let _ = self.stop.send(());
        self.served.await.expect("no panic").expect("served to the end");
        directory
    }

    /// Waits for a server that stops by itself; returns the data directory, too.
    pub(crate) async fn ended_in(mut self) -> (TempDir, Result<(), ServerError>) {
        (self.directory.take().expect("a directory"), self.ended().await)
    }

    /// Waits for a server that stops by itself.
    pub(crate) async fn ended(self) -> Result<(), ServerError> {
        let _stop = self.stop;
        self.served.await.expect("no panic")
    }

    /// Stops it gracefully; returns the result.
    pub(crate) async fn try_stop(self) -> Result<(), ServerError> {
        let _ = self.stop.send(());
        self.served.await.expect("no panic")
    }

    /// Stops it gracefully and starts it again on the same data directory.
    pub(crate) async fn restart(self) -> Self {
        self.restart_after(|_| ()).await
    }

    /// The same, with a change to the data directory in between.
    pub(crate) async fn restart_after(self, change: impl FnOnce(&Path)) -> Self {
        self.restart_with(|config| change(&config.data_dir)).await
    }

    /// The same, with other settings than the default ones.
    pub(crate) async fn restart_with(self, change: impl FnOnce(&mut Config)) -> Self {
        let source = Arc::clone(&self.source);
        let directory = self.stop().await;
        let mut config = config(directory.path());
        change(&mut config);
        let ready = Server::start(config, Arc::<FixedSource>::clone(&source)).await;
        Self::serve(ready.expect("a server"), Some(directory), source)
    }
}

/// Copies the content of a directory into another one.
pub(crate) fn copy_directory(from: &Path, to: &Path) {
    copy_directory_without(&[], from, to);
}

/// The same without these paths.
pub(crate) fn copy_directory_without(excluded: &[PathBuf], from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a directory");
    for entry in fs::read_dir(from).expect("a directory") {
        let path = entry.expect("an entry").path();
        let target = to.join(path.file_name().expect("a name"));
        if excluded.contains(&path) {
            continue;
        }
        if path.is_dir() {
            copy_directory_without(excluded, &path, &target);
        } else {
            fs::copy(&path, target).expect("copied");
        }
    }
}

/// A request for a user pool with only a name.
pub(crate) fn named(name: &str) -> CreateUserPoolRequest {
    CreateUserPoolRequest { pool_name: Some(name.to_owned()), ..Default::default() }
}

/// A request for a domain.
pub(crate) fn domain(prefix: &str, user_pool_id: &str) -> CreateUserPoolDomainRequest {
    CreateUserPoolDomainRequest {
        domain: Some(prefix.to_owned()),
        user_pool_id: Some(user_pool_id.to_owned()),
        ..Default::default()
    }
}

/// The ARN of a user pool of a test server.
pub(crate) fn arn(user_pool_id: &str) -> String {
    format!("arn:aws:cognito-idp:us-east-1:123456789012:userpool/{user_pool_id}")
}

/// Creates a user pool and returns its ID.
pub(crate) async fn create(client: &mut UserPoolServiceClient<Channel>, name: &str) -> String {
    let created = client.create_user_pool(named(name)).await.expect("a user pool").into_inner();
    created.user_pool.and_then(|pool| pool.id).expect("an ID")
}

/// Describes a user pool.
pub(crate) async fn describe(client: &mut Client, id: &str) -> Result<UserPool, Status> {
    let request = DescribeUserPoolRequest {
        user_pool_id: Some(id.to_owned()),
        ..DescribeUserPoolRequest::default()
    };
    let described = client.describe_user_pool(request).await?;
    Ok(described.into_inner().user_pool.expect("a user pool"))
}

/// Every user pool, over as many pages as there are.
pub(crate) async fn pools(client: &mut Client) -> Vec<UserPoolDescription> {
    let mut pools = Vec::new();
    let mut next_token = None;
    loop {
        let list = ListUserPoolsRequest {
            max_results: Some(60),
            next_token,
            ..ListUserPoolsRequest::default()
        };
        let page = client.list_user_pools(list).await.expect("listed").into_inner();
        pools.extend(page.user_pools);
        next_token = page.next_token;
        if next_token.is_none() {
            return pools;
        }
    }
}

/// The reason in the `ErrorInfo`.
pub(crate) fn reason(status: &Status) -> String {
    let info = status.get_details_error_info();
    assert!(info.is_some(), "no ErrorInfo: {status:?}");
    info.expect("an ErrorInfo").reason
}

/// One value of `ErrorInfo.metadata`.
pub(crate) fn metadata(status: &Status, key: &str) -> Option<String> {
    status.get_details_error_info().expect("an ErrorInfo").metadata.get(key).cloned()
}

/// The fields that a `BadRequest` names.
pub(crate) fn fields(status: &Status) -> Vec<String> {
    let details = status.get_details_bad_request().expect("a BadRequest");
    details.field_violations.into_iter().map(|violation| violation.field).collect()
}

/// Waits until a server accepts connections on a socket. Its file is there earlier.
pub(crate) async fn wait_for_listener(socket: &Path) {
    while UnixStream::connect(socket).await.is_err() {
        yield_now().await;
    }
}

/// Waits for what takes far less than a minute, so that a test fails instead of waiting forever.
pub(crate) async fn in_time<T>(awaited: impl Future<Output = T>) -> T {
    timeout(Duration::from_mins(1), awaited).await.expect("it ends within a minute")
}

/// A server whose log has one user pool with this many events.
pub(crate) async fn long_log(events: usize) -> TestServer {
    let log = MemoryLog::default();
    let bodies = (1..=events).map(|revision| event_body("us-east-1_AbCdEfGhI", revision)).collect();
    log.append(Head::default(), bodies).await.expect("appended");
    TestServer::on(Arc::new(log)).await
}

/// The stored form of an event: the creation of a user pool, then updates of it.
pub(crate) fn event_body(user_pool_id: &str, revision: usize) -> Bytes {
    let revision = i64::try_from(revision).expect("a small number");
    let id = Some(user_pool_id.to_owned());
    let user_pool = Some(UserPool { id, name: Some("long".to_owned()), ..Default::default() });
    let (kind, payload) = if revision == 1 {
        let created = UserPoolCreated { user_pool };
        (UserPoolEventType::UserPoolCreated, Payload::UserPoolCreated(Box::new(created)))
    } else {
        let updated = UserPoolUpdated { user_pool, ..Default::default() };
        (UserPoolEventType::UserPoolUpdated, Payload::UserPoolUpdated(Box::new(updated)))
    };
    let event = UserPoolEvent {
        position: revision,
        user_pool_id: user_pool_id.to_owned(),
        revision,
        r#type: kind.into(),
        record_time: Some(Timestamp { seconds: revision, nanos: 0 }),
        schema_version: 1,
        payload: Some(payload),
        ..Default::default()
    };
    event.encode_to_vec().into()
}

/// Changes the read model of a stopped server: the keyspaces of its states and of its index.
pub(crate) fn change_read_model(path: &Path, change: impl FnOnce(&Keyspace, &Keyspace)) {
    let db = fjall::Database::builder(path).worker_threads(1).open().expect("a database");
    let keyspace =
        |name| db.keyspace(name, fjall::KeyspaceCreateOptions::default).expect("a keyspace");
    change(&keyspace("states"), &keyspace("index"));
    db.persist(fjall::PersistMode::SyncAll).expect("synced");
}

/// Changes a sled database that is not open, and waits until it is closed again.
pub(crate) fn change_database(path: &Path, change: impl FnOnce(&sled::Db)) {
    let db = sled::open(path).expect("a database");
    change(&db);
    db.flush().expect("flushed");
    drop(db);
    // Its threads release it a moment later.
    File::open(path.join("db")).and_then(|file| file.lock()).expect("closed");
}
