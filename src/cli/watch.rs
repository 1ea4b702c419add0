//! `userpool watch`.

use clap::Args;

use crate::proto::{
    UserPoolEventFilter, WatchUserPoolEventsRequest, watch_user_pool_events_request::Start,
};

use super::{
    connection::Connection,
    error::CliError,
    event::{Kind, Lines},
    follow::{self, Printer},
    outcome::Outcome,
    output::Output,
};

#[derive(Debug, Args)]
#[command(after_help = "Example, everything that ever happened, and goes on to happen:\n  \
                        userpool watch --after 0 -o jsonl")]
pub(super) struct Watch {
    /// Only events of this user pool. Absent: of all.
    #[arg(long, value_name = "POOL")]
    pool: Option<String>,
    /// Only events after this position in the log; 0 shows the whole history first. Absent: only
    /// what is recorded from now on.
    #[arg(long, value_name = "N")]
    after: Option<i64>,
    /// Only events of these types, with commas between them. Absent: of all.
    #[arg(long, value_name = "TYPES", value_delimiter = ',')]
    types: Vec<Kind>,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    connection: Connection,
}

impl Watch {
    pub(super) async fn run(self) -> Result<Outcome, CliError> {
        let watch = WatchUserPoolEventsRequest {
            filter: Some(UserPoolEventFilter {
                user_pool_id: self.pool,
                types: follow::types(&self.types),
                ..UserPoolEventFilter::default()
            }),
            start: self.after.map(Start::AfterPosition),
            ..WatchUserPoolEventsRequest::default()
        };
        let client = self.connection.connect().await?;
        let printer = Printer { format: self.output.or_table(), lines: Lines::Log };
        printer.heading()?;
        follow::follow(&client, watch, printer).await?;
        Ok(Outcome::Success)
    }
}
