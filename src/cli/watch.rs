//! `userpool watch`.

use clap::Args;

use crate::proto::{
    UserPoolEventFilter, WatchUserPoolEventsRequest, watch_user_pool_events_request::Start,
};

use super::{
    connection::ConnectionArgs,
    error::CliError,
    event::{EventKind, EventLayout},
    follow::{self, EventPrinter},
    outcome::Outcome,
    output::OutputArgs,
};

#[derive(Debug, Args)]
#[command(after_help = "Example, print the whole history and then new events:\n  \
                        userpool watch --after 0 -o jsonl")]
pub(super) struct WatchCommand {
    /// Print only events of this user pool. If omitted, of all.
    #[arg(long, value_name = "POOL")]
    pool: Option<String>,
    /// Print events after this position in the log; 0 prints the whole history first. If omitted,
    /// only new events.
    #[arg(long, value_name = "N")]
    after: Option<i64>,
    /// Print only events of these types, separated by commas. If omitted, all.
    #[arg(long, value_name = "TYPES", value_delimiter = ',')]
    types: Vec<EventKind>,
    #[command(flatten)]
    output: OutputArgs,
    #[command(flatten)]
    connection: ConnectionArgs,
}

impl WatchCommand {
    pub(super) async fn run(self) -> Result<Outcome, CliError> {
        let watch = WatchUserPoolEventsRequest {
            filter: Some(UserPoolEventFilter {
                user_pool_id: self.pool,
                types: follow::filter_types(&self.types),
                ..UserPoolEventFilter::default()
            }),
            start: self.after.map(Start::AfterPosition),
            ..WatchUserPoolEventsRequest::default()
        };
        let client = self.connection.connect().await?;
        let printer = EventPrinter { format: self.output.or_table(), layout: EventLayout::Log };
        printer.print_heading()?;
        follow::follow(&client, watch, printer).await?;
        Ok(Outcome::Success)
    }
}
