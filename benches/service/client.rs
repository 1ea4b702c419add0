//! Load from a tonic client: a check of the other generators, and the one for calls
//! that differ, since h2load repeats a single one.

use std::{
    slice,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

use bytes::Bytes;
use http::uri::PathAndQuery;
use tonic::{Request, client::Grpc, transport::Channel};

use crate::{Bench, figures::Run, load::CONNECTIONS, messages::connect, process::Server, raw::Raw};

/// Makes calls for one turn, this many at once. `body` makes the message of each call
/// from its number.
pub(crate) fn turn(
    bench: &Bench,
    server: &Server,
    path: &'static str,
    in_flight: usize,
    body: impl Fn(u64) -> Bytes + Send + Sync + 'static,
) -> Run {
    let warm = Instant::now() + bench.settings.warm_up();
    let ticks = server.cpu().between(warm, warm + bench.settings.time);
    let (run, calls) =
        measure(bench, slice::from_ref(&server.address), path, in_flight, body, warm);
    run.with_cpu(ticks.join().expect("the CPU time of the server"), calls)
}

/// The same at several servers.
pub(crate) fn turn_on(
    bench: &Bench,
    addresses: &[String],
    path: &'static str,
    in_flight: usize,
    body: impl Fn(u64) -> Bytes + Send + Sync + 'static,
) -> Run {
    let warm = Instant::now() + bench.settings.warm_up();
    measure(bench, addresses, path, in_flight, body, warm).0
}

/// Makes calls until the time of a turn after `warm` is over. Returns the run of those that ended
/// in that time, and how many they were.
fn measure(
    bench: &Bench,
    addresses: &[String],
    path: &'static str,
    in_flight: usize,
    body: impl Fn(u64) -> Bytes + Send + Sync + 'static,
    warm: Instant,
) -> (Run, usize) {
    let end = warm + bench.settings.time;
    let body = Arc::new(body);
    let next = Arc::new(AtomicU64::new(0));
    let took = bench.runtime.block_on(async {
        let callers: Vec<_> = connections(addresses, in_flight)
            .await
            .into_iter()
            .map(|channel| {
                let (body, next) = (Arc::clone(&body), Arc::clone(&next));
                tokio::spawn(async move {
                    let mut took = Vec::new();
                    loop {
                        let message = body(next.fetch_add(1, Ordering::Relaxed));
                        let began = Instant::now();
                        call(channel.clone(), path, message).await;
                        let now = Instant::now();
                        if now >= end {
                            return took;
                        }
                        if now >= warm {
                            let time = now.duration_since(began).as_micros();
                            took.push(u64::try_from(time).unwrap_or(u64::MAX));
                        }
                    }
                })
            })
            .collect();
        let mut all = Vec::new();
        for caller in callers {
            all.extend(caller.await.expect("calls that succeed"));
        }
        all
    });
    let calls = took.len();
    (Run::of(calls as f64 / bench.settings.time.as_secs_f64(), took), calls)
}

/// Makes this many calls, and not more than some at once.
pub(crate) fn repeat(
    bench: &Bench,
    server: &Server,
    path: &'static str,
    in_flight: usize,
    calls: u64,
    body: impl Fn(u64) -> Bytes + Send + Sync + 'static,
) {
    let (body, next) = (Arc::new(body), Arc::new(AtomicU64::new(0)));
    bench.runtime.block_on(async {
        let mut callers = Vec::new();
        for channel in connections(slice::from_ref(&server.address), in_flight).await {
            let (body, next) = (Arc::clone(&body), Arc::clone(&next));
            callers.push(tokio::spawn(async move {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= calls {
                        return;
                    }
                    call(channel.clone(), path, body(number)).await;
                }
            }));
        }
        for caller in callers {
            caller.await.expect("calls that succeed");
        }
    });
}

/// A connection for each call in flight, to each server in turn; some are the same if there are
/// many.
async fn connections(addresses: &[String], in_flight: usize) -> Vec<Channel> {
    let mut connections = Vec::new();
    for address in addresses.iter().cycle().take(in_flight.min(CONNECTIONS * addresses.len())) {
        connections.push(connect(address).await);
    }
    connections.iter().cycle().take(in_flight).cloned().collect()
}

async fn call(channel: Channel, path: &'static str, message: Bytes) {
    let mut client = Grpc::new(channel);
    client.ready().await.expect("a connection");
    let path = PathAndQuery::from_static(path);
    client.unary(Request::new(message), path, Raw).await.expect("an answer");
}
