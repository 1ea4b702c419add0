//! The limit of any RPC: a tonic server with our settings and no service, which reads
//! each request and answers with prepared bytes. Either as tonic writes them, or with our
//! coalescing of writes.

use std::{
    convert::Infallible,
    env, fs,
    future::{Ready, ready},
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use futures_util::TryStreamExt as _;
use tokio::{net::TcpListener, runtime::Runtime};
use tonic::{
    Request, Response, Status,
    body::Body,
    server::{Grpc, UnaryService},
    transport::{Server, server::TcpIncoming},
};
use tower::Service;

use crate::{coalesced::Coalesced, raw::Raw};

/// The argument that makes this executable the bare server.
pub(crate) const ARGUMENT: &str = "bare-tonic";
/// The one that makes it the bare server that coalesces its writes.
pub(crate) const COALESCING: &str = "coalescing-bare-tonic";

/// Serves until it is killed. The arguments are files: the answer to
/// `DescribeUserPool`, and the one to any other method.
pub(crate) fn serve(coalescing: bool) {
    let mut answers =
        env::args().skip(2).map(|path| Bytes::from(fs::read(path).expect("an answer")));
    let described = answers.next().expect("the answer to DescribeUserPool");
    let created = answers.next().expect("the answer to CreateUserPool");
    let bare = Bare { described, created };
    Runtime::new().expect("a runtime").block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        println!("bare tonic listening on {address}");
        let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
        let builder = Server::builder()
            .http2_keepalive_interval(Some(Duration::from_secs(30)))
            .http2_keepalive_timeout(Some(Duration::from_secs(10)))
            .max_concurrent_streams(128)
            .http2_max_header_list_size(16 * 1024);
        let served = if coalescing {
            builder.serve_with_incoming(bare, incoming.map_ok(Coalesced::new)).await
        } else {
            builder.serve_with_incoming(bare, incoming).await
        };
        served.expect("served");
    });
}

#[derive(Clone)]
struct Bare {
    described: Bytes,
    created: Bytes,
}

impl Service<http::Request<Body>> for Bare {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let describe = request.uri().path().ends_with("/DescribeUserPool");
        let answer = if describe { &self.described } else { &self.created };
        let answer = Answer(answer.clone());
        Box::pin(async move { Ok(Grpc::new(Raw).unary(answer, request).await) })
    }
}

struct Answer(Bytes);

impl UnaryService<Bytes> for Answer {
    type Response = Bytes;
    type Future = Ready<Result<Response<Bytes>, Status>>;

    fn call(&mut self, _: Request<Bytes>) -> Self::Future {
        ready(Ok(Response::new(self.0.clone())))
    }
}
