//! A client of the service: a deadline on every call, retries where they are safe, and
//! watches that resume. It builds from `proto` and `endpoint` alone.
//!
//! ```no_run
//! use userpool::{
//!     client::{Options, Tls, WatchItem},
//!     proto::{CreateUserPoolRequest, WatchUserPoolEventsRequest},
//! };
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let client = Options {
//!     tls: Some(Tls { ca: Some("ca.pem".into()), ..Tls::default() }),
//!     token_file: Some("/run/secrets/token".into()),
//!     ..Options::to("userpool.internal:50051".parse()?)
//! }
//! .connect()
//! .await?;
//!
//! // Retried after a lost connection or a restart of the server, and carried out once.
//! let request = CreateUserPoolRequest {
//!     pool_name: Some("people".to_owned()),
//!     ..CreateUserPoolRequest::default()
//! };
//! let created = client.create_user_pool(request).await?;
//! println!("at position {}", created.position);
//!
//! let mut watch = client.watch(WatchUserPoolEventsRequest::default()).await?;
//! while let WatchItem::Event(event) = watch.next().await? {
//!     println!("{} at position {}", event.user_pool_id, event.position);
//! }
//! # Ok(())
//! # }
//! ```

mod calls;
mod channel;
mod correlation;
mod error;
mod file_backed;
mod options;
mod random;
mod retry;
mod transport;
mod watch;

use std::{sync::Arc, time::Duration};

use tokio::time::{self, Instant};
use tonic::{Request, Response, Status, transport::Channel};
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};

pub use self::{
    channel::AuthorizedChannel,
    error::ConnectError,
    options::{Options, Tls},
    watch::{Watch, WatchItem},
};
pub use crate::endpoint::{Endpoint, EndpointError};

use self::{correlation::CorrelationId, retry::Backoff, transport::Transport};

/// A connection to a server, which reconnects when it is lost. Clones share it.
///
/// Every call has the same deadline, which is sent to the server and includes retries.
/// The client retries calls that the server could not accept (`UNAVAILABLE`, or
/// `RESOURCE_EXHAUSTED` with a delay) and calls whose connection was lost: reads as they
/// are, changes with their `request_id`, so that the server carries them out once. It
/// sets a `request_id` where the request has none. Other errors are not retried.
///
/// Every call has a correlation ID, under which the server logs it, and which its retries keep. An
/// error has it in the metadata `x-request-id`, even if no answer came.
#[derive(Debug, Clone)]
pub struct Client {
    transport: Arc<Transport>,
    deadline: Duration,
}

impl Options {
    /// Connects to the server.
    ///
    /// # Errors
    /// See [`ConnectError`].
    pub async fn connect(self) -> Result<Client, ConnectError> {
        let deadline = self.deadline;
        let transport = Arc::new(Transport::connect(self).await?);
        Ok(Client { transport, deadline })
    }

    /// Returns a client that connects on its first call, for programs that may start
    /// before the server. Must be called within a Tokio runtime.
    ///
    /// # Errors
    /// Any [`ConnectError`] but [`ConnectError::Unreachable`] and [`ConnectError::Tls`].
    pub fn connect_lazy(self) -> Result<Client, ConnectError> {
        let deadline = self.deadline;
        let transport = Arc::new(Transport::connect_lazy(self)?);
        Ok(Client { transport, deadline })
    }
}

impl Client {
    /// Returns a client with another deadline on the same connection.
    #[must_use]
    pub fn with_deadline(&self, deadline: Duration) -> Self {
        Self { transport: Arc::clone(&self.transport), deadline }
    }

    /// How long a call may take, with its retries.
    #[must_use]
    pub const fn deadline(&self) -> Duration {
        self.deadline
    }

    /// The connection as a service, for generated clients. It sends the token of the client with
    /// each call, connects again when it is lost, and retries nothing.
    #[must_use]
    pub fn channel(&self) -> AuthorizedChannel {
        AuthorizedChannel(Arc::clone(&self.transport))
    }

    /// Whether the server reports that it serves this service; the empty name stands for
    /// the server as a whole.
    ///
    /// # Errors
    /// The server does not know the service, or does not answer.
    pub async fn is_serving(&self, service: &str) -> Result<bool, Status> {
        let request = HealthCheckRequest { service: service.to_owned() };
        let check = |channel, request| async {
            let mut client: HealthClient<Channel> = HealthClient::new(channel);
            client.check(request).await
        };
        let answer = self.call(&CorrelationId::new(), request, "", check).await?;
        Ok(answer.status() == ServingStatus::Serving)
    }

    /// Sends the request until it is answered or refused, or the deadline passes.
    /// `request_id` makes it safe to retry a change, and is empty for a read.
    async fn call<Q: Clone, A, F>(
        &self,
        correlation_id: &CorrelationId,
        message: Q,
        request_id: &str,
        send: impl Fn(Channel, Request<Q>) -> F,
    ) -> Result<A, Status>
    where
        F: Future<Output = Result<Response<A>, Status>>,
    {
        let start = Instant::now();
        let left = || self.deadline.saturating_sub(start.elapsed());
        let deadline_exceeded =
            || correlation_id.insert_into(retry::deadline_exceeded(self.deadline, request_id));
        let mut backoff = Backoff::default();
        loop {
            let mut request = correlation_id.send_with(self.transport.request(message.clone()));
            request.set_timeout(left());
            let call = Box::pin(send(self.transport.channel(), request));
            let Ok(answer) = time::timeout(left(), call).await else {
                return Err(deadline_exceeded());
            };
            let status = match answer {
                Ok(answer) => return Ok(answer.into_inner()),
                Err(status) if retry::is_timeout(&status) => return Err(deadline_exceeded()),
                Err(status) => {
                    let endpoint = self.transport.endpoint();
                    correlation_id.insert_into(retry::normalize(status, endpoint, request_id))
                }
            };
            match backoff.next_pause(&status) {
                Some(pause) if pause < left() => {
                    tracing::debug!(code = ?status.code(), ?pause, "retrying the call");
                    time::sleep(pause).await;
                }
                Some(_) | None => return Err(status),
            }
        }
    }
}
