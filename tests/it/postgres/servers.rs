//! Servers that share a log in a database.

use std::{fs, path::PathBuf, sync::Arc};

use tempfile::TempDir;
use userpool::{
    audit::checkpoint::Signer,
    cli::CliError,
    event_log::{Durability, LogUrl, PostgresSettings},
    proto::{
        CreateUserPoolRequest, DescribeUserPoolRequest, WatchUserPoolEventsRequest,
        user_pool_history_service_client::UserPoolHistoryServiceClient,
        watch_user_pool_events_request::Start, watch_user_pool_events_response::Content,
    },
    server::{Config, Server},
    telemetry::error_chain,
    transport::Endpoint,
};
use uuid::Uuid;

use super::{
    cluster::{self, Node, ROLE, TestLog, new_name, shared_node, write_private},
    proxy::{Cut, Proxy},
};
use crate::{
    metrics::reading,
    support::{FixedSource, TestServer, config, copy_directory, create, named},
};

/// A log whose servers have a key.
pub(super) struct Service {
    pub(super) test: TestLog,
    directory: TempDir,
}

impl Service {
    pub(super) async fn new() -> Self {
        Self::on(shared_node().await).await
    }

    /// A log on a node.
    pub(super) async fn on(node: Arc<Node>) -> Self {
        let name = new_name();
        let directory = TempDir::new().expect("a directory");
        let key = Signer::open_key(&directory.path().join("key.pem")).expect("a key");
        cluster::create(&node, &name, &key.public_key()).await;
        Self { test: TestLog { node, name }, directory }
    }

    pub(super) fn key(&self) -> PathBuf {
        self.directory.path().join("key.pem")
    }

    pub(super) fn configure(&self, config: &mut Config) {
        config.postgres = Some(self.test.settings());
        config.signing_key = Some(self.key());
    }

    /// Two servers, whose identifiers differ.
    async fn servers(&self) -> [TestServer; 2] {
        [
            TestServer::with_identifiers(0, |config| self.configure(config)).await,
            TestServer::with_identifiers(1_000_000, |config| self.configure(config)).await,
        ]
    }
}

/// Waits until a server shows the event at this position.
pub(super) async fn wait_for(server: &TestServer, position: i64) {
    let mut client = UserPoolHistoryServiceClient::new(server.channel().await);
    let start = Some(Start::AfterPosition(0));
    let request = WatchUserPoolEventsRequest { start, ..Default::default() };
    let mut events = client.watch_user_pool_events(request).await.expect("watched").into_inner();
    loop {
        let message = events.message().await.expect("readable").expect("an open watch");
        if let Some(Content::Event(event)) = message.content
            && event.position >= position
        {
            return;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_shows_what_another_has_recorded() {
    let service = Service::new().await;
    let [first, second] = service.servers().await;
    let mut position = 0;
    for server in [&first, &second, &first] {
        let id = create(&mut server.client().await, "people").await;
        position += 1;
        for server in [&first, &second] {
            wait_for(server, position).await;
            let request =
                DescribeUserPoolRequest { user_pool_id: Some(id.clone()), ..Default::default() };
            let described = server.client().await.describe_user_pool(request).await;
            let described = described.expect("described").into_inner();
            assert_eq!(described.user_pool.expect("a pool").id, Some(id.clone()));
        }
    }
    for server in [first, second] {
        server.try_stop().await.expect("stopped");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_starts_again_without_a_log_of_its_own() {
    let service = Service::new().await;
    let server = TestServer::with(|config| service.configure(config)).await;
    let id = create(&mut server.client().await, "people").await;
    assert!(!server.data_dir().join("log").exists());
    assert!(server.data_dir().join("seen_head").exists());

    let server = server.restart_with(|config| service.configure(config)).await;

    let request = DescribeUserPoolRequest { user_pool_id: Some(id), ..Default::default() };
    server.client().await.describe_user_pool(request).await.expect("described");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_server_goes_on_with_a_copied_data_directory() {
    let service = Service::new().await;
    let [stopped, first] = service.servers().await;
    let id = create(&mut stopped.client().await, "people").await;
    let (stopped, copy) = (stopped.stop().await, TempDir::new().expect("a directory"));
    copy_directory(stopped.path(), copy.path());
    create(&mut first.client().await, "more people").await;

    let new = TestServer::with_in(copy, |config| {
        service.configure(config);
        config.metrics_listen = Some(Endpoint::Tcp("127.0.0.1:0".to_owned()));
    })
    .await;
    wait_for(&new, 2).await;
    let request = DescribeUserPoolRequest { user_pool_id: Some(id), ..Default::default() };
    new.client().await.describe_user_pool(request).await.expect("described");
    let metrics = reading(&new).await;
    for reason in ["missing", "other_form", "other_log", "damaged"] {
        let rebuilds = format!("userpool_read_model_rebuilds_total{{reason=\"{reason}\"}}");
        assert!(metrics.value(&rebuilds) < 1.0, "{reason}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_does_not_start_without_what_it_has_seen() {
    for is_replaced in [false, true] {
        let service = Service::new().await;
        let Service { test, .. } = &service;
        let server = TestServer::with(|config| service.configure(config)).await;
        for name in ["first", "second"] {
            create(&mut server.client().await, name).await;
        }
        let directory = server.stop().await;
        let lose =
            format!("delete from userpool_record where log = '{}' and position = 2", test.name);
        test.node.execute("userpool", &lose).await;
        if is_replaced {
            // Another server records other events.
            let other =
                TestServer::with_identifiers(1_000_000, |config| service.configure(config)).await;
            for name in ["third", "fourth"] {
                create(&mut other.client().await, name).await;
            }
            other.try_stop().await.expect("stopped");
        }
        // Not even without the read model.
        for has_read_model in [true, false] {
            let read_model = directory.path().join("read_model");
            if !has_read_model {
                fs::remove_dir_all(&read_model).expect("removed");
            }
            let mut config = config(directory.path());
            service.configure(&mut config);

            let refused = Server::start(config, Arc::<FixedSource>::default()).await;

            let refused = refused.expect_err("a fork");
            let text = error_chain(&refused);
            assert!(text.contains("position 2"), "{text}");
            let code = CliError::from(refused).exit_code();
            assert_eq!(format!("{code:?}"), "ExitCode(unix_exit_status(3))");
            assert_eq!(read_model.exists(), has_read_model);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_whose_commit_is_cut_off_is_recorded_once() {
    let service = Service::new().await;
    let proxy = Proxy::start(service.test.node.socket()).await;
    let url = format!("postgres://{ROLE}@127.0.0.1:{}/userpool", proxy.port);
    let settings = PostgresSettings { url: LogUrl::Text(url), ..service.test.settings() };
    let server = TestServer::with(|config| {
        service.configure(config);
        config.postgres = Some(settings);
    });
    let server = server.await;
    let mut client = server.client().await;
    for (position, cut) in (1_i64..).zip([Cut::Answer, Cut::Request, Cut::Answer, Cut::Request]) {
        proxy.cut(cut);
        let request = || CreateUserPoolRequest {
            request_id: Some(Uuid::from_u128(u128::try_from(position).expect("small")).to_string()),
            ..named("people")
        };

        let created = client.create_user_pool(request()).await.expect("created").into_inner();

        assert!(!proxy.is_armed(), "{cut:?}");
        assert_eq!(created.position, position, "{cut:?}");
        let again = client.create_user_pool(request()).await.expect("repeated").into_inner();
        assert_eq!(again.position, position, "{cut:?}");
    }
    let count = format!("select count(*) from userpool_record where log = '{}'", service.test.name);
    assert_eq!(service.test.node.value(&count).await, "4");
    server.try_stop().await.expect("stopped");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_servers_under_load_record_each_command_once() {
    let service = Service::new().await;
    let servers = service.servers().await;
    let mut callers = tokio::task::JoinSet::new();
    for caller in 0..16_u128 {
        let client = servers[usize::try_from(caller % 2).expect("small")].client().await;
        callers.spawn(async move {
            let mut client = client;
            let mut positions = Vec::new();
            for number in 0..20_u128 {
                let request_id = Some(Uuid::from_u128(caller * 1000 + number + 1).to_string());
                let request = CreateUserPoolRequest { request_id, ..named("people") };
                let created = client.create_user_pool(request).await.expect("created");
                positions.push(created.into_inner().position);
            }
            positions
        });
    }
    let mut positions = callers.join_all().await.concat();
    positions.sort_unstable();
    assert_eq!(positions, (1..=320).collect::<Vec<_>>());
    for server in servers {
        wait_for(&server, 320).await;
        server.try_stop().await.expect("stopped");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_is_read_from_a_private_file() {
    let service = Service::new().await;
    let directory = TempDir::new().expect("a directory");
    let file = directory.path().join("url");
    let url = cluster::url(&format!("{ROLE}:secret"), &[&service.test.node]);
    let with = |url: LogUrl| PostgresSettings {
        url,
        durability: Durability::Managed,
        ..service.test.settings()
    };
    let refused = with(LogUrl::Text(url.clone())).check().expect_err("a password");
    assert!(refused.to_string().contains("--log-url-file"), "{refused}");
    write_private(&file, &url);
    with(LogUrl::File(file.clone())).check().expect("readable");
    fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o644))
        .expect("changed");
    let refused = with(LogUrl::File(file)).check().expect_err("exposed");
    assert!(refused.to_string().contains("chmod 600"), "{refused}");
}
