//! `userpool history`.

use std::sync::Arc;

use clap::Args;

use crate::{app::Source, proto::ReadDirection};

use super::{
    connection::ConnectionArgs, error::CliError, event::EventLayout, event_list::EventListArgs,
    event_output::EventOutput, outcome::Outcome, positive::positive,
};

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
    /// Show at most this many events: the first ones, or the last ones with --reverse or
    /// --follow. If omitted, all.
    #[arg(short = 'n', long, value_name = "N", value_parser = positive)]
    limit: Option<u64>,
    /// Then print new events as they are recorded, until interrupted.
    #[arg(short, long, conflicts_with_all = ["reverse", "until"])]
    follow: bool,
    #[command(flatten)]
    list: EventListArgs,
    #[command(flatten)]
    connection: ConnectionArgs,
}

impl HistoryCommand {
    pub(super) async fn run(self, source: Arc<dyn Source>) -> Result<Outcome, CliError> {
        let format = self.list.format();
        let list = self.list.list(Some(self.pool), self.limit, source.now())?;
        let client = self.connection.connect().await?;
        if self.follow {
            let mut output = EventOutput::stream(format, EventLayout::Pool);
            list.follow(&client, &mut output).await?;
            return Ok(Outcome::Success);
        }
        let mut output = EventOutput::list(format, EventLayout::Pool);
        let direction = if self.reverse { ReadDirection::Backward } else { ReadDirection::Forward };
        let end = list.read(&client, direction, |event| output.push(event)).await?;
        output.finish()?;
        list.note_if_empty(&end);
        Ok(Outcome::Success)
    }
}
