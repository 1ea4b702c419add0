//! The log as it grows: Server-Sent Events, whose data are rows of the page of the log. The ID of
//! each is the position, after which a browser that lost the connection goes on.

use std::{convert::Infallible, fmt::Write as _, time::Duration};

use axum::body::Body;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures_util::{Stream, StreamExt as _, future, stream};
use tokio::time::sleep;
use tonic::Status;

use crate::{
    console::{
        answer::Answer, calls::Calls, event::row, failure::Failure, filter, names::Names,
        visit::Visit,
    },
    proto::{
        UserPoolEvent, UserPoolEventFilter, WatchUserPoolEventsRequest,
        WatchUserPoolEventsResponse, watch_user_pool_events_request::Start,
        watch_user_pool_events_response::Content,
    },
};

/// How long nothing is sent before a position. A lost connection is noticed then.
const POSITION_INTERVAL_SECONDS: i32 = 15;
/// How many messages of the watch make one look at the log.
const MAX_MESSAGES: usize = 256;
/// The most rows that are sent at once. A page that is further behind is loaded again.
const MAX_ROWS: usize = 200;
/// How many events one call reads.
const PAGE_SIZE: i32 = 100;
/// How long a stream lasts: the browser then connects again, as who it is by then.
const MAX_AGE: Duration = Duration::from_mins(10);
/// The beginning of a stream. A browser that lost it waits this long, in milliseconds.
const BEGINNING: &[u8] = b"retry: 1000\n\n";

/// A watch, and how far its rows were sent.
struct Live<M> {
    messages: M,
    calls: Calls,
    filter: UserPoolEventFilter,
    position: i64,
    now: DateTime<Utc>,
}

pub(super) async fn stream(visit: &Visit) -> Result<Answer, Failure> {
    let filter = filter::events(visit, visit.query.get("pool"))?;
    let filter = UserPoolEventFilter { start_time: None, end_time: None, ..filter };
    let position = visit.position()?;
    let messages = visit.calls.watch(WatchUserPoolEventsRequest {
        filter: Some(filter.clone()),
        start: Some(Start::AfterPosition(position)),
        checkpoint_interval_seconds: POSITION_INTERVAL_SECONDS,
        log_id: visit.query.get("log").unwrap_or_default().to_owned(),
        ..WatchUserPoolEventsRequest::default()
    });
    let messages = messages.await?.ready_chunks(MAX_MESSAGES);
    let live = Live { messages, calls: visit.calls.clone(), filter, position, now: visit.now };
    let parts = stream::unfold(live, |mut live| async {
        // If a call fails, the browser connects again.
        let part = live.next().await?.ok()?;
        Some((Bytes::from(part), live))
    });
    let parts = stream::once(future::ready(Bytes::from_static(BEGINNING))).chain(parts);
    let parts = parts.take_until(sleep(MAX_AGE)).map(Ok::<_, Infallible>);
    Ok(Answer::Stream { content_type: "text/event-stream", body: Body::from_stream(parts) })
}

impl<M> Live<M>
where
    M: Stream<Item = Vec<Result<WatchUserPoolEventsResponse, Status>>> + Unpin,
{
    /// The next part of the stream.
    async fn next(&mut self) -> Option<Result<String, Status>> {
        let messages = self.messages.next().await?;
        Some(self.part(messages).await)
    }

    async fn part(
        &mut self,
        messages: Vec<Result<WatchUserPoolEventsResponse, Status>>,
    ) -> Result<String, Status> {
        let (mut part, mut last, mut has_events) = (String::new(), self.position, false);
        for message in messages {
            match message?.content {
                Some(Content::Event(event)) => (last, has_events) = (event.position, true),
                Some(Content::Checkpoint(checkpoint)) => last = checkpoint.position,
                None => (),
            }
        }
        if has_events {
            self.push_rows(&mut part).await?;
        }
        // It may be behind events that the filter leaves out.
        self.position = self.position.max(last);
        push(&mut part, "position", self.position, "");
        Ok(part)
    }

    /// Adds the rows of new events, the oldest first. The watch has no summaries, so they are read
    /// from the log.
    async fn push_rows(&mut self, part: &mut String) -> Result<(), Status> {
        let (mut new, mut token): (Vec<UserPoolEvent>, _) = (Vec::new(), String::new());
        loop {
            let page = self.calls.newest_events(self.filter.clone(), PAGE_SIZE, &token).await?;
            let read = page.events.len();
            let before = new.len();
            new.extend(page.events.into_iter().take_while(|event| event.position > self.position));
            token = page.next_page_token;
            let has_reached_old = new.len().saturating_sub(before) < read;
            if has_reached_old || token.is_empty() || new.len() > MAX_ROWS {
                break;
            }
        }
        let Some(newest) = new.first().map(|event| event.position) else { return Ok(()) };
        if new.len() > MAX_ROWS {
            push(part, "behind", newest, "");
        } else {
            let names = Names::of(&self.calls, &new).await;
            for event in new.iter().rev() {
                push(part, "row", event.position, &row(event, &names, self.now).into_string());
            }
        }
        self.position = newest;
        Ok(())
    }
}

/// Adds an event of this name.
fn push(part: &mut String, name: &str, position: i64, data: &str) {
    // Writing to a string cannot fail.
    let _ = write!(part, "event: {name}\nid: {position}\n");
    for line in data.split(['\n', '\r']) {
        let _ = writeln!(part, "data: {line}");
    }
    part.push('\n');
}

#[cfg(test)]
mod tests {
    use super::push;

    #[test]
    fn no_text_ends_an_event() {
        let mut part = String::new();
        push(&mut part, "row", 7, "a\n\nevent: x\rb");
        assert_eq!(part, "event: row\nid: 7\ndata: a\ndata: \ndata: event: x\ndata: b\n\n");
    }
}
