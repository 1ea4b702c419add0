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
    connection::ConnectionArgs,
    error::CliError,
    event::{EventKind, EventLayout},
    event_output::{EventOutput, EventOutputArgs},
    follow,
    outcome::Outcome,
    pages::for_each_item,
    point::TimeArg,
    positive::positive,
};

/// The most events that one page may have.
const MAX_PAGE: i32 = 1000;

#[derive(Debug, Args)]
#[command(after_help = "Example, show the events of the last 3 days:\n  \
                        userpool history us-east-1_tXLpktx5t --since 3d")]
pub(super) struct HistoryCommand {
    /// The ID of the user pool, which may be deleted.
    #[arg(value_name = "POOL")]
    pool: String,
    /// Show the newest event first.
    #[arg(long)]
    reverse: bool,
    /// Show only events recorded at this time or later: a time (2026-11-17T10:00:00Z), a date
    /// (2026-11-17), or a duration before now (90s, 15m, 2h, 3d, 1w).
    #[arg(long, value_name = "TIME")]
    since: Option<TimeArg>,
    /// Show only events recorded before this time, in the same formats.
    #[arg(long, value_name = "TIME")]
    until: Option<TimeArg>,
    /// Show only events of these types, separated by commas. If omitted, all.
    #[arg(long, value_name = "TYPES", value_delimiter = ',')]
    types: Vec<EventKind>,
    /// Show at most this many events. If omitted, all.
    #[arg(long, value_name = "N", value_parser = positive)]
    limit: Option<u64>,
    /// Then print new events as they are recorded, until interrupted.
    #[arg(long, conflicts_with_all = ["reverse", "until", "limit"])]
    follow: bool,
    /// Print whole events in JSON: with the payload and the hashes, without the list of changes.
    #[arg(long)]
    full: bool,
    #[command(flatten)]
    output: EventOutputArgs,
    #[command(flatten)]
    connection: ConnectionArgs,
}

impl HistoryCommand {
    pub(super) async fn run(self, source: Arc<dyn Source>) -> Result<Outcome, CliError> {
        let format = self.output.or_table();
        let now = source.now();
        let filter = UserPoolEventFilter {
            user_pool_id: Some(self.pool),
            types: follow::filter_types(&self.types),
            start_time: self.since.map(|time| time.timestamp(now)),
            end_time: self.until.map(|time| time.timestamp(now)),
            ..UserPoolEventFilter::default()
        };
        let direction = if self.reverse { ReadDirection::Backward } else { ReadDirection::Forward };
        let client = self.connection.connect().await?;
        let mut output = if self.follow {
            EventOutput::stream(format, EventLayout::Pool, self.full)?
        } else {
            EventOutput::list(format, self.full)?
        };
        let mut head = 0;
        let page = async |page_size, token: Option<String>| {
            let request = ListUserPoolEventsRequest {
                filter: Some(filter.clone()),
                direction: direction.into(),
                page_size,
                page_token: token.unwrap_or_default(),
                view: format.view(self.full).into(),
                ..ListUserPoolEventsRequest::default()
            };
            let page = client.list_user_pool_events(request).await?;
            head = page.head_position;
            Ok((page.events, Some(page.next_page_token).filter(|token| !token.is_empty())))
        };
        for_each_item(self.limit, MAX_PAGE, page, |event| output.push(event)).await?;
        if self.follow {
            let watch = WatchUserPoolEventsRequest {
                filter: Some(UserPoolEventFilter { start_time: None, ..filter }),
                start: Some(Start::AfterPosition(head)),
                ..WatchUserPoolEventsRequest::default()
            };
            follow::follow(&client, watch, &mut output).await?;
        }
        output.finish()?;
        Ok(Outcome::Success)
    }
}
