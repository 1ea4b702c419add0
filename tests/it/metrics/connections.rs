//! Idle connections to the metrics listener block nobody else.

use std::time::Duration;

use tokio::{net::TcpStream, time::Instant};
use userpool::transport::Endpoint;

use super::{get, measured};

/// As many connections as the listener accepts.
const PLACES: usize = 32;

#[tokio::test]
async fn idle_connections_make_room_for_a_request_at_once() {
    let server = measured().await;
    let metrics = server.metrics.clone().expect("metrics");
    let Endpoint::Tcp(address) = &metrics else { unreachable!("it listens on TCP") };
    let mut idle = Vec::new();
    for _ in 0..2 * PLACES {
        idle.push(TcpStream::connect(address).await.expect("a connection"));
    }
    tokio::time::pause();
    let begun = Instant::now();

    let healthy = get(&metrics, "/healthz").await;

    assert_eq!(healthy.status, 200);
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
    drop(idle);
    server.stop().await;
}
