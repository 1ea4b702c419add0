//! TLS: which clients are accepted, their identities, and the rotation of
//! certificates without disruption.

mod clients;
mod files;
mod handshakes;
mod revocation;
mod rotation;
mod spiffe_ids;

use tempfile::TempDir;
use tonic::transport::{Channel, ClientTlsConfig};
use userpool::proto::{
    Actor, ListUserPoolEventsRequest, UserPoolEventFilter,
    user_pool_history_service_client::UserPoolHistoryServiceClient,
};

use crate::{
    authority::{Authority, connect},
    support::{Client, TestServer, create},
};

/// A server with a certificate, and its authority.
pub(crate) struct TlsServer {
    pub(crate) server: TestServer,
    pub(crate) authority: Authority,
    pub(crate) files: TempDir,
}

impl TlsServer {
    /// A server that requests client certificates of the same authority, required or
    /// optional.
    pub(crate) async fn start(required: Option<bool>) -> Self {
        let (authority, files) = (Authority::new("root"), TempDir::new().expect("a directory"));
        let tls = authority.write_server_tls(files.path(), required);
        let server = TestServer::with(|config| config.tls = Some(tls)).await;
        Self { server, authority, files }
    }

    pub(crate) async fn connect(
        &self,
        tls: ClientTlsConfig,
    ) -> Result<Channel, tonic::transport::Error> {
        connect(&self.server.endpoint.to_string(), tls).await
    }
}

/// The actor that is recorded for a change on a connection.
async fn recorded(channel: Channel) -> Actor {
    let id = create(&mut Client::new(channel.clone()), "people").await;
    let filter = UserPoolEventFilter { user_pool_id: Some(id), ..Default::default() };
    let request = ListUserPoolEventsRequest { filter: Some(filter), ..Default::default() };
    let mut history = UserPoolHistoryServiceClient::new(channel);
    let events = history.list_user_pool_events(request).await.expect("events").into_inner();
    events.events.into_iter().next().expect("an event").actor.expect("an actor")
}
