//! Watching over whatever happens to the connection: after the last position, so that
//! no event is missed and none is told twice.

use std::time::Duration;

use tokio::time;
use tonic::{Request, Status, Streaming, transport::Channel};

use crate::proto::{
    UserPoolEvent, WatchCheckpoint, WatchUserPoolEventsRequest, WatchUserPoolEventsResponse,
    user_pool_history_service_client::UserPoolHistoryServiceClient,
    watch_user_pool_events_request::Start, watch_user_pool_events_response::Content,
};

use super::{
    Client,
    retry::{self, Backoff},
};

/// Events, in log order and each of them once, for as long as it is asked for them.
#[derive(Debug)]
pub struct Watch {
    client: Client,
    /// What to ask for when the connection is lost: it starts after what was told.
    request: WatchUserPoolEventsRequest,
    events: Option<Streaming<WatchUserPoolEventsResponse>>,
    backoff: Backoff,
    /// How long to wait before it is asked for again.
    pause: Duration,
}

/// What a watch tells.
#[derive(Debug)]
pub enum Watched {
    /// An event.
    Event(Box<UserPoolEvent>),
    /// Nothing up to its position is left to tell.
    Checkpoint(WatchCheckpoint),
    /// The connection was lost, or the server stops. The watch goes on by itself after
    /// this position; nothing is to be done.
    Lost {
        /// The last position that was told, or asked for.
        after: i64,
        /// What happened.
        because: Status,
    },
}

impl Client {
    /// Watches.
    ///
    /// # Errors
    /// The server refuses, or does not answer within the deadline. A watch that was
    /// begun has none.
    pub async fn watch(&self, request: WatchUserPoolEventsRequest) -> Result<Watch, Status> {
        let events = self.events(request.clone()).await?;
        Ok(Watch {
            client: self.clone(),
            request,
            events: Some(events),
            backoff: Backoff::default(),
            pause: Duration::ZERO,
        })
    }

    async fn events(
        &self,
        request: WatchUserPoolEventsRequest,
    ) -> Result<Streaming<WatchUserPoolEventsResponse>, Status> {
        let send = |channel, mut request: Request<_>| async {
            // It is for the answer to begin. Told to the server, it would end the watch.
            request.metadata_mut().remove("grpc-timeout");
            let mut client: UserPoolHistoryServiceClient<Channel> =
                UserPoolHistoryServiceClient::new(channel);
            client.watch_user_pool_events(request).await
        };
        self.call(request, "", send).await
    }
}

impl Watch {
    /// What comes next. It can be left and called again, with nothing lost.
    ///
    /// # Errors
    /// The server refuses to go on; or the connection was lost before a position was
    /// told or asked for, so that there is nothing to go on after.
    pub async fn next(&mut self) -> Result<Watched, Status> {
        loop {
            let Some(events) = &mut self.events else {
                time::sleep(self.pause).await;
                match self.client.events(self.request.clone()).await {
                    Ok(events) => self.events = Some(events),
                    // Told once each time that it is lost.
                    Err(status) => self.pause = self.pause_after(status)?.0,
                }
                continue;
            };
            let ended = match events.message().await {
                Ok(Some(WatchUserPoolEventsResponse { content: Some(content) })) => {
                    return Ok(self.told(content));
                }
                // Of a newer server.
                Ok(Some(WatchUserPoolEventsResponse { content: None })) => continue,
                Ok(None) => Status::unavailable("the server ended the watch"),
                Err(status) => retry::told(status, ""),
            };
            self.events = None;
            let Some(Start::AfterPosition(after)) = self.request.start else { return Err(ended) };
            let (pause, because) = self.pause_after(ended)?;
            self.pause = pause;
            return Ok(Watched::Lost { after, because });
        }
    }

    fn told(&mut self, content: Content) -> Watched {
        self.backoff = Backoff::default();
        let (position, told) = match content {
            Content::Event(event) => (event.position, Watched::Event(event)),
            Content::Checkpoint(at) => (at.position, Watched::Checkpoint(at)),
        };
        self.request.start = Some(Start::AfterPosition(position));
        told
    }

    fn pause_after(&mut self, status: Status) -> Result<(Duration, Status), Status> {
        match self.backoff.after(&status, self.client.transport.source()) {
            Some(pause) => Ok((pause, status)),
            None if status.code() == tonic::Code::DeadlineExceeded => Ok((self.pause, status)),
            None => Err(status),
        }
    }
}
