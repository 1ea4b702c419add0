//! The listener for AWS clients: accepts connections from the start of the server.

use std::{pin::pin, sync::Arc};

use futures_util::StreamExt as _;
use tokio::{sync::watch, task::JoinSet};

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

/// A running listener for AWS clients. Dropping it stops it at once.
#[derive(Debug)]
pub(super) struct AwsServer {
    endpoint: Endpoint,
    is_encrypted: bool,
    pub(super) accept: AcceptTask,
}

impl AwsServer {
    /// Starts accepting connections. TLS is for TCP only.
    pub(super) fn start(
        listener: Listener,
        tls: Option<Current<LoadedTls>>,
        limits: ConnectionLimits,
        door: Door,
        max_age: MaxConnectionAge,
        metrics: Arc<Metrics>,
    ) -> Self {
        let endpoint = listener.endpoint();
        let is_encrypted = tls.is_some() && matches!(endpoint, Endpoint::Tcp(_));
        let accept = AcceptTask::spawn(|ShutdownSignals { drain, abort }| {
            let (wire, shared_metrics) = (Wire::Http1, Arc::clone(&metrics));
            let acceptor = Acceptor::new(listener, tls, wire, limits, abort, shared_metrics);
            serve(acceptor, door, max_age, metrics, drain)
        });
        Self { endpoint, is_encrypted, accept }
    }

    /// The URL for AWS clients, or `unix:PATH`.
    pub(super) fn url(&self) -> String {
        match &self.endpoint {
            Endpoint::Tcp(address) if self.is_encrypted => format!("https://{address}"),
            Endpoint::Tcp(address) => format!("http://{address}"),
            Endpoint::Unix(_) => self.endpoint.to_string(),
        }
    }
}

async fn serve(
    acceptor: Acceptor,
    door: Door,
    max_age: MaxConnectionAge,
    metrics: Arc<Metrics>,
    mut drained: watch::Receiver<bool>,
) {
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
            let (door, open) = (door.clone(), metrics.aws.connection());
            let mut drained = drained.clone();
            let stop = async move {
                drained.wait_for(|drain| *drain).await.map(|_| ()).ok();
            };
            connections.spawn(async move {
                let answer = move |request| door.clone().answer(request);
                http1::serve(connection, answer, max_age, stop).await;
                drop(open);
            });
            while connections.try_join_next().is_some() {}
        }
    }
    while connections.join_next().await.is_some() {}
}
