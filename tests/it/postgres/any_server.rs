//! A channel to several servers, as clients use it that retry anywhere: it stays at one server
//! until that does not answer, and takes the next one then.

use std::{
    future::poll_fn,
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use tokio::time::{Instant, sleep};
use tonic::{
    Code, Status,
    body::Body,
    codegen::{Service, http},
    transport::Channel,
};

use crate::binary::endpoint;

/// How often a silent connection is probed, and how long the answer may take. A frozen server
/// does not answer.
const KEEPALIVE: Duration = Duration::from_secs(1);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// Before a call to the next server.
const PAUSE: Duration = Duration::from_millis(20);

/// What all clients of some servers share.
#[derive(Debug, Default)]
pub(super) struct Calls {
    /// No client calls any more.
    stopped: AtomicBool,
    /// When changes were acknowledged.
    acknowledged: Mutex<Vec<Instant>>,
}

impl Calls {
    pub(super) fn stop(&self) {
        self.stopped.store(true, Ordering::SeqCst);
    }

    /// How many changes were acknowledged.
    pub(super) fn count(&self) -> usize {
        self.acknowledged.lock().expect("no panic").len()
    }

    /// The longest time without an acknowledged change, between two moments.
    pub(super) fn longest_silence(&self, from: Instant, to: Instant) -> Duration {
        let mut moments = self.acknowledged.lock().expect("no panic").clone();
        moments.retain(|moment| (from..to).contains(moment));
        moments.extend([from, to]);
        moments.sort_unstable();
        let silences = moments.windows(2).map(|pair| pair[1] - pair[0]);
        silences.max().unwrap_or_default()
    }
}

/// A channel of one client.
#[derive(Debug, Clone)]
pub(super) struct AnyServer {
    calls: Arc<Calls>,
    channels: Arc<[Channel]>,
    current: Arc<AtomicUsize>,
}

impl AnyServer {
    /// Uses the server at this index first.
    pub(super) fn new(calls: &Arc<Calls>, addresses: &[String], first: usize) -> Self {
        let channel = |address: &String| {
            endpoint(address)
                .connect_timeout(CONNECT_TIMEOUT)
                .http2_keep_alive_interval(KEEPALIVE)
                .keep_alive_timeout(KEEPALIVE)
                .connect_lazy()
        };
        Self {
            calls: Arc::clone(calls),
            channels: addresses.iter().map(channel).collect(),
            current: Arc::new(AtomicUsize::new(first)),
        }
    }

    async fn call(self, request: http::Request<Body>) -> Result<http::Response<Body>, Status> {
        if self.calls.stopped.load(Ordering::SeqCst) {
            return Err(Status::unavailable("the test ends"));
        }
        let changes = ["Create", "Update", "Delete", "Restore"];
        let method = request.uri().path().rsplit('/').next().unwrap_or_default();
        let is_change = changes.iter().any(|verb| method.starts_with(verb));
        let current = self.current.load(Ordering::SeqCst);
        let mut channel = self.channels[current % self.channels.len()].clone();
        let answered = async {
            poll_fn(|context| channel.poll_ready(context)).await?;
            channel.call(request).await
        };
        let Ok(response) = answered.await else {
            self.leave(current).await;
            return Err(Status::deadline_exceeded("the server is gone"));
        };
        let status = Status::from_header_map(response.headers());
        if status.as_ref().is_some_and(|status| status.code() == Code::Unavailable) {
            self.leave(current).await;
        } else if status.is_none() && is_change {
            self.calls.acknowledged.lock().expect("no panic").push(Instant::now());
        }
        Ok(without_unavailable(response))
    }

    /// Calls another server from now on.
    async fn leave(&self, current: usize) {
        sleep(PAUSE).await;
        let next = current + 1;
        let _ = self.current.compare_exchange(current, next, Ordering::SeqCst, Ordering::SeqCst);
    }
}

/// A client ends when the server is unavailable. Here it goes on elsewhere, as after a deadline;
/// the reason stays.
fn without_unavailable(mut response: http::Response<Body>) -> http::Response<Body> {
    if let Some(status) = response.headers_mut().get_mut("grpc-status")
        && status.as_bytes() == b"14"
    {
        *status = http::HeaderValue::from_static("4");
    }
    response
}

impl Service<http::Request<Body>> for AnyServer {
    type Response = http::Response<Body>;
    type Error = Status;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Status>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Status>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        Box::pin(self.clone().call(request))
    }
}
