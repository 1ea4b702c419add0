//! The connection to a server, and waiting for its answers.

use std::{error::Error, time::Duration};

use clap::Args;
use http::Uri;
use tokio::time;
use tonic::{
    Response, Status,
    transport::{Channel, Endpoint as Transport},
};

use crate::{
    proto::{
        user_pool_history_service_client::UserPoolHistoryServiceClient,
        user_pool_service_client::UserPoolServiceClient,
    },
    server::Endpoint,
};

use super::CliError;

/// What the server records as the user agent.
const USER_AGENT: &str = concat!("userpool/", env!("CARGO_PKG_VERSION"));

/// What is not known where no answer comes.
const UNKNOWN: &str = "a change may or may not have been recorded, and may be repeated safely \
                       with the --request-id that it had";
/// How many seconds to wait where nobody says.
const TIMEOUT: u64 = 30;
/// A server that is silent for this long is asked whether it is still there, so that
/// a watch notices that it is not.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(30);
/// And this is how long it may take to answer.
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(10);

/// Where the server is, and how long to wait for it.
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
    /// How many seconds to wait for the connection, and for each answer. New events are waited for
    /// as long as it takes.
    #[arg(
        long,
        env = "USERPOOL_TIMEOUT",
        value_name = "SECONDS",
        default_value_t = TIMEOUT,
        value_parser = clap::value_parser!(u64).range(1..)
    )]
    timeout: u64,
}

/// A connection that was made.
#[derive(Debug, Clone)]
pub(super) struct Client {
    channel: Channel,
    timeout: Duration,
}

impl Connection {
    /// A connection to be made to `endpoint`.
    pub(super) const fn to(endpoint: Endpoint) -> Self {
        Self { endpoint, timeout: TIMEOUT }
    }

    /// Connects.
    ///
    /// # Errors
    /// UNAVAILABLE, with what to do, where no server answers.
    pub(super) async fn connect(&self) -> Result<Client, CliError> {
        let timeout = Duration::from_secs(self.timeout);
        let address = match &self.endpoint {
            Endpoint::Tcp(address) => format!("http://{address}"),
            Endpoint::Unix(path) => format!("unix:{}", path.display()),
        };
        let transport = Transport::from_shared(address).map_err(|error| self.absent(&error))?;
        let transport = transport.user_agent(USER_AGENT).map_err(|error| self.absent(&error))?;
        let transport = match &self.endpoint {
            Endpoint::Tcp(_) => transport,
            // A path is no authority; servers refuse it.
            Endpoint::Unix(_) => transport.origin(Uri::from_static("http://localhost")),
        };
        let transport = transport
            .connect_timeout(timeout)
            .http2_keep_alive_interval(KEEPALIVE_INTERVAL)
            .keep_alive_timeout(KEEPALIVE_TIMEOUT);
        let channel = match time::timeout(timeout, transport.connect()).await {
            Ok(connected) => connected.map_err(|error| self.absent(&error))?,
            Err(elapsed) => return Err(self.absent(&elapsed)),
        };
        Ok(Client { channel, timeout })
    }

    fn absent(&self, error: &dyn Error) -> CliError {
        let mut cause = error;
        while let Some(source) = cause.source() {
            cause = source;
        }
        let endpoint = &self.endpoint;
        let text = format!(
            "no server answers on {endpoint} ({cause}): start one with \"userpool serve\", or \
             name another with --endpoint or USERPOOL_ENDPOINT"
        );
        Status::unavailable(text).into()
    }
}

impl Client {
    pub(super) fn user_pools(&self) -> UserPoolServiceClient<Channel> {
        UserPoolServiceClient::new(self.channel.clone())
    }

    pub(super) fn history(&self) -> UserPoolHistoryServiceClient<Channel> {
        UserPoolHistoryServiceClient::new(self.channel.clone())
    }

    /// What the server answers.
    ///
    /// # Errors
    /// Its refusal, or `DEADLINE_EXCEEDED` where it takes too long.
    pub(super) fn answer<T>(
        &self,
        call: impl Future<Output = Result<Response<T>, Status>>,
    ) -> impl Future<Output = Result<T, CliError>> {
        // Requests are large; boxed, they do not make every future so.
        let call = Box::pin(call);
        async { Ok(self.in_time(call).await?.into_inner()) }
    }

    /// The same for anything else that the server is to send.
    ///
    /// # Errors
    /// As for [`answer`](Self::answer).
    pub(super) async fn in_time<T>(
        &self,
        call: impl Future<Output = Result<T, Status>>,
    ) -> Result<T, Status> {
        let seconds = self.timeout.as_secs();
        let late =
            || Status::deadline_exceeded(format!("no answer within {seconds} seconds; {UNKNOWN}"));
        let answer = time::timeout(self.timeout, call).await.unwrap_or_else(|_| Err(late()));
        answer.map_err(|status| match status.source() {
            // It is the transport that speaks, and not the server.
            Some(_) => Status::unavailable(format!("the connection was lost; {UNKNOWN}")),
            None => status,
        })
    }
}
