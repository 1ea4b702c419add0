//! The arguments that name a server and the caller, and the connection to it.

use std::{path::PathBuf, time::Duration};

use clap::{Args, builder::BoolishValueParser};
use tokio::time;
use tonic::Status;

use crate::{
    client::{Client, ConnectError, Endpoint, Options, Tls, Watch, WatchItem},
    proto::watch_user_pool_events_response::Content,
    telemetry::error_chain,
};

use super::{
    contexts::{self, Contexts},
    error::CliError,
    os_argument,
    positive::positive,
};

/// The server to call, and how.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Connection")]
pub(super) struct ConnectionArgs {
    /// Connect to the server at this address: HOST:PORT or unix:PATH.
    #[arg(
        long,
        hide_short_help = true,
        env = "USERPOOL_ENDPOINT",
        value_name = "ENDPOINT",
        default_value = "127.0.0.1:50051",
        value_parser = os_argument::endpoint()
    )]
    endpoint: Endpoint,
    #[command(flatten)]
    access: AccessArgs,
}

/// How to call a server.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Connection")]
pub(super) struct AccessArgs {
    /// Take the flags of the connection that are omitted from this context; an empty name uses no
    /// context. If omitted, the current context, except for an export. See "userpool context --help".
    #[arg(long, hide_short_help = true, env = "USERPOOL_CONTEXT", value_name = "CONTEXT")]
    context: Option<String>,
    /// Wait at most this many seconds for the connection, and for each answer, retries included.
    /// The wait for new events is not limited.
    #[arg(
        long,
        hide_short_help = true,
        env = "USERPOOL_TIMEOUT",
        value_name = "SECONDS",
        default_value_t = 30,
        value_parser = positive
    )]
    timeout: u64,
    /// Connect with TLS and trust the authorities that the system trusts. Implied by --ca, --cert
    /// and --server-name.
    #[arg(long, hide_short_help = true, env = "USERPOOL_TLS", value_parser = BoolishValueParser::new())]
    tls: bool,
    /// Connect with TLS and trust only the authorities in this PEM file.
    #[arg(long, hide_short_help = true, env = "USERPOOL_CA", value_name = "FILE")]
    ca: Option<PathBuf>,
    /// Connect with TLS and present the certificate in this PEM file.
    #[arg(
        long,
        hide_short_help = true,
        env = "USERPOOL_CERT",
        value_name = "FILE",
        requires = "cert_key"
    )]
    cert: Option<PathBuf>,
    /// Read the private key of --cert from this PEM file.
    #[arg(
        long,
        hide_short_help = true,
        env = "USERPOOL_CERT_KEY",
        value_name = "FILE",
        requires = "cert"
    )]
    cert_key: Option<PathBuf>,
    /// Connect with TLS and require this name in the server's certificate. If omitted, the host of
    /// the endpoint is required.
    #[arg(long, hide_short_help = true, env = "USERPOOL_SERVER_NAME", value_name = "NAME")]
    server_name: Option<String>,
    /// Send the bearer token in this file with each call.
    #[arg(long, hide_short_help = true, env = "USERPOOL_TOKEN_FILE", value_name = "FILE")]
    token_file: Option<PathBuf>,
}

impl ConnectionArgs {
    /// Connects to the server.
    ///
    /// # Errors
    /// `UNAVAILABLE`, with a remedy, if no server answers or its certificate is not trusted;
    /// or the arguments cannot be used.
    pub(super) async fn connect(self) -> Result<Client, CliError> {
        self.access.connect(self.endpoint).await
    }

    /// The context that is used, and the server that it names.
    pub(super) fn context(&self) -> Option<(&str, &Endpoint)> {
        self.access.context().map(|context| (context, &self.endpoint))
    }

    /// The options that make another command connect in the same way.
    pub(super) fn to_options(&self) -> Vec<String> {
        let Self { endpoint, access } = self;
        let AccessArgs { context, timeout: _, tls, ca, cert, cert_key, server_name, token_file } =
            access;
        let mut options = vec![format!("--endpoint={endpoint}")];
        // The options have what the context had. An empty name matters only if there is another one.
        let has_current = || Contexts::load().is_ok_and(|contexts| contexts.current().is_some());
        let is_cleared = |name: &String| !name.is_empty() || has_current();
        options.extend(
            context.as_ref().filter(|name| is_cleared(name)).map(|_| "--context=".to_owned()),
        );
        options.extend(tls.then(|| "--tls".to_owned()));
        let files =
            [("ca", ca), ("cert", cert), ("cert-key", cert_key), ("token-file", token_file)];
        for (name, file) in files {
            options.extend(file.as_ref().map(|file| format!("--{name}={}", file.display())));
        }
        options.extend(server_name.as_ref().map(|name| format!("--server-name={name}")));
        options
    }
}

impl AccessArgs {
    /// The context that is used.
    fn context(&self) -> Option<&str> {
        self.context.as_deref().filter(|name| !name.is_empty())
    }

    /// Connects to the server at `endpoint`.
    ///
    /// # Errors
    /// As for [`ConnectionArgs::connect`].
    pub(super) async fn connect(self, endpoint: Endpoint) -> Result<Client, CliError> {
        let name = self.context().map(str::to_owned);
        let context = name.as_ref().map(|name| format!(" (context {name})")).unwrap_or_default();
        let identity = self.cert.zip(self.cert_key);
        let Self { tls, ca, server_name, .. } = self;
        let with_tls = tls || ca.is_some() || identity.is_some() || server_name.is_some();
        let options = Options {
            tls: with_tls.then_some(Tls { ca, identity, server_name }),
            token_file: self.token_file,
            deadline: Duration::from_secs(self.timeout),
            ..Options::to(endpoint)
        };
        options.connect().await.map_err(|error| {
            let remedy = match &error {
                ConnectError::Unreachable { .. } => {
                    "start one with \"userpool serve\", or name another with --endpoint or \
                     USERPOOL_ENDPOINT"
                }
                ConnectError::Tls { .. } => {
                    "name its authority with --ca and its name with --server-name, or connect \
                     without TLS if it has none"
                }
                ConnectError::File { path, .. } | ConnectError::Token(path) => {
                    let remedy = name.and_then(|name| contexts::file_remedy(&name, path));
                    let remedy = remedy.map(|remedy| format!("{context}: {remedy}"));
                    let error = error_chain(&error);
                    return CliError::message(format!("{error}{}", remedy.unwrap_or_default()));
                }
                ConnectError::PlaintextToken
                | ConnectError::TlsOnUnixSocket
                | ConnectError::Setup(_) => {
                    return CliError::message(format!("{}{context}", error_chain(&error)));
                }
            };
            Status::unavailable(format!("{error}{context}: {remedy}")).into()
        })
    }
}

/// The next message of a watch, for callers that do not wait for new events.
///
/// # Errors
/// The watch ended, or there was no message within the deadline of a call.
pub(super) async fn next_message(client: &Client, watch: &mut Watch) -> Result<Content, Status> {
    let deadline = client.deadline();
    match time::timeout(deadline, watch.next()).await {
        Ok(Ok(WatchItem::Event(event))) => Ok(Content::Event(event)),
        Ok(Ok(WatchItem::Checkpoint(checkpoint))) => Ok(Content::Checkpoint(checkpoint)),
        Ok(Ok(WatchItem::Disconnected { status, .. }) | Err(status)) => Err(status),
        Err(_) => Err(Status::deadline_exceeded(format!("no message within {deadline:?}"))),
    }
}
