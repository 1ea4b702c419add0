//! `userpool history`.

use std::sync::Arc;

use clap::Args;

use crate::{
    app::Source,
    proto::{
        ListUserPoolEventsRequest, ReadDirection, UserPoolEventFilter, WatchUserPoolEventsRequest,
        watch_user_pool_events_request::Start,
    },
};

use super::{
    connection::Connection,
    error::CliError,
    event::{self, Kind, Lines},
    follow::{self, Printer},
    outcome::Outcome,
    output::{List, Output},
    point::When,
};

/// How many events are asked for at a time.
const PAGE: u64 = 1000;

#[derive(Debug, Args)]
#[command(after_help = "Example, what happened to a user pool in the last 3 days:\n  \
                        userpool history us-east-1_tXLpktx5t --since 3d")]
pub(super) struct History {
    /// The ID of the user pool; it may be deleted.
    #[arg(value_name = "POOL")]
    pool: String,
    /// Newest first.
    #[arg(long)]
    reverse: bool,
    /// Only events recorded at this time or later: a time (2026-11-17T10:00:00Z), a date
    /// (2026-11-17), or how long ago (90s, 15m, 2h, 3d, 1w).
    #[arg(long, value_name = "TIME")]
    since: Option<When>,
    /// Only events recorded before this time, in the same forms.
    #[arg(long, value_name = "TIME")]
    until: Option<When>,
    /// Only events of these types, with commas between them. Absent: of all.
    #[arg(long, value_name = "TYPES", value_delimiter = ',')]
    types: Vec<Kind>,
    /// How many events to show at most. Absent: all.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    limit: Option<u64>,
    /// Then go on with new events as they are recorded, until interrupted.
    #[arg(long, conflicts_with_all = ["reverse", "until", "limit"])]
    follow: bool,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    connection: Connection,
}

impl History {
    pub(super) async fn run(self, source: Arc<dyn Source>) -> Result<Outcome, CliError> {
        let format = self.output.or_table();
        let now = source.now();
        let filter = UserPoolEventFilter {
            user_pool_id: Some(self.pool),
            types: follow::types(&self.types),
            start_time: self.since.map(|time| time.timestamp(now)),
            end_time: self.until.map(|time| time.timestamp(now)),
            ..UserPoolEventFilter::default()
        };
        let direction = if self.reverse { ReadDirection::Backward } else { ReadDirection::Forward };
        let client = self.connection.connect().await?;
        // What has no end has no document around it, and no widest row.
        let mut list = (!self.follow).then(|| List::new(format, "events", &event::COLUMNS));
        let printer = Printer { format, lines: Lines::Pool };
        if self.follow {
            printer.heading()?;
        }
        let mut left = self.limit.unwrap_or(u64::MAX);
        let mut request = ListUserPoolEventsRequest {
            filter: Some(filter.clone()),
            direction: direction.into(),
            ..ListUserPoolEventsRequest::default()
        };
        let mut head = 0;
        while left > 0 {
            request.page_size = i32::try_from(left.min(PAGE)).unwrap_or_default();
            let page = client.list_user_pool_events(request.clone()).await?;
            head = page.head_position;
            for event in &page.events {
                match &mut list {
                    Some(list) => list.push(event, event::row)?,
                    None => printer.print(event)?,
                }
                left = left.saturating_sub(1);
            }
            request.page_token = page.next_page_token;
            if request.page_token.is_empty() {
                break;
            }
        }
        if let Some(list) = list {
            list.end()?;
        }
        if self.follow {
            let watch = WatchUserPoolEventsRequest {
                filter: Some(UserPoolEventFilter { start_time: None, ..filter }),
                start: Some(Start::AfterPosition(head)),
                ..WatchUserPoolEventsRequest::default()
            };
            follow::follow(&client, watch, printer).await?;
        }
        Ok(Outcome::Success)
    }
}
