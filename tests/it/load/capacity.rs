//! Every resource that clients use at a time has a limit. Excess calls are refused at
//! once, and calls within the limit work normally.

use std::time::Duration;

use tokio::time::timeout;
use tonic::{Code, Status, Streaming, transport::Channel};
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};
use tonic_types::StatusExt as _;
use userpool::{
    proto::{
        WatchUserPoolEventsRequest, WatchUserPoolEventsResponse,
        user_pool_history_service_client::UserPoolHistoryServiceClient,
    },
    transport::Capacity,
};

use super::wire::{CREATE, DESCRIBE, Wire};
use crate::support::{TestServer, create, describe, named, reason};

/// How many changes may run, and how many calls a connection has.
const WRITES: usize = 2048;
const STREAMS: usize = 128;

async fn watch(channel: Channel) -> Result<Streaming<WatchUserPoolEventsResponse>, Status> {
    let mut client = UserPoolHistoryServiceClient::new(channel);
    let request = WatchUserPoolEventsRequest::default();
    Ok(client.watch_user_pool_events(request).await?.into_inner())
}

fn assert_overloaded(status: &Status) {
    assert_eq!(status.code(), Code::ResourceExhausted, "{status}");
    assert_eq!(reason(status), "OVERLOADED");
    let retry = status.get_details_retry_info().expect("a RetryInfo").retry_delay;
    assert!(retry.is_some_and(|delay| !delay.is_zero()), "{retry:?}");
}

/// Tries until the permit is free again, which is a moment after its release.
async fn at_last<T, F: Future<Output = Result<T, Status>>>(mut call: impl FnMut() -> F) -> T {
    let trying = async {
        loop {
            match call().await {
                Ok(answer) => return answer,
                Err(status) => assert_overloaded(&status),
            }
        }
    };
    timeout(Duration::from_mins(1), trying).await.expect("a free permit")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_number_of_watches_is_limited() {
    let server = TestServer::with(|config| config.capacity.watches = 3).await;
    let mut open = Vec::new();
    for _ in 0..3 {
        open.push(watch(server.channel().await).await.expect("a watch"));
    }
    let channel = server.channel().await;
    assert_overloaded(&watch(channel.clone()).await.expect_err("too many"));

    open.pop();

    at_last(|| watch(channel.clone())).await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_connection_has_room_for_calls_beside_its_watches() {
    let server = TestServer::with(|config| config.capacity.watches_per_connection = 2).await;
    let mut client = server.client().await;
    let id = create(&mut client, "people").await;
    let channel = server.channel().await;
    let mut open = Vec::new();
    for _ in 0..2 {
        open.push(watch(channel.clone()).await.expect("a watch"));
    }
    assert_overloaded(&watch(channel.clone()).await.expect_err("too many"));
    describe(&mut crate::support::Client::new(channel.clone()), &id).await.expect("described");
    let other = watch(server.channel().await).await.expect("a watch on another connection");

    drop(other);
    open.pop();

    at_last(|| watch(channel.clone())).await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn reads_are_limited_and_health_is_not() {
    let server = TestServer::with(|config| config.capacity.reads = 1).await;
    let mut client = server.client().await;
    let id = create(&mut client, "people").await;
    let mut wire = Wire::connect(&server.endpoint.to_string()).await;
    let begun = wire.begin(DESCRIBE, None).await;
    let mut health = HealthClient::new(server.channel().await);

    // A moment later it is there.
    let refused = async {
        loop {
            match describe(&mut client, &id).await {
                Ok(_) => tokio::task::yield_now().await,
                Err(refused) => return refused,
            }
        }
    };
    assert_overloaded(&timeout(Duration::from_mins(1), refused).await.expect("refused"));
    health.check(HealthCheckRequest::default()).await.expect("health");
    create(&mut client, "writes are apart").await;

    drop(begun);

    at_last(|| {
        let (mut client, id) = (client.clone(), id.clone());
        async move { describe(&mut client, &id).await }
    })
    .await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn half_sent_changes_count_toward_the_limit() {
    let server = TestServer::start().await;
    let address = server.endpoint.to_string();
    let mut half_sent = Vec::new();
    let mut wires = Vec::new();
    for _ in 0..WRITES / STREAMS {
        let mut wire = Wire::connect(&address).await;
        for _ in 0..STREAMS {
            half_sent.push(wire.begin(CREATE, None).await);
        }
        wires.push(wire);
    }
    let mut client = server.client().await;
    let mut another = Wire::connect(&address).await;
    let refused = async {
        loop {
            if let Err(refused) = client.create_user_pool(named("more")).await {
                return refused;
            }
            // It may have taken the permit that the last of the others needed.
            half_sent.push(another.begin(CREATE, None).await);
        }
    };
    assert_overloaded(&timeout(Duration::from_mins(1), refused).await.expect("refused"));

    drop(half_sent);

    at_last(|| {
        let mut client = client.clone();
        async move { client.create_user_pool(named("room again")).await }
    })
    .await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_memory_of_all_requests_is_limited() {
    const MEBIBYTE: usize = 1 << 20;
    let server = TestServer::with(|config| {
        config.capacity.client_memory = 64 * MEBIBYTE;
    })
    .await;
    let address = server.endpoint.to_string();
    let mut half_sent = Vec::new();
    let mut wires = Vec::new();
    // 64 MiB and more, each request without its last byte.
    let message = [&[0][..], &(1_u32 << 20).to_be_bytes(), &vec![0; MEBIBYTE - 1]].concat();
    for _ in 0..66 {
        let mut wire = Wire::connect(&address).await;
        let mut begun = wire.begin(CREATE, None).await;
        begun.request.send_data(message.clone().into(), false).expect("sent");
        half_sent.push(tokio::spawn(begun.status()));
        wires.push(wire);
    }
    let refused = async {
        let (status, _, rest) = futures_util::future::select_all(half_sent).await;
        (status.expect("no panic"), rest)
    };
    let (status, rest) = timeout(Duration::from_mins(1), refused).await.expect("refused");
    assert_overloaded(&status);

    drop(wires);
    for call in rest {
        call.abort();
    }

    let mut client = server.client().await;
    at_last(|| {
        let mut client = client.clone();
        async move { client.create_user_pool(named("room again")).await }
    })
    .await;
    create(&mut client, "and again").await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn excess_connections_are_closed_at_once() {
    let server = TestServer::with(|config| config.connections = 2).await;
    let mut first = server.client().await;
    let second = server.client().await;
    let id = create(&mut first, "people").await;
    let address = format!("http://{}", server.endpoint);
    let third = || async {
        let channel = Channel::from_shared(address.clone()).expect("an address").connect().await;
        let channel = channel.map_err(|_| ())?;
        let mut client = crate::support::Client::new(channel);
        describe(&mut client, &id).await.map_err(|_| ())
    };
    timeout(Duration::from_mins(1), third()).await.expect("closed, not left waiting").unwrap_err();
    describe(&mut first, &id).await.expect("the others go on");

    drop(second);

    let again = async { while third().await.is_err() {} };
    timeout(Duration::from_mins(1), again).await.expect("a free permit");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_largest_limit_is_no_limit() {
    let most = usize::MAX;
    let server = TestServer::with(|config| {
        config.connections = most;
        config.capacity = Capacity {
            reads: most,
            watches: most,
            watches_per_connection: most,
            client_memory: most,
        };
    })
    .await;
    create(&mut server.client().await, "people").await;
    server.stop().await;
}
