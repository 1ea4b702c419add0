//! `userpool events`: what changed, in all user pools.

use std::sync::Arc;

use clap::Args;

use crate::{app::Source, proto::ReadDirection};

use super::{
    connection::ConnectionArgs,
    error::CliError,
    event::EventLayout,
    event_count::{CountBy, EventCounts},
    event_list::EventListArgs,
    event_output::EventOutput,
    outcome::Outcome,
    output::print_note,
    positive::positive,
};

/// How many events are shown if neither a number nor a time is given.
const DEFAULT_LIMIT: u64 = 100;

#[derive(Debug, Args)]
#[command(
    after_help = "Examples, show what changed in the last hour, which call an error was about, and \
                  who changed the most:\n  userpool events --since 1h\n  userpool events \
                  --correlation-id 01a20d84-eb43-7624-b2b8-bfa90177ed38\n  userpool events \
                  --count-by actor --since 30d"
)]
pub(super) struct EventsCommand {
    /// Show at most this many events: the newest ones, or the oldest ones with --reverse. If
    /// omitted, 100, or all with --since or --reverse.
    #[arg(short = 'n', long, value_name = "N", value_parser = positive)]
    limit: Option<u64>,
    /// Show the oldest event first.
    #[arg(long, conflicts_with = "follow")]
    reverse: bool,
    /// Show the oldest event first, and then print new ones as they are recorded, until
    /// interrupted.
    #[arg(short, long, conflicts_with = "until")]
    follow: bool,
    /// Count the events instead of showing them. If neither a filter nor --since is given, all
    /// events of the log are counted.
    #[arg(
        long,
        value_name = "KEY",
        conflicts_with_all = ["limit", "reverse", "follow", "full"]
    )]
    count_by: Option<CountBy>,
    /// Show only events of this user pool, which may be deleted. If omitted, of all.
    #[arg(long, value_name = "POOL", help_heading = "Filters")]
    pool: Option<String>,
    #[command(flatten)]
    list: EventListArgs,
    #[command(flatten)]
    connection: ConnectionArgs,
}

impl EventsCommand {
    pub(super) async fn run(self, source: Arc<dyn Source>) -> Result<Outcome, CliError> {
        let format = self.list.format();
        let is_bounded = [self.list.range.since.is_some(), self.reverse, self.count_by.is_some()];
        let limit = self.limit.or((is_bounded == [false; 3]).then_some(DEFAULT_LIMIT));
        let list = self.list.list(self.pool, limit, source.now())?;
        let client = self.connection.connect().await?;
        if let Some(key) = self.count_by {
            EventCounts::read(&client, &list.without_changes(), key).await?.print(format)?;
            return Ok(Outcome::Success);
        }
        if self.follow {
            let mut output = EventOutput::stream(format, EventLayout::Log);
            list.follow(&client, &mut output).await?;
            return Ok(Outcome::Success);
        }
        let mut output = EventOutput::list(format, EventLayout::Log);
        let direction = if self.reverse { ReadDirection::Forward } else { ReadDirection::Backward };
        let end = list.read(&client, direction, |event| output.push(event)).await?;
        output.finish()?;
        list.note_if_empty(&end);
        if end.has_more && self.limit.is_none() {
            print_note(&format!(
                "showed the newest {DEFAULT_LIMIT} events; --limit or --since shows older ones"
            ));
        }
        Ok(Outcome::Success)
    }
}
