//! Where a server is, and how to be known to it.

use std::{path::PathBuf, time::Duration};

use clap::{Args, builder::BoolishValueParser};
use tokio::time;
use tonic::Status;

use crate::{
    client::{Client, ConnectError, Endpoint, Options, Tls, Watch, WatchItem},
    proto::watch_user_pool_events_response::Content,
};

use super::error::CliError;

/// Where the server is, and how to call it.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Connection")]
pub(super) struct Connection {
    /// Where the server listens: HOST:PORT or unix:PATH.
    #[arg(
        long,
        env = "USERPOOL_ENDPOINT",
        value_name = "ENDPOINT",
        default_value = "127.0.0.1:50051"
    )]
    endpoint: Endpoint,
    #[command(flatten)]
    access: Access,
}

/// How to call a server.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Connection")]
pub(super) struct Access {
    /// How many seconds to wait for the connection, and for each answer, with its retries. New
    /// events are waited for as long as it takes.
    #[arg(
        long,
        env = "USERPOOL_TIMEOUT",
        value_name = "SECONDS",
        default_value_t = 30,
        value_parser = clap::value_parser!(u64).range(1..)
    )]
    timeout: u64,
    /// Connect with TLS, and trust whom the system trusts. Not needed beside --ca, --cert or
    /// --server-name.
    #[arg(long, env = "USERPOOL_TLS", value_parser = BoolishValueParser::new())]
    tls: bool,
    /// Connect with TLS, and trust only those whose certificates are in this PEM file.
    #[arg(long, env = "USERPOOL_CA", value_name = "FILE")]
    ca: Option<PathBuf>,
    /// The certificate to show to the server, a PEM file.
    #[arg(long, env = "USERPOOL_CERT", value_name = "FILE", requires = "cert_key")]
    cert: Option<PathBuf>,
    /// The key of that certificate, a PEM file.
    #[arg(long, env = "USERPOOL_CERT_KEY", value_name = "FILE", requires = "cert")]
    cert_key: Option<PathBuf>,
    /// The name that the server's certificate must have. Absent: the host of the endpoint.
    #[arg(long, env = "USERPOOL_SERVER_NAME", value_name = "NAME")]
    server_name: Option<String>,
    /// A file with the bearer token to send along.
    #[arg(long, env = "USERPOOL_TOKEN_FILE", value_name = "FILE")]
    token_file: Option<PathBuf>,
}

impl Connection {
    /// Connects.
    ///
    /// # Errors
    /// UNAVAILABLE, with what to do, where no server answers, or none that is believed.
    pub(super) async fn connect(self) -> Result<Client, CliError> {
        self.access.connect(self.endpoint).await
    }
}

impl Access {
    /// Connects to the server there.
    ///
    /// # Errors
    /// As for [`Connection::connect`].
    pub(super) async fn connect(self, endpoint: Endpoint) -> Result<Client, CliError> {
        let identity = self.cert.zip(self.cert_key);
        let Self { tls, ca, server_name, .. } = self;
        let with_tls = tls || ca.is_some() || identity.is_some() || server_name.is_some();
        let options = Options {
            tls: with_tls.then_some(Tls { ca, identity, server_name }),
            token_file: self.token_file,
            deadline: Duration::from_secs(self.timeout),
            ..Options::to(endpoint)
        };
        match options.connect().await {
            Ok(client) => Ok(client),
            Err(absent @ ConnectError::Unreachable { .. }) => Err(Status::unavailable(format!(
                "{absent}: start one with \"userpool serve\", or name another with --endpoint or \
                 USERPOOL_ENDPOINT"
            ))
            .into()),
            Err(unlike @ ConnectError::Tls { .. }) => Err(Status::unavailable(format!(
                "{unlike}: say with --ca who vouches for the server and with --server-name what \
                 it is called, or connect without TLS if it has none"
            ))
            .into()),
            Err(
                error @ (ConnectError::File { .. }
                | ConnectError::Token(_)
                | ConnectError::PlaintextToken
                | ConnectError::TlsOnUnixSocket
                | ConnectError::Setup(_)),
            ) => Err(CliError::other(error)),
        }
    }
}

/// What a watch tells next, for those who want all of it and not to wait for more.
///
/// # Errors
/// It ends, or tells nothing for as long as an answer may take.
pub(super) async fn next_in_time(client: &Client, watch: &mut Watch) -> Result<Content, Status> {
    let deadline = client.deadline();
    match time::timeout(deadline, watch.next()).await {
        Ok(Ok(WatchItem::Event(event))) => Ok(Content::Event(event)),
        Ok(Ok(WatchItem::Checkpoint(checkpoint))) => Ok(Content::Checkpoint(checkpoint)),
        Ok(Ok(WatchItem::Disconnected { status, .. }) | Err(status)) => Err(status),
        Err(_) => Err(Status::deadline_exceeded(format!("nothing came for {deadline:?}"))),
    }
}
