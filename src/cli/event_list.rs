//! Reading events of the past, and then new ones, for the commands that show them.

use chrono::{DateTime, Utc};
use clap::Args;

use crate::{
    client::Client,
    proto::{
        EventView, ListUserPoolEventsRequest, ReadDirection, UserPoolEvent, UserPoolEventFilter,
        WatchUserPoolEventsRequest, watch_user_pool_events_request::Start,
    },
};

use super::{
    error::CliError,
    event_filter::{FilterArgs, TimeRangeArgs},
    event_output::{EventFormat, EventOutput, EventOutputArgs},
    follow,
    output::print_note,
    pages::for_each_item,
};

/// The most events that one page may have.
const MAX_PAGE: i32 = 1000;

/// Which events a command shows, and how.
#[derive(Debug, Clone, Args)]
pub(super) struct EventListArgs {
    /// Print full events: with the payload and the hashes, without the list of changes. In JSON,
    /// unless --output is jsonl.
    #[arg(long)]
    full: bool,
    #[command(flatten)]
    filter: FilterArgs,
    #[command(flatten)]
    pub(super) range: TimeRangeArgs,
    #[command(flatten)]
    output: EventOutputArgs,
}

/// A list of events.
#[derive(Debug, Clone)]
pub(super) struct EventList {
    filter: UserPoolEventFilter,
    view: EventView,
    /// The maximum number of events; all if absent.
    limit: Option<u64>,
}

/// What was read of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct EventListEnd {
    /// The position in the log up to which every event was read or excluded.
    head: i64,
    /// Whether the limit left out events.
    pub(super) has_more: bool,
    is_empty: bool,
}

impl EventListArgs {
    pub(super) fn format(&self) -> EventFormat {
        if self.full { self.output.or_json() } else { self.output.or_table() }
    }

    /// The list of the events of one user pool, or of all.
    ///
    /// # Errors
    /// The arguments name two addresses, an empty range of times, or a format without space for full events.
    pub(super) fn list(
        self,
        user_pool_id: Option<String>,
        limit: Option<u64>,
        now: DateTime<Utc>,
    ) -> Result<EventList, CliError> {
        let format = self.format();
        if self.full && matches!(format, EventFormat::Table | EventFormat::Csv) {
            return Err(CliError::argument("--full prints JSON; use --output json or jsonl"));
        }
        let view = format.view(self.full);
        let filter = self.range.within(self.filter.filter(user_pool_id)?, now)?;
        Ok(EventList { filter, view, limit })
    }
}

impl EventList {
    /// Whether no event of the log is left out.
    pub(super) fn has_all_events(&self) -> bool {
        self.limit.is_none() && self.filter == UserPoolEventFilter::default()
    }

    /// The same events, without the changes, which take the server longer.
    pub(super) fn without_changes(self) -> Self {
        Self { view: EventView::Full, ..self }
    }

    /// Says that no event was found, and what that means.
    pub(super) fn note_if_empty(&self, end: &EventListEnd) {
        if !end.is_empty || self.filter == UserPoolEventFilter::default() {
            return;
        }
        print_note(if self.filter.correlation_id.is_some() {
            "no event matches; a call that was refused or changed nothing has no event, but a record \
             in the process log of the server"
        } else {
            "no event matches"
        });
    }

    /// Passes the events to `each`, in the order of the log or backward.
    ///
    /// # Errors
    /// The server refuses, or `each` fails.
    pub(super) async fn read(
        &self,
        client: &Client,
        direction: ReadDirection,
        mut each: impl FnMut(&UserPoolEvent) -> Result<(), CliError>,
    ) -> Result<EventListEnd, CliError> {
        let (mut heads, mut is_empty) = (Vec::new(), true);
        let page = async |page_size, token: Option<String>| {
            let request = ListUserPoolEventsRequest {
                filter: Some(self.filter.clone()),
                direction: direction.into(),
                page_size,
                page_token: token.unwrap_or_default(),
                view: self.view.into(),
                ..ListUserPoolEventsRequest::default()
            };
            let page = client.list_user_pool_events(request).await?;
            heads.push(page.head_position);
            Ok((page.events, Some(page.next_page_token).filter(|token| !token.is_empty())))
        };
        let has_more = for_each_item(self.limit, MAX_PAGE, page, |event| {
            is_empty = false;
            each(event)
        });
        let has_more = has_more.await?;
        // Events that are recorded meanwhile come at the end of the log.
        let head = match direction {
            ReadDirection::Backward => heads.first(),
            ReadDirection::Forward | ReadDirection::Unspecified => heads.last(),
        };
        Ok(EventListEnd { head: head.copied().unwrap_or_default(), has_more, is_empty })
    }

    /// Prints the events in the order of the log, the last ones if there is a limit, and then new
    /// ones as they are recorded, until interrupted.
    ///
    /// # Errors
    /// The server refuses, the connection is lost before the first message, or the output cannot
    /// be written.
    pub(super) async fn follow(
        self,
        client: &Client,
        output: &mut EventOutput,
    ) -> Result<(), CliError> {
        let end = if self.limit.is_some() {
            let mut last = Vec::new();
            let each = |event: &UserPoolEvent| {
                last.push(event.clone());
                Ok(())
            };
            let end = self.read(client, ReadDirection::Backward, each).await?;
            last.iter().rev().try_for_each(|event| output.push(event))?;
            end
        } else {
            self.read(client, ReadDirection::Forward, |event| output.push(event)).await?
        };
        let watch = WatchUserPoolEventsRequest {
            filter: Some(UserPoolEventFilter { start_time: None, ..self.filter }),
            start: Some(Start::AfterPosition(end.head)),
            view: self.view.into(),
            ..WatchUserPoolEventsRequest::default()
        };
        follow::follow(client, watch, output).await
    }
}
