//! The whole log for programs: its records, which a browser verifies, and its export.

use std::{convert::Infallible, time::Duration};

use axum::body::Body;
use bytes::{BufMut as _, Bytes, BytesMut};
use futures_util::{StreamExt as _, stream};
use prost_types::Timestamp;
use tokio::time::sleep;
use tonic::Status;

use crate::{
    console::{answer::Answer, failure::Failure, filter, visit::Visit},
    proto::{
        self, DescribeLogRequest, UserPoolEvent, UserPoolEventFilter, WatchUserPoolEventsRequest,
        WatchUserPoolEventsResponse, watch_user_pool_events_request::Start,
        watch_user_pool_events_response::Content,
    },
};

/// How many events are sent at once.
const MAX_EVENTS: usize = 256;
/// How long an answer may take: a log of millions of events is for `userpool log export`.
const MAX_AGE: Duration = Duration::from_hours(1);

/// How long nothing is sent before a position, which ends an export with a filter.
const POSITION_INTERVAL_SECONDS: i32 = 1;

/// How events are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    /// Records, each after its length in four bytes, big-endian.
    Records,
    /// Events in JSON, one in a line, as `userpool log export` writes them.
    Export,
}

/// Sends the events after a position, up to one that exists, or to the end of the log; of an export,
/// those that match the filter in the address.
pub(super) async fn stream(visit: &Visit, format: Format) -> Result<Answer, Failure> {
    let log = visit.calls.describe_log(DescribeLogRequest::default()).await?;
    let head = log.head.unwrap_or_default();
    let (after, to) = (visit.position()?, visit.number("to")?);
    let to = to.map_or(head.position, |to| to.min(head.position));
    let content_type = match format {
        Format::Records => "application/octet-stream",
        Format::Export => "application/jsonl",
    };
    if to <= after {
        return Ok(Answer::Stream { content_type, body: Body::empty() });
    }
    let mut filter = match format {
        Format::Records => UserPoolEventFilter::default(),
        Format::Export => filter::events(visit, visit.query.get("pool"))?,
    };
    // The watch has no times.
    let times = (filter.start_time.take(), filter.end_time.take());
    let is_filtered = filter != UserPoolEventFilter::default();
    let events = visit.calls.watch(WatchUserPoolEventsRequest {
        start: Some(Start::AfterPosition(after)),
        filter: is_filtered.then_some(filter),
        checkpoint_interval_seconds: POSITION_INTERVAL_SECONDS,
        include_records: true,
        log_id: head.log_id,
        ..WatchUserPoolEventsRequest::default()
    });
    let events = events.await?.ready_chunks(MAX_EVENTS);
    let parts = stream::unfold((events, false), move |(mut events, is_done)| async move {
        if is_done {
            return None;
        }
        // An answer that is cut is not a whole one: the reader notices.
        let messages = events.next().await?;
        let (part, is_done) = part(messages, to, times, format)?;
        Some((part, (events, is_done)))
    });
    let body = Body::from_stream(parts.take_until(sleep(MAX_AGE)).map(Ok::<_, Infallible>));
    Ok(Answer::Stream { content_type, body })
}

/// The bytes of the events up to a position, and whether that was reached.
fn part(
    messages: Vec<Result<WatchUserPoolEventsResponse, Status>>,
    to: i64,
    (since, until): (Option<Timestamp>, Option<Timestamp>),
    format: Format,
) -> Option<(Bytes, bool)> {
    let (mut part, mut is_done) = (BytesMut::new(), false);
    for message in messages {
        let event = match message.ok()?.content {
            Some(Content::Event(event)) => event,
            // The filter leaves out the events before it.
            Some(Content::Checkpoint(checkpoint)) if checkpoint.position >= to => {
                return Some((part.freeze(), true));
            }
            Some(Content::Checkpoint(_)) | None => continue,
        };
        if event.position > to {
            return Some((part.freeze(), true));
        }
        is_done = event.position == to;
        let is_before = |end: Timestamp| {
            event.record_time.is_some_and(|at| (at.seconds, at.nanos) < (end.seconds, end.nanos))
        };
        if !since.is_some_and(is_before) && until.is_none_or(is_before) {
            write(&mut part, &event, format)?;
        }
    }
    Some((part.freeze(), is_done))
}

fn write(part: &mut BytesMut, event: &UserPoolEvent, format: Format) -> Option<()> {
    match format {
        Format::Records => {
            let record = event.record.as_deref()?;
            part.put_u32(u32::try_from(record.len()).ok()?);
            part.put_slice(record);
        }
        Format::Export => {
            part.put_slice(proto::to_json(event).ok()?.to_string().as_bytes());
            part.put_u8(b'\n');
        }
    }
    Some(())
}
