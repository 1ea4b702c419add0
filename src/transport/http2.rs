//! HTTP/2 on accepted connections, and their maximum age.
//!
//! A connection that reaches its age is ended in three steps, because it cannot end while it
//! has streams, and a watch is a stream that does not end. First GOAWAY: the client opens new
//! streams on another connection, and running calls finish. After [`GRACE`] the streams that
//! still run are ended with a status on which clients resume; by then the client has received
//! GOAWAY, so it does not resume on this connection. After [`CLOSE_TIMEOUT`] the connection
//! is closed, even if the client does not read.

use std::{
    convert::Infallible,
    pin::pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use futures_util::StreamExt as _;
use http::{Request, Response};
use http_body::Body as HttpBody;
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
    service::TowerToHyperService,
};
use tokio::{sync::watch, task::JoinSet, time::timeout};
use tonic::{body::Body, transport::server::Connected as _};
use tower::{BoxError, Service};

use crate::auth::Peer;

use super::{
    acceptor::Acceptor,
    connection::Connection,
    connection_age::{MaxConnectionAge, StreamsEnd},
};

/// How long calls may run after their connection has reached its age, as at a shutdown.
const GRACE: Duration = Duration::from_secs(30);
/// How long a connection may take to close after its streams were ended.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(10);

/// Serves HTTP/2 with these settings.
#[derive(Clone)]
pub(crate) struct Http2Server<S> {
    pub(crate) http: auto::Builder<TokioExecutor>,
    pub(crate) service: S,
    pub(crate) max_age: MaxConnectionAge,
    /// Becomes true when no more connections are accepted and the open ones are to end.
    pub(crate) drain: watch::Receiver<bool>,
}

impl<S> Http2Server<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
    S: Clone + Send + Sync + 'static,
    S::Future: Send + 'static,
{
    /// Serves the connections until the drain, and then until the last one is closed.
    pub(crate) async fn serve(self, acceptor: Acceptor) {
        let (mut drain, mut connections) = (self.drain.clone(), JoinSet::new());
        {
            let mut accepted = pin!(acceptor.into_stream());
            loop {
                tokio::select! {
                    // An error means that the server was dropped.
                    _ = drain.wait_for(|drain| *drain) => break,
                    connection = accepted.next() => if let Some(Ok(connection)) = connection {
                        connections.spawn(self.clone().serve_connection(connection));
                    },
                }
                while connections.try_join_next().is_some() {}
            }
        }
        while connections.join_next().await.is_some() {}
    }

    async fn serve_connection(mut self, connection: Connection) {
        let peer = connection.connect_info();
        let (end_streams, streams_end) = StreamsEnd::new();
        let service = ConnectionService { service: self.service, peer, streams_end };
        let service = TowerToHyperService::new(service);
        let served = self.http.serve_connection(TokioIo::new(connection), service);
        // Errors of a connection are caused by its client.
        let mut served = pin!(served);
        let is_draining = tokio::select! {
            _ = served.as_mut() => return,
            _ = self.drain.wait_for(|drain| *drain) => true,
            () = self.max_age.end() => false,
        };
        served.as_mut().graceful_shutdown();
        if is_draining {
            // The server ends the streams, and aborts what remains.
            let _ = served.await;
            return;
        }
        if timeout(GRACE, served.as_mut()).await.is_err() {
            end_streams.send_replace(true);
            let _ = timeout(CLOSE_TIMEOUT, served).await;
        }
    }
}

/// The service of one connection: adds the connection's peer and end to each request.
#[derive(Clone)]
struct ConnectionService<S> {
    service: S,
    peer: Peer,
    streams_end: StreamsEnd,
}

impl<S, B> Service<Request<B>> for ConnectionService<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
    B: HttpBody<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.service.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> S::Future {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(self.peer.clone());
        request.extensions_mut().insert(self.streams_end.clone());
        self.service.call(request)
    }
}
