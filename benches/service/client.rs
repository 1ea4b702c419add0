//! Load from a tonic client: a check of the other generators, and the one for calls
//! that differ each time.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

use bytes::Bytes;
use http::uri::PathAndQuery;
use tonic::{Request, client::Grpc, transport::Channel};

use crate::{Bench, figures::Run, load::CONNECTIONS, messages::connect, raw::Raw};

/// Makes calls for one turn, this many at once. `body` makes the message of each call
/// from its number.
pub(crate) fn turn(
    bench: &Bench,
    address: &str,
    path: &'static str,
    in_flight: usize,
    body: impl Fn(u64) -> Bytes + Send + Sync + 'static,
) -> Run {
    let warm = Instant::now() + bench.settings.warm_up();
    let end = warm + bench.settings.time;
    let body = Arc::new(body);
    let next = Arc::new(AtomicU64::new(0));
    let took = bench.runtime.block_on(async {
        let mut connections = Vec::new();
        for _ in 0..in_flight.min(CONNECTIONS) {
            connections.push(connect(address).await);
        }
        let connections = connections.iter().cycle().take(in_flight);
        let callers: Vec<_> = connections
            .map(|channel| {
                let (channel, body, next) = (channel.clone(), Arc::clone(&body), Arc::clone(&next));
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
    Run::of(took.len() as f64 / bench.settings.time.as_secs_f64(), took)
}

async fn call(channel: Channel, path: &'static str, message: Bytes) {
    let mut client = Grpc::new(channel);
    client.ready().await.expect("a connection");
    let path = PathAndQuery::from_static(path);
    client.unary(Request::new(message), path, Raw).await.expect("an answer");
}

/// Pseudorandom numbers below `bound`.
pub(crate) fn scattered(number: u64, bound: u64) -> u64 {
    // The finalizer of MurmurHash3: each bit of the number changes half of the bits.
    let mut mixed = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    mixed = (mixed ^ (mixed >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    (mixed ^ (mixed >> 33)) % bound
}
