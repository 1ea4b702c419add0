//! Graceful shutdown: running calls are finished, new ones are refused, and watches
//! do not delay it.

use std::{sync::Arc, time::Duration};

use tokio::{net::TcpStream, time::timeout};
use tonic::Streaming;
use tonic_health::pb::{
    HealthCheckRequest, HealthCheckResponse, health_check_response::ServingStatus,
    health_client::HealthClient,
};

use super::queue::HeldLog;
use crate::support::{TestServer, named};

/// A health watch for the whole server.
pub(crate) struct Health(Streaming<HealthCheckResponse>);

pub(crate) async fn watch_health(server: &TestServer) -> Health {
    let mut client = HealthClient::new(server.channel().await);
    let request = HealthCheckRequest { service: String::new() };
    Health(client.watch(request).await.expect("watched").into_inner())
}

impl Health {
    /// The next status; `None` if the stream has ended normally.
    pub(crate) async fn next(&mut self) -> Option<ServingStatus> {
        // The timeout is there so that a stream that never ends fails the test.
        let message = timeout(Duration::from_mins(1), self.0.message()).await;
        let message = message.expect("an end").expect("not cut off");
        message.map(|message| message.status())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_call_is_answered_during_shutdown() {
    let log = Arc::new(HeldLog::default());
    let server = TestServer::on(Arc::<HeldLog>::clone(&log)).await;
    let address = server.endpoint.to_string();
    let mut health = watch_health(&server).await;
    assert_eq!(health.next().await, Some(ServingStatus::Serving));
    let mut client = server.client().await;
    let running = tokio::spawn(async move { client.create_user_pool(named("running")).await });
    log.taken_up().await;

    let stopped = tokio::spawn(server.stop());

    assert_eq!(health.next().await, Some(ServingStatus::NotServing));
    // The socket is closed a moment later, while the call is still running.
    while TcpStream::connect(&address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    assert!(!running.is_finished());
    log.release();
    let answer = running.await.expect("no panic").expect("an answer").into_inner();
    assert_eq!(answer.position, 1);
    stopped.await.expect("stopped gracefully");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_health_watch_does_not_delay_shutdown() {
    let server = TestServer::start().await;
    let mut health = watch_health(&server).await;
    assert_eq!(health.next().await, Some(ServingStatus::Serving));

    server.stop().await;

    assert_eq!(health.next().await, Some(ServingStatus::NotServing));
    assert_eq!(health.next().await, None, "ended normally");
}
