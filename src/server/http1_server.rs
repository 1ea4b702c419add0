//! A listener for HTTP/1.1, for AWS clients or for browsers: accepts connections from the start of
//! the server.

use std::{pin::pin, sync::Arc};

use axum::Router;
use futures_util::StreamExt as _;
use http::{Request, Response};
use tokio::{sync::watch, task::JoinSet};
use tonic::body::Body;
use tower::ServiceExt as _;

use crate::{
    aws::Door,
    fs::reload::Current,
    telemetry::metrics::Metrics,
    transport::{
        Endpoint, Listener, LoadedTls, MaxConnectionAge,
        acceptor::{Acceptor, ConnectionLimits},
        http1,
        wire::Wire,
    },
};

use super::accept_task::{AcceptTask, ShutdownSignals};

/// A running listener for HTTP/1.1. Dropping it stops it at once.
#[derive(Debug)]
pub(super) struct Http1Server {
    endpoint: Endpoint,
    is_encrypted: bool,
    pub(super) accept: AcceptTask,
}

impl Http1Server {
    /// Starts a listener for AWS clients.
    pub(super) fn for_aws(
        listener: Listener,
        tls: Option<Current<LoadedTls>>,
        limits: ConnectionLimits,
        door: Door,
        max_age: MaxConnectionAge,
        metrics: Arc<Metrics>,
    ) -> Self {
        let aws_metrics = metrics.aws.clone();
        let connect = move || {
            let (door, open) = (door.clone(), Arc::new(aws_metrics.connection()));
            move |request| {
                let (door, open) = (door.clone(), Arc::clone(&open));
                async move {
                    let response = door.answer(request).await;
                    drop(open);
                    response
                }
            }
        };
        Self::start(listener, tls, limits, max_age, metrics, connect)
    }

    /// Starts a listener for browsers.
    pub(super) fn for_console(
        listener: Listener,
        tls: Option<Current<LoadedTls>>,
        limits: ConnectionLimits,
        routes: Router,
        max_age: MaxConnectionAge,
        metrics: Arc<Metrics>,
    ) -> Self {
        let connect = move || {
            let routes = routes.clone();
            move |request| answer(routes.clone(), request)
        };
        Self::start(listener, tls, limits, max_age, metrics, connect)
    }

    /// Starts accepting connections. `connect` makes what answers the requests of a connection.
    /// TLS is for TCP only.
    fn start<C, F, A>(
        listener: Listener,
        tls: Option<Current<LoadedTls>>,
        limits: ConnectionLimits,
        max_age: MaxConnectionAge,
        metrics: Arc<Metrics>,
        connect: C,
    ) -> Self
    where
        C: Fn() -> F + Send + 'static,
        F: Fn(Request<Body>) -> A + Clone + Send + 'static,
        A: Future<Output = Response<Body>> + Send + 'static,
    {
        let endpoint = listener.endpoint();
        let is_encrypted = tls.is_some() && matches!(endpoint, Endpoint::Tcp(_));
        let accept = AcceptTask::spawn(|ShutdownSignals { drain, abort }| {
            let acceptor = Acceptor::new(listener, tls, Wire::Http1, limits, abort, metrics);
            serve(acceptor, connect, max_age, drain)
        });
        Self { endpoint, is_encrypted, accept }
    }

    /// Its URL, or `unix:PATH`.
    pub(super) fn url(&self) -> String {
        match &self.endpoint {
            Endpoint::Tcp(address) if self.is_encrypted => format!("https://{address}"),
            Endpoint::Tcp(address) => format!("http://{address}"),
            Endpoint::Unix(_) => self.endpoint.to_string(),
        }
    }
}

/// Answers a request for the console.
async fn answer(routes: Router, request: Request<Body>) -> Response<Body> {
    match routes.oneshot(request).await {
        Ok(response) => response.map(Body::new),
        Err(never) => match never {},
    }
}

async fn serve<C, F, A>(
    acceptor: Acceptor,
    connect: C,
    max_age: MaxConnectionAge,
    mut drained: watch::Receiver<bool>,
) where
    C: Fn() -> F + Send + 'static,
    F: Fn(Request<Body>) -> A + Clone + Send + 'static,
    A: Future<Output = Response<Body>> + Send + 'static,
{
    let mut connections = JoinSet::new();
    {
        let mut accepted = pin!(acceptor.into_stream());
        loop {
            let connection = tokio::select! {
                // An error means that the server was dropped.
                _ = drained.wait_for(|drain| *drain) => break,
                connection = accepted.next() => connection,
            };
            let Some(Ok(connection)) = connection else { continue };
            let mut drained = drained.clone();
            let stop = async move {
                drained.wait_for(|drain| *drain).await.map(|_| ()).ok();
            };
            connections.spawn(http1::serve(connection, connect(), max_age, stop));
            while connections.try_join_next().is_some() {}
        }
    }
    while connections.join_next().await.is_some() {}
}
