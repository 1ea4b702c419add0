//! Databases, keys and directories that a server refuses, at its start or later, with the remedy.

use std::{path::Path, sync::Arc, time::Duration};

use tempfile::TempDir;
use userpool::{
    app::ReadMode,
    audit::checkpoint::Signer,
    event_log::{Durability, LogUrl, PostgresSettings},
    proto::ListUserPoolsRequest,
    server::{Config, Server, ServerError},
    transport::Endpoint,
};

use super::{
    cluster::{self, Cluster},
    servers::Service,
};
use crate::{
    metrics::reading,
    support::{FixedSource, TestServer, config, create, in_time, named},
};

/// Why no server starts in a directory with these settings.
async fn refusal(directory: &Path, change: impl FnOnce(&mut Config)) -> String {
    let mut config = config(directory);
    change(&mut config);
    let started = Server::start(config, Arc::new(FixedSource::default())).await;
    let error: ServerError = started.expect_err("a refusal");
    let mut text = error.to_string();
    let mut cause: &dyn std::error::Error = &error;
    while let Some(source) = cause.source() {
        text = format!("{text}: {source}");
        cause = source;
    }
    text
}

fn with_settings(
    service: &Service,
    change: impl FnOnce(&mut PostgresSettings),
) -> impl FnOnce(&mut Config) {
    move |config| {
        service.configure(config);
        change(config.postgres.as_mut().expect("settings"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_refusal_names_its_remedy() {
    let service = Service::new().await;
    let other = TempDir::new().expect("a directory");
    let other_key = other.path().join("key.pem");
    Signer::open_key(&other_key).expect("a key");

    let new = || TempDir::new().expect("a directory");
    let missing = with_settings(&service, |settings| {
        settings.name = "other".parse().expect("a name");
    });
    let refused = refusal(new().path(), missing).await;
    assert!(refused.contains("userpool log init"), "{refused}");

    let asynchronous =
        with_settings(&service, |settings| settings.durability = Durability::Synchronous);
    let refused = refusal(new().path(), asynchronous).await;
    assert!(refused.contains("set synchronous_standby_names"), "{refused}");
    assert!(refused.contains("--database-durability managed"), "{refused}");

    let unreachable = with_settings(&service, |settings| {
        settings.url = LogUrl::Text("postgres://userpool@127.0.0.1:1/userpool".to_owned());
    });
    let refused = refusal(new().path(), unreachable).await;
    assert!(refused.contains("postgres://127.0.0.1:1/userpool"), "{refused}");
    assert!(refused.contains("refused"), "{refused}");

    let no_key = |config: &mut Config| {
        service.configure(config);
        config.signing_key = None;
    };
    let refused = refusal(new().path(), no_key).await;
    assert!(refused.contains("requires --signing-key"), "{refused}");

    let missing_key = |config: &mut Config| {
        service.configure(config);
        config.signing_key = Some(other.path().join("missing.pem"));
    };
    let refused = refusal(new().path(), missing_key).await;
    assert!(refused.contains("copy the one"), "{refused}");
    assert!(!other.path().join("missing.pem").exists());

    let another_key = |config: &mut Config| {
        service.configure(config);
        config.signing_key = Some(other_key.clone());
    };
    let refused = refusal(new().path(), another_key).await;
    assert!(refused.contains("is not the key that the log was created with"), "{refused}");

    let region = |config: &mut Config| {
        service.configure(config);
        config.region = "eu-west-1".to_owned();
    };
    let refused = refusal(new().path(), region).await;
    assert!(refused.contains("start with --region us-east-1"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_data_directory_belongs_to_one_log() {
    let service = Service::new().await;
    let own = TestServer::start().await.stop().await;
    let refused = refusal(own.path(), |config| service.configure(config)).await;
    assert!(refused.contains("choose another --data-dir"), "{refused}");
    assert!(refused.contains("userpool log import"), "{refused}");

    let remote = TestServer::with(|config| service.configure(config)).await.stop().await;
    let refused = refusal(remote.path(), |_| ()).await;
    assert!(refused.contains("--log-url"), "{refused}");
    let other = Service::new().await;
    let refused = refusal(remote.path(), |config| other.configure(config)).await;
    assert!(refused.contains(&service.test.name), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_becomes_asynchronous_is_refused_and_reported() {
    let (cluster, directory) = (Cluster::start().await, TempDir::new().expect("a directory"));
    let (primary, key) = (cluster.primary(), directory.path().join("key.pem"));
    let name = cluster::new_name();
    let public_key = Signer::open_key(&key).expect("a key").public_key();
    cluster::create(primary, &name, &public_key).await;
    let server = TestServer::with(|config| {
        let name = name.parse().expect("a name");
        config.postgres = Some(PostgresSettings { name, ..cluster.settings() });
        config.signing_key = Some(key);
        config.reads.mode = ReadMode::Strict;
        config.metrics_listen = Some(Endpoint::Tcp("127.0.0.1:0".to_owned()));
    })
    .await;
    create(&mut server.client().await, "people").await;
    let list = ListUserPoolsRequest { max_results: Some(1), ..Default::default() };
    server.client().await.list_user_pools(list).await.expect("a list");
    let before = reading(&server).await;
    for counted in ["turn_wait_seconds_count", "durable_read_seconds_count", "sessions_total"] {
        assert!(before.value(&format!("userpool_log_{counted}")) >= 1.0, "{counted}");
    }
    let problems = "userpool_log_durability_problems";
    assert!(before.value(problems) < 1.0);

    let set_standbys = async |standbys: &str| {
        primary.configure(&format!("synchronous_standby_names = '{standbys}'"));
        primary.signal("HUP");
        let is_set =
            format!("select current_setting('synchronous_standby_names') = '{standbys}' or null");
        primary.wait_for(&is_set).await;
        // The sessions would find out within half a minute.
        let end = format!(
            "select pg_terminate_backend(pid) from pg_stat_activity where application_name = '{}'",
            cluster.name
        );
        primary.execute("userpool", &end).await;
    };
    set_standbys("").await;
    in_time(async { while reading(&server).await.value(problems) < 1.0 {} }).await;
    let request = || {
        let mut request = tonic::Request::new(named("late"));
        request.set_timeout(Duration::from_secs(1));
        request
    };
    let count = format!("select count(*) from userpool_record where log = '{name}'");
    let before = primary.value(&count).await;
    server.client().await.create_user_pool(request()).await.expect_err("no standby would have it");
    assert_eq!(primary.value(&count).await, before);

    set_standbys("ANY 1 (a, b, c)").await;
    in_time(async { while server.client().await.create_user_pool(request()).await.is_err() {} })
        .await;
    in_time(async { while reading(&server).await.value(problems) >= 1.0 {} }).await;
    server.try_stop().await.expect("stopped");
}
