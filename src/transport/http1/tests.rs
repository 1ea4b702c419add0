//! The time limits of a connection. Here and not in `tests/it`, because time must stand
//! still while a client is slow.

use futures_util::stream;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex},
    sync::watch,
    task::JoinHandle,
    time::{Instant, sleep},
};

use super::*;
use crate::{
    auth::PeerAddress,
    telemetry::metrics::ServerMetrics,
    transport::{
        abort::AbortSignal,
        connection::Socket,
        fair_limit::{FairLimit, User},
        wire::Wire,
    },
};

const REQUEST: &[u8] = b"GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n";

/// A connection whose requests take `duration`, and what ends it.
fn served(duration: Duration) -> (DuplexStream, JoinHandle<()>, watch::Sender<bool>) {
    served_with(move || async move {
        sleep(duration).await;
        Body::new("ready".to_owned())
    })
}

/// A connection whose requests are answered with these bodies, and what ends it.
fn served_with<F, A>(body: F) -> (DuplexStream, JoinHandle<()>, watch::Sender<bool>)
where
    F: Fn() -> A + Clone + Send + Sync + 'static,
    A: Future<Output = Body> + Send + 'static,
{
    let (near, far) = duplex(64 * 1024);
    let permit = FairLimit::new(1).take(User::Unknown, 1).expect("a place");
    let permit = (permit, ServerMetrics::default().connection());
    let (aborts, _, abort) = AbortSignal::new();
    let peer = Peer::new(PeerAddress::Unix(None), None, 1);
    let near: Box<dyn Socket> = Box::new(near);
    let connection = Connection::new(near, peer, Wire::Http1, permit, abort, Instant::now());
    let answer = move |_| {
        let body = body();
        async move { Response::new(body.await) }
    };
    let (stops, mut stop) = watch::channel(false);
    let serving = tokio::spawn(async move {
        // Aborts nothing as long as the connection is served.
        let _aborts = aborts;
        let stop = async move {
            stop.wait_for(|stop| *stop).await.map(|_| ()).ok();
        };
        serve(connection, answer, MaxConnectionAge(None), stop).await;
    });
    (far, serving, stops)
}

/// How long the server keeps the connection open, in seconds.
async fn lifetime(mut client: DuplexStream, begun: Instant) -> u64 {
    let mut rest = Vec::new();
    client.read_to_end(&mut rest).await.expect("the end");
    begun.elapsed().as_secs()
}

async fn answered(client: &mut DuplexStream) {
    let mut answer = vec![0; 4096];
    let count = client.read(&mut answer).await.expect("an answer");
    assert!(answer.get(..count).is_some_and(|answer| answer.ends_with(b"ready")));
}

#[tokio::test(start_paused = true)]
async fn a_client_that_sends_no_request_is_disconnected() {
    let begun = Instant::now();
    let (client, _serving, _stops) = served(Duration::ZERO);
    assert_eq!(lifetime(client, begun).await, 10);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_sends_byte_by_byte_is_disconnected() {
    let begun = Instant::now();
    let (mut client, _serving, _stops) = served(Duration::ZERO);
    for byte in REQUEST.iter().take(20) {
        client.write_all(&[*byte]).await.expect("written");
        sleep(Duration::from_millis(400)).await;
    }
    assert_eq!(lifetime(client, begun).await, 10);
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_is_kept_for_two_minutes() {
    let (mut client, _serving, _stops) = served(Duration::ZERO);
    for _ in 0..3 {
        client.write_all(REQUEST).await.expect("written");
        answered(&mut client).await;
        sleep(Duration::from_secs(100)).await;
    }
    client.write_all(REQUEST).await.expect("written");
    answered(&mut client).await;
    let begun = Instant::now();
    assert_eq!(lifetime(client, begun).await, 120);
}

/// Such as a page of the console that follows the log.
#[tokio::test(start_paused = true)]
async fn a_client_that_reads_a_stream_is_not_idle() {
    let (mut client, _serving, _stops) = served_with(|| async {
        let parts = stream::unfold(0, |number| async move {
            sleep(Duration::from_secs(100)).await;
            (number < 5).then(|| (Ok::<_, Infallible>(Bytes::from_static(b"part")), number + 1))
        });
        Body::new(axum::body::Body::from_stream(parts))
    });
    client.write_all(REQUEST).await.expect("written");
    let mut answer = String::new();
    while !answer.ends_with("0\r\n\r\n") {
        let mut part = vec![0; 4096];
        let count = client.read(&mut part).await.expect("a part");
        assert!(count > 0, "disconnected after {answer}");
        answer.push_str(&String::from_utf8_lossy(part.get(..count).expect("the part")));
    }
    assert_eq!(answer.matches("part").count(), 5, "{answer}");
}

#[tokio::test(start_paused = true)]
async fn the_head_of_a_later_request_has_its_own_limit() {
    let (mut client, _serving, _stops) = served(Duration::ZERO);
    client.write_all(REQUEST).await.expect("written");
    answered(&mut client).await;
    sleep(Duration::from_secs(100)).await;
    let begun = Instant::now();
    client.write_all(b"GET /").await.expect("written");
    assert_eq!(lifetime(client, begun).await, 10);
}

/// A call has its own limits, and a client waits for its answer longer than it may be idle.
#[tokio::test(start_paused = true)]
async fn a_running_call_is_not_disconnected() {
    let (mut client, _serving, _stops) = served(Duration::from_mins(5));
    client.write_all(REQUEST).await.expect("written");
    answered(&mut client).await;
}

#[tokio::test(start_paused = true)]
async fn a_stop_answers_the_running_call_and_closes_idle_connections() {
    let (idle, serving, stops) = served(Duration::ZERO);
    stops.send_replace(true);
    assert_eq!(lifetime(idle, Instant::now()).await, 0);
    serving.await.expect("served to the end");

    let (mut client, serving, stops) = served(Duration::from_secs(5));
    client.write_all(REQUEST).await.expect("written");
    sleep(Duration::from_secs(1)).await;
    stops.send_replace(true);
    answered(&mut client).await;
    assert_eq!(lifetime(client, Instant::now()).await, 0);
    serving.await.expect("served to the end");

    let begun = Instant::now();
    let (mut client, serving, stops) = served(Duration::ZERO);
    client.write_all(b"POST").await.expect("written");
    sleep(Duration::from_secs(1)).await;
    stops.send_replace(true);
    assert_eq!(lifetime(client, begun).await, 2);
    serving.await.expect("served to the end");
}
