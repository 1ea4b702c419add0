//! A watch that survives lost connections: it resumes after the last position, so that
//! no event is missed and none is delivered twice. The server compares the hash at that
//! position, so a watch never goes on silently in another log.

use std::time::Duration;

use tokio::time;
use tonic::{Code, Request, Status, Streaming, transport::Channel};

use crate::proto::{
    UserPoolEvent, WatchCheckpoint, WatchUserPoolEventsRequest, WatchUserPoolEventsResponse,
    user_pool_history_service_client::UserPoolHistoryServiceClient,
    watch_user_pool_events_request::Start, watch_user_pool_events_response::Content,
};

use super::{
    Client,
    correlation::CorrelationId,
    retry::{self, Backoff},
};

/// A stream of events, in log order, each exactly once.
#[derive(Debug)]
pub struct Watch {
    client: Client,
    /// The request to send after a lost connection: it starts after the last item.
    request: WatchUserPoolEventsRequest,
    events: Option<Streaming<WatchUserPoolEventsResponse>>,
    /// Of every call of this watch.
    correlation_id: CorrelationId,
    backoff: Backoff,
    /// How long to wait before sending it.
    pause: Duration,
}

/// An item of a [`Watch`].
#[derive(Debug)]
pub enum WatchItem {
    /// An event.
    Event(Box<UserPoolEvent>),
    /// Every event up to this position was delivered.
    Checkpoint(WatchCheckpoint),
    /// The connection was lost or has reached its maximum age, the token has expired, or the
    /// server is stopping. The watch reconnects by itself, with the token that the file has
    /// then; the caller need not do anything.
    Disconnected {
        /// The position after which the watch resumes.
        after: i64,
        /// Why the connection was lost.
        status: Status,
    },
}

impl Client {
    /// Starts a watch.
    ///
    /// # Errors
    /// The server refuses, or does not answer within the deadline. The deadline does not
    /// end a watch that has started.
    pub async fn watch(&self, request: WatchUserPoolEventsRequest) -> Result<Watch, Status> {
        let correlation_id = CorrelationId::new();
        let events = self.events(request.clone(), &correlation_id).await?;
        Ok(Watch {
            client: self.clone(),
            request,
            events: Some(events),
            correlation_id,
            backoff: Backoff::default(),
            pause: Duration::ZERO,
        })
    }

    async fn events(
        &self,
        request: WatchUserPoolEventsRequest,
        correlation_id: &CorrelationId,
    ) -> Result<Streaming<WatchUserPoolEventsResponse>, Status> {
        let send = |channel, mut request: Request<_>| async {
            // The timeout is for the start of the response. The server would end the watch
            // after it.
            request.metadata_mut().remove("grpc-timeout");
            let mut client: UserPoolHistoryServiceClient<Channel> =
                UserPoolHistoryServiceClient::new(channel);
            client.watch_user_pool_events(request).await
        };
        self.call(correlation_id, request, "", send).await
    }
}

impl Watch {
    /// Waits for the next item. Cancel safe: no item is lost if the future is dropped.
    ///
    /// # Errors
    /// The server refuses to resume the watch, for example with an expired token, or with reason
    /// `WRONG_LOG` if it has another log now; or the connection was lost before any
    /// position was requested or delivered, so there is no position to resume after.
    pub async fn next(&mut self) -> Result<WatchItem, Status> {
        loop {
            let Some(events) = &mut self.events else {
                time::sleep(self.pause).await;
                match self.client.events(self.request.clone(), &self.correlation_id).await {
                    Ok(events) => self.events = Some(events),
                    // The caller has already received one `Disconnected`.
                    Err(status) => self.pause = self.pause_after(status)?.0,
                }
                continue;
            };
            let ended = match events.message().await {
                Ok(Some(WatchUserPoolEventsResponse { content: Some(content) })) => {
                    return Ok(self.item(content));
                }
                // A newer server sent content that this client does not know.
                Ok(Some(WatchUserPoolEventsResponse { content: None })) => continue,
                Ok(None) => Status::unavailable("the server ended the watch"),
                Err(status) => retry::normalize(status, self.client.transport.endpoint(), ""),
            };
            // The headers had it, not the trailers.
            let ended = self.correlation_id.insert_into(ended);
            self.events = None;
            let Some(Start::AfterPosition(after)) = self.request.start else { return Err(ended) };
            // The server accepted the token when the watch began, so it has expired since, and
            // the file may have a new one.
            let (pause, status) = if ended.code() == Code::Unauthenticated {
                (self.backoff.advance(), ended)
            } else {
                self.pause_after(ended)?
            };
            self.pause = pause;
            return Ok(WatchItem::Disconnected { after, status });
        }
    }

    /// The request that resumes this watch after its last item, for a program that stores it to
    /// go on after its own restart: its position, hash and log ID.
    #[must_use]
    pub const fn resume_request(&self) -> &WatchUserPoolEventsRequest {
        &self.request
    }

    fn item(&mut self, content: Content) -> WatchItem {
        self.backoff = Backoff::default();
        let (position, hash, item) = match content {
            Content::Event(event) => (event.position, event.hash.clone(), WatchItem::Event(event)),
            Content::Checkpoint(at) => {
                self.request.log_id.clone_from(&at.log_id);
                (at.position, at.hash.clone(), WatchItem::Checkpoint(at))
            }
        };
        self.request.start = Some(Start::AfterPosition(position));
        self.request.after_hash = hash;
        item
    }

    fn pause_after(&mut self, status: Status) -> Result<(Duration, Status), Status> {
        match self.backoff.next_pause(&status) {
            Some(pause) => Ok((pause, status)),
            None if status.code() == Code::DeadlineExceeded => Ok((self.pause, status)),
            None => Err(status),
        }
    }
}
