//! A server in proxy of the real one that refuses calls, loses their answers or ends their
//! streams on demand, and records the calls.

use std::{
    collections::VecDeque,
    convert::Infallible,
    sync::{Arc, Mutex},
    task::{Context, Poll},
};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::HeaderMap;
use tokio::{net::TcpListener, task::AbortHandle, time::Instant};
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{
    Status,
    body::Body,
    codegen::Service,
    service::Routes,
    transport::{
        Channel, Server, ServerTlsConfig,
        server::{TcpConnectInfo, TlsConnectInfo},
    },
};
use userpool::client::{Endpoint, Options};

use super::streams::{Connections, Ending, OpenWatches};
use crate::support::TestServer;

/// The compression flag and the length before each message.
pub(super) const MESSAGE_PREFIX: usize = 5;

/// What the proxy does with a call. By default it forwards it.
#[derive(Debug)]
pub(super) enum Action {
    /// Forward it.
    Pass,
    /// Answer with this status.
    Refuse(Status),
    /// Forward it when no watch is open.
    PassAfterWatches,
    /// Carry it out and answer with this status.
    LoseAnswer(Status),
    /// Forward a watch up to its first message, and end it with this status.
    EndWatch(Status),
    /// Forward a watch up to its first message, and break these connections.
    BreakWatch(Connections),
    /// Never answer.
    Silence,
}

/// A call that arrived.
#[derive(Debug, Clone)]
pub(super) struct ReceivedCall {
    pub(super) method: String,
    pub(super) metadata: HeaderMap,
    pub(super) message: Bytes,
    pub(super) at: Instant,
    /// The client's certificate, in DER.
    pub(super) certificate: Option<Vec<u8>>,
}

#[derive(Debug, Clone)]
struct ProxyService {
    behind: Channel,
    actions: Arc<Mutex<VecDeque<Action>>>,
    calls: Arc<Mutex<Vec<ReceivedCall>>>,
    watches: OpenWatches,
}

/// Stops the proxy when dropped.
#[derive(Debug)]
pub(super) struct Proxy {
    pub(super) endpoint: Endpoint,
    service: ProxyService,
    serving: AbortHandle,
}

impl Proxy {
    pub(super) async fn of(server: &TestServer, actions: impl IntoIterator<Item = Action>) -> Self {
        Self::with_tls(server, None, actions).await
    }

    pub(super) async fn with_tls(
        server: &TestServer,
        tls: Option<ServerTlsConfig>,
        actions: impl IntoIterator<Item = Action>,
    ) -> Self {
        let service = ProxyService {
            behind: server.channel().await,
            actions: Arc::new(Mutex::new(actions.into_iter().collect())),
            calls: Arc::default(),
            watches: OpenWatches::default(),
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let endpoint = listener.local_addr().expect("an address").to_string();
        let mut server = Server::builder();
        if let Some(tls) = tls {
            server = server.tls_config(tls).expect("certificates");
        }
        let routes = Routes::from(axum::Router::new().fallback_service(service.clone()));
        let serving =
            server.add_routes(routes).serve_with_incoming(TcpListenerStream::new(listener));
        let serving = tokio::spawn(serving).abort_handle();
        Self { endpoint: endpoint.parse().expect("an endpoint"), service, serving }
    }

    /// A client of the proxy with these options.
    pub(super) fn options(&self) -> Options {
        Options::to(self.endpoint.clone())
    }

    /// The calls so far.
    pub(super) fn calls(&self) -> Vec<ReceivedCall> {
        self.service.calls.lock().expect("no panic").clone()
    }

    pub(super) fn will(&self, action: Action) {
        self.service.actions.lock().expect("no panic").push_back(action);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Service<http::Request<axum::body::Body>> for ProxyService {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<axum::body::Body>) -> Self::Future {
        let proxy = self.clone();
        Box::pin(async move { Ok(proxy.answer(request).await) })
    }
}

impl ProxyService {
    async fn answer(mut self, request: http::Request<axum::body::Body>) -> http::Response<Body> {
        let (mut parts, body) = request.into_parts();
        let body = axum::body::to_bytes(body, usize::MAX).await.expect("a request");
        let connection = parts.extensions.get::<TlsConnectInfo<TcpConnectInfo>>();
        let certificates = connection.and_then(TlsConnectInfo::peer_certs);
        let method = parts.uri.path().rsplit('/').next().unwrap_or_default().to_owned();
        let is_watch = method == "WatchUserPoolEvents";
        self.calls.lock().expect("no panic").push(ReceivedCall {
            method,
            metadata: parts.headers.clone(),
            message: body.slice(MESSAGE_PREFIX.min(body.len())..),
            at: Instant::now(),
            certificate: certificates.map(|chain| chain[0].to_vec()),
        });
        // The token is for the proxy: the server behind it accepts none.
        parts.headers.remove("authorization");
        let action = self.actions.lock().expect("no panic").pop_front().unwrap_or(Action::Pass);
        match action {
            Action::Refuse(status) => return status.into_http(),
            Action::Silence => return std::future::pending().await,
            Action::PassAfterWatches => self.watches.none_open().await,
            Action::Pass | Action::LoseAnswer(_) | Action::EndWatch(_) | Action::BreakWatch(_) => {}
        }
        std::future::poll_fn(|context| self.behind.poll_ready(context)).await.expect("a server");
        let request = http::Request::from_parts(parts, Body::new(axum::body::Body::from(body)));
        let answer = self.behind.call(request).await;
        let ending = match action {
            Action::LoseAnswer(status) => {
                answer.expect("carried out");
                return status.into_http();
            }
            Action::EndWatch(status) => Some(Ending::Status(status)),
            Action::BreakWatch(connections) => Some(Ending::Break(connections)),
            Action::Pass | Action::PassAfterWatches | Action::Refuse(_) | Action::Silence => None,
        };
        let answer = answer.unwrap_or_else(|error| Status::from_error(Box::new(error)).into_http());
        if is_watch { answer.map(|body| self.watches.open(body, ending)) } else { answer }
    }
}
