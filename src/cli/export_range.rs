//! The range of an export: where it begins and ends, found in the log of a data directory or
//! on a running server.

use std::fmt::{self, Display, Formatter};

use chrono::{DateTime, Utc};
use clap::Args;

use crate::{
    audit::{self, ExportEnd, RangeAnchor},
    client::{Client, Watch},
    event_log::{EventLog, Hash, Head, LogId, Position, ReadLimit, Record},
    proto::{
        self, DescribeLogRequest, ListUserPoolEventsRequest, ReadDirection, TimeArg, UserPoolEvent,
        UserPoolEventFilter, WatchUserPoolEventsRequest, watch_user_pool_events_request::Start,
        watch_user_pool_events_response::Content,
    },
};

use super::{connection::next_message, error::CliError, event_filter::TimeRange};

/// How much of a log is read to look at one record.
const ONE: ReadLimit = ReadLimit { records: 1, bytes: 0 };

/// The arguments that name a range.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Range")]
pub(super) struct RangeArgs {
    /// Begin with the events recorded at this time: a time (2026-11-17T10:00:00Z), a date
    /// (2026-11-17), or a duration before now (90s, 15m, 2h, 3d, 1w). The export begins at the
    /// start of a batch of events that were written together, which can be slightly earlier.
    #[arg(long, value_name = "TIME", conflicts_with = "after")]
    since: Option<TimeArg>,
    /// End before the events recorded at this time, in the same formats; a date includes its day. An
    /// export until a time, or a date, and one since that time, or the next date, are consecutive.
    #[arg(long, value_name = "TIME", conflicts_with = "to")]
    until: Option<TimeArg>,
    /// Begin after this position in the log, such as the last one of an earlier export, or before
    /// it, so that events that were written together are exported together.
    #[arg(long, value_name = "POSITION")]
    after: Option<u64>,
    /// End with this position in the log, or before it, so that events that were written together
    /// are exported together.
    #[arg(long, value_name = "POSITION")]
    to: Option<u64>,
}

/// A range whose times are known.
#[derive(Debug, Clone, Copy)]
pub(super) struct ExportRange {
    begin: Begin,
    pub(super) end: ExportEnd,
}

#[derive(Debug, Clone, Copy)]
enum Begin {
    After(Position),
    At(DateTime<Utc>),
}

impl RangeArgs {
    /// Resolves the times of the range at `now`.
    pub(super) fn resolve(&self, now: DateTime<Utc>) -> Result<ExportRange, CliError> {
        let TimeRange { start_time, end_time } = TimeRange::resolve(self.since, self.until, now)?;
        let since = start_time.and_then(proto::to_date_time);
        let until = end_time.and_then(proto::to_date_time);
        let (after, to) = (Position(self.after.unwrap_or_default()), self.to.map(Position));
        if to.is_some_and(|to| to <= after) {
            return Err(CliError::argument(format!("--to must be greater than {after}")));
        }
        let begin = since.map_or(Begin::After(after), Begin::At);
        Ok(ExportRange { begin, end: ExportEnd { position: to, time: until } })
    }
}

impl ExportRange {
    /// The position that the range was requested to begin after, if it was not a time.
    pub(super) const fn requested_after(self) -> Option<Position> {
        match self.begin {
            Begin::After(after) => Some(after),
            Begin::At(_) => None,
        }
    }

    /// The record before the range in a log, which is the last of a batch; `None` if the range
    /// begins with the first record.
    ///
    /// # Errors
    /// The log ends before the position, or cannot be read.
    pub(super) async fn find_anchor(
        self,
        log: &dyn EventLog,
    ) -> Result<Option<RangeAnchor>, CliError> {
        let end = log.head().borrow().position;
        let mut after = match self.begin {
            Begin::After(after) => after,
            Begin::At(time) => find_time(log, end, time).await?,
        };
        if after > end {
            return Err(CliError::message(format!(
                "position {after} does not exist yet; the log ends at position {end}"
            )));
        }
        if after < end {
            after = batch_start(&read_one(log, after.next()).await?);
        }
        if after == Position::START {
            return Ok(None);
        }
        let log_id = LogId::of(read_one(log, Position(1)).await?.hash);
        Ok(Some(RangeAnchor { head: read_one(log, after).await?.head(), log_id }))
    }

    /// Begins to read the range from a server: its anchor, and the messages after it, the first
    /// of which was taken.
    ///
    /// # Errors
    /// The server refuses, such as a position that does not exist yet.
    pub(super) async fn watch(self, client: &Client) -> Result<WatchedRange, CliError> {
        let log = client.describe_log(DescribeLogRequest::default()).await?;
        let log_id = log.head.unwrap_or_default().log_id;
        let mut after = match self.begin {
            Begin::After(after) => after.to_int(),
            Begin::At(time) => find_time_on_server(client, time).await?,
        };
        let (first, events) = loop {
            let request = WatchUserPoolEventsRequest {
                start: Some(Start::AfterPosition(after)),
                include_records: true,
                log_id: log_id.clone(),
                ..WatchUserPoolEventsRequest::default()
            };
            let mut events = client.watch(request).await?;
            let first = next_message(client, &mut events).await?;
            let start = match &first {
                Content::Event(event) => batch_start_of(event)?,
                Content::Checkpoint(_) => after,
            };
            if start >= after {
                break (first, events);
            }
            after = start;
        };
        if after == 0 {
            return Ok(WatchedRange { anchor: None, first, events });
        }
        let hash = match &first {
            Content::Event(event) => &event.previous_hash,
            Content::Checkpoint(checkpoint) => &checkpoint.hash,
        };
        let malformed = || CliError::message("the server sent an invalid log ID or hash");
        let position = Position::from_int(after);
        let hash = hash.as_slice().try_into().map(Hash).map_err(|_| malformed())?;
        let log_id = log_id.parse().map_err(|_| malformed())?;
        let anchor = Some(RangeAnchor { head: Head { position, hash }, log_id });
        Ok(WatchedRange { anchor, first, events })
    }
}

/// The range of a server's log while it is read.
pub(super) struct WatchedRange {
    pub(super) anchor: Option<RangeAnchor>,
    /// The first message of the watch.
    pub(super) first: Content,
    /// The messages after it.
    pub(super) events: Watch,
}

/// The first and the last event of a log; nothing if it is empty.
pub(super) struct LogExtent(Option<[UserPoolEvent; 2]>);

impl LogExtent {
    pub(super) async fn of_log(log: &dyn EventLog) -> Result<Self, CliError> {
        let end = log.head().borrow().position;
        if end == Position::START {
            return Ok(Self(None));
        }
        let event = async |position| {
            audit::decode_with_record(&read_one(log, position).await?).map_err(CliError::other)
        };
        Ok(Self(Some([event(Position(1)).await?, event(end).await?])))
    }

    pub(super) async fn of_server(client: &Client) -> Result<Self, CliError> {
        let event = async |direction: ReadDirection| {
            let direction = direction.into();
            let request =
                ListUserPoolEventsRequest { direction, page_size: 1, ..Default::default() };
            Ok::<_, CliError>(client.list_user_pool_events(request).await?.events.pop())
        };
        let first = event(ReadDirection::Forward).await?;
        Ok(Self(first.zip(event(ReadDirection::Backward).await?).map(Into::into)))
    }
}

impl Display for LogExtent {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self(Some([first, last])) = self else { return f.write_str("the log is empty") };
        let [from, to] = [first, last]
            .map(|event| event.record_time.map(proto::format_time).unwrap_or_default());
        write!(f, "the log has events 1 to {}, recorded from {from} to {to}", last.position)
    }
}

/// The position before the first event of this time or a later one, or `end`.
async fn find_time(
    log: &dyn EventLog,
    end: Position,
    time: DateTime<Utc>,
) -> Result<Position, CliError> {
    // The times in a log never decrease.
    let (mut low, mut high) = (0, end.0);
    while low < high {
        let middle = low.midpoint(high);
        let record = read_one(log, Position(middle).next()).await?;
        let event = audit::decode_with_record(&record).map_err(CliError::other)?;
        if event.record_time.and_then(proto::to_date_time).is_some_and(|at| at >= time) {
            high = middle;
        } else {
            low = middle.saturating_add(1);
        }
    }
    Ok(Position(low))
}

/// The position before the first batch with an event of this time or a later one, or the end of
/// the log of a server.
async fn find_time_on_server(client: &Client, time: DateTime<Utc>) -> Result<i64, CliError> {
    let start_time = Some(proto::to_timestamp(time));
    let mut page_token = String::new();
    loop {
        let page = client
            .list_user_pool_events(ListUserPoolEventsRequest {
                filter: Some(UserPoolEventFilter { start_time, ..UserPoolEventFilter::default() }),
                page_size: 1,
                page_token,
                include_records: true,
                ..ListUserPoolEventsRequest::default()
            })
            .await?;
        if let Some(event) = page.events.first() {
            return batch_start_of(event);
        }
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return Ok(page.head_position);
        }
    }
}

/// The position before the batch of a record.
fn batch_start(record: &Record) -> Position {
    let before = u64::from(record.batch.index).saturating_add(1);
    Position(record.position.0.saturating_sub(before))
}

/// The position before the batch of an event that came with its record.
fn batch_start_of(event: &UserPoolEvent) -> Result<i64, CliError> {
    let record = audit::extract_record(event).map_err(CliError::other)?;
    Ok(batch_start(&record).to_int())
}

async fn read_one(log: &dyn EventLog, position: Position) -> Result<Record, CliError> {
    let read = log.read_at(vec![position], ONE).await.map_err(CliError::other)?;
    read.into_iter().next().ok_or_else(|| CliError::message("the log engine returned no record"))
}
