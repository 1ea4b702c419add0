//! Health is served from the first moment of a start.

use std::sync::Arc;

use tempfile::TempDir;
use tonic::{Code, transport::Endpoint as ClientEndpoint};
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};
use tonic_types::StatusExt as _;
use userpool::{server::Server, transport::Endpoint};

use crate::{
    metrics::startup::SlowLog,
    support::{Client, FixedSource, config, create, describe, reason, wait_for_listener},
};

#[tokio::test(flavor = "multi_thread")]
async fn calls_are_refused_while_the_read_model_is_built() {
    let directory = TempDir::new().expect("a directory");
    let socket = directory.path().join("socket");
    let log = SlowLog::of(2).await;
    let mut config = config(directory.path());
    config.listen = Endpoint::Unix(socket.clone());
    let read_model = directory.path().join("read_model");
    let source = Arc::new(FixedSource::default());
    let starting = Arc::<SlowLog>::clone(&log);
    let starting =
        tokio::spawn(async move { Server::on(starting, &read_model, config, source).await });
    wait_for_listener(&socket).await;
    let address = format!("unix:{}", socket.display());
    let channel = ClientEndpoint::from_shared(address).expect("an address");
    let channel = channel.connect().await.expect("a connection");
    let mut health = HealthClient::new(channel.clone());
    let mut client = Client::new(channel);
    let request = HealthCheckRequest::default;

    let status = health.check(request()).await.expect("health").into_inner().status();
    assert_eq!(status, ServingStatus::NotServing);
    let refused = describe(&mut client, "us-east-1_AbCdEfGhI").await.expect_err("refused");
    assert_eq!(refused.code(), Code::Unavailable, "{refused}");
    assert_eq!(reason(&refused), "STARTING");
    assert!(refused.get_details_retry_info().is_some());
    let mut watched = health.watch(request()).await.expect("watched").into_inner();
    let first = watched.message().await.expect("a status").expect("a status");
    assert_eq!(first.status(), ServingStatus::NotServing);
    assert!(!starting.is_finished());

    log.release();
    let ready = starting.await.expect("no panic").expect("a server");

    let second = watched.message().await.expect("a status").expect("a status");
    assert_eq!(second.status(), ServingStatus::Serving);
    create(&mut client, "people").await;
    let (stop, stopped) = tokio::sync::oneshot::channel();
    let served = tokio::spawn(ready.serve(async {
        let _ = stopped.await;
    }));
    stop.send(()).expect("it serves");
    let last = watched.message().await.expect("a status").expect("a status");
    assert_eq!(last.status(), ServingStatus::NotServing);
    assert!(watched.message().await.expect("ended gracefully").is_none());
    served.await.expect("no panic").expect("served to the end");
}

/// On an older connection too, which may still be used after health watches have been
/// notified and before it is closed.
#[tokio::test(flavor = "multi_thread")]
async fn health_is_never_unknown_while_the_server_stops() {
    use crate::durability::queue::HeldLog;
    let log = Arc::new(HeldLog::default());
    let server = crate::support::TestServer::on(Arc::<HeldLog>::clone(&log)).await;
    let mut wire = super::wire::Wire::connect(&server.endpoint.to_string()).await;
    let mut client = server.client().await;
    let named = crate::support::named("held");
    let held = tokio::spawn(async move { client.create_user_pool(named).await });
    log.taken_up().await;
    let mut health = HealthClient::new(server.channel().await);
    let mut watched =
        health.watch(HealthCheckRequest::default()).await.expect("watched").into_inner();
    watched.message().await.expect("a status").expect("a status");
    let mut half_sent = wire.begin("/grpc.health.v1.Health/Check", None).await;

    let stopped = tokio::spawn(server.stop());
    let last = watched.message().await.expect("a status").expect("a status");
    assert_eq!(last.status(), ServingStatus::NotServing);
    let body = super::wire::framed(&HealthCheckRequest::default());
    // The server may drop it, with or without the connection, or answer it, but never
    // with NOT_FOUND.
    if half_sent.request.send_data(body, true).is_ok()
        && let Ok(status) = half_sent.ended().await
    {
        assert!(matches!(status.code(), Code::Ok | Code::Unavailable), "{status}");
    }
    log.release();
    held.await.expect("no panic").expect("created");
    stopped.await.expect("stopped gracefully");
}
