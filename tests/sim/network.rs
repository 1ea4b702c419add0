//! The network between clients and nodes: a service in place of a connection. It
//! loses and delays requests and answers, and disconnects when a node dies.

use std::{
    pin::Pin,
    sync::{Arc, atomic::Ordering},
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Frame;
use tokio::{sync::watch, time::timeout};
use tonic::{Code, Status, body::Body};
use tower::Service;

use crate::{node::Serving, trace::Step, world::World};

/// How long a client waits for an answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

type Answer = Pin<Box<dyn Future<Output = Result<Response<Body>, Status>> + Send>>;

/// A client's connections.
#[derive(Debug, Clone)]
pub(crate) struct Network {
    world: Arc<World>,
    /// Where its calls go; `None` for another node each time.
    node: Option<usize>,
}

impl Network {
    /// Connections to all nodes.
    pub(crate) fn new(world: &Arc<World>) -> Self {
        Self { world: Arc::clone(world), node: None }
    }

    /// A connection to one node.
    pub(crate) fn to(world: &Arc<World>, node: usize) -> Self {
        Self { world: Arc::clone(world), node: Some(node) }
    }
}

impl Service<Request<Body>> for Network {
    type Response = Response<Body>;
    type Error = Status;
    type Future = Answer;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Status>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Answer {
        let world = Arc::clone(&self.world);
        let node = self.node.unwrap_or_else(|| world.network.below(world.plan.nodes));
        Box::pin(async move {
            let called = timeout(ANSWER_TIMEOUT, call(&world, node, request)).await;
            let answer = called.unwrap_or_else(|_| Err(Status::cancelled("no answer")));
            let code = answer.as_ref().map_or_else(Status::code, code);
            world.trace(Step::Answer, node, u64::from(i32::from(code).unsigned_abs()));
            answer
        })
    }
}

fn code(answer: &Response<Body>) -> Code {
    Status::from_header_map(answer.headers()).map_or(Code::Ok, |status| status.code())
}

async fn call(
    world: &Arc<World>,
    node: usize,
    request: Request<Body>,
) -> Result<Response<Body>, Status> {
    let World { network, plan, .. } = &**world;
    network.delay(plan.rates.network_delay).await;
    if world.is_cut_from_clients(node) || network.fails(plan.rates.lost_requests) {
        return no_answer().await;
    }
    let mut lives = world.nodes[node].lives();
    // One that stops answers the calls that it has, and takes no others.
    let Some(serving) = world.nodes[node].serving().filter(|serving| !serving.is_stopping()) else {
        return Err(Status::cancelled("no connection"));
    };
    let mut response = tokio::select! {
        biased;
        _ = lives.changed() => return Err(Status::cancelled("connection reset")),
        response = serve(serving, request) => response,
    };
    network.delay(plan.rates.network_delay).await;
    if world.is_cut_from_clients(node) || network.fails(plan.rates.lost_answers) {
        return no_answer().await;
    }
    let body = std::mem::take(response.body_mut());
    *response.body_mut() = Body::new(Connected { body, reset: reset(lives) });
    Ok(response)
}

async fn no_answer<T>() -> T {
    std::future::pending().await
}

/// The answer of a node.
async fn serve(serving: Serving, request: Request<Body>) -> Response<Body> {
    let Serving { mut door, received, .. } = serving;
    received.fetch_add(1, Ordering::Relaxed);
    door.call(request).await.unwrap_or_else(|never| match never {})
}

/// Completes when the node dies.
fn reset(mut lives: watch::Receiver<u64>) -> Pin<Box<dyn Future<Output = ()> + Send>> {
    Box::pin(async move {
        // An error means that the simulation has ended, and the node with it.
        let _ = lives.changed().await;
    })
}

/// A body that ends with an error when its node dies.
struct Connected {
    body: Body,
    reset: Pin<Box<dyn Future<Output = ()> + Send>>,
}

impl http_body::Body for Connected {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        if self.reset.as_mut().poll(cx).is_ready() {
            self.reset = Box::pin(std::future::ready(()));
            return Poll::Ready(Some(Err(Status::cancelled("connection reset"))));
        }
        Pin::new(&mut self.body).poll_frame(cx)
    }
}
