//! A client that is set right: a deadline on every call, retries where they are safe,
//! watches that resume. Knows nothing of what is behind the service.
//!
//! ```no_run
//! use userpool::{
//!     client::{Options, Tls, Watched},
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
//! // Over a lost connection or a restart of the server it is repeated, and done once.
//! let request = CreateUserPoolRequest {
//!     pool_name: Some("people".to_owned()),
//!     ..CreateUserPoolRequest::default()
//! };
//! let created = client.create_user_pool(request).await?;
//! println!("at position {}", created.position);
//!
//! let mut watch = client.watch(WatchUserPoolEventsRequest::default()).await?;
//! while let Watched::Event(event) = watch.next().await? {
//!     println!("{} at position {}", event.user_pool_id, event.position);
//! }
//! # Ok(())
//! # }
//! ```

mod calls;
mod kept;
mod options;
mod retry;
mod watch;

use std::{sync::Arc, time::Duration};

use tokio::time::{self, Instant};
use tonic::{Request, Response, Status, transport::Channel};
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};

pub use self::{
    options::{ConnectError, Options, Tls},
    watch::{Watch, Watched},
};
pub use crate::transport::Endpoint;

use self::{options::Transport, retry::Backoff};

/// A connection to a server, made anew whenever it is lost. Clones share it.
///
/// Every call has the same deadline, which the server is told, and which covers its
/// retries. Retried is what the server could not take up, and what got no answer
/// because the connection was lost: reads as they are, changes with the `request_id`
/// that they had, which the server carries out once. The client makes one where the
/// request has none. What the server refused is never retried.
#[derive(Debug, Clone)]
pub struct Client {
    transport: Arc<Transport>,
    deadline: Duration,
}

impl Client {
    fn new(transport: Transport, deadline: Duration) -> Self {
        Self { transport: Arc::new(transport), deadline }
    }

    /// The same connection with another deadline.
    #[must_use]
    pub fn with_deadline(&self, deadline: Duration) -> Self {
        Self { transport: Arc::clone(&self.transport), deadline }
    }

    /// How long a call may take.
    #[must_use]
    pub const fn deadline(&self) -> Duration {
        self.deadline
    }

    /// Whether the server says that this service is being served; the empty name is
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
        let answer = self.call(request, "", check).await?;
        Ok(answer.status() == ServingStatus::Serving)
    }

    /// Sends the request until it is answered or refused, or the deadline passes.
    /// `request_id` is what makes a change safe to repeat, and empty for a read.
    async fn call<Q: Clone, A, F>(
        &self,
        message: Q,
        request_id: &str,
        send: impl Fn(Channel, Request<Q>) -> F,
    ) -> Result<A, Status>
    where
        F: Future<Output = Result<Response<A>, Status>>,
    {
        let begun = Instant::now();
        let left = || self.deadline.saturating_sub(begun.elapsed());
        let late = || retry::late(self.deadline, request_id);
        let mut backoff = Backoff::default();
        loop {
            let mut request = self.transport.request(message.clone());
            request.set_timeout(left());
            let call = Box::pin(send(self.transport.channel(), request));
            let Ok(answer) = time::timeout(left(), call).await else { return Err(late()) };
            let status = match answer {
                Ok(answer) => return Ok(answer.into_inner()),
                Err(status) if retry::is_late(&status) => return Err(late()),
                Err(status) => retry::told(status, request_id),
            };
            match backoff.after(&status, self.transport.source()) {
                Some(pause) if pause < left() => {
                    tracing::debug!(code = ?status.code(), ?pause, "the call is repeated");
                    time::sleep(pause).await;
                }
                Some(_) | None => return Err(status),
            }
        }
    }
}
