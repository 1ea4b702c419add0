//! `userpool watch`.

use std::str::FromStr;

use clap::Args;

use crate::{
    event_log::{Hash, Head},
    proto::{WatchUserPoolEventsRequest, watch_user_pool_events_request::Start},
};

use super::{
    connection::ConnectionArgs,
    error::CliError,
    event::EventLayout,
    event_filter::FilterArgs,
    event_output::{EventOutput, EventOutputArgs},
    follow,
    outcome::Outcome,
};

#[derive(Debug, Args)]
#[command(
    after_help = "If the connection is lost, the watch resumes by itself. Exit code 3: the log is \
                  another one than before.\n\nExample, print the whole history and then new \
                  events:\n  userpool watch --after 0 -o jsonl"
)]
pub(super) struct WatchCommand {
    /// Show only events of this user pool. If omitted, of all.
    #[arg(long, value_name = "POOL", help_heading = "Filters")]
    pool: Option<String>,
    /// Print events after this position in the log; 0 prints the whole history first. With the
    /// hash of its event, as in 17:9c1f…, the log must be the one that had it. If omitted, only
    /// new events.
    #[arg(long, value_name = "POSITION")]
    after: Option<ResumePoint>,
    #[command(flatten)]
    filter: FilterArgs,
    #[command(flatten)]
    output: EventOutputArgs,
    #[command(flatten)]
    connection: ConnectionArgs,
}

impl WatchCommand {
    pub(super) async fn run(self) -> Result<Outcome, CliError> {
        let hash = self.after.and_then(|after| after.hash);
        let format = self.output.or_table();
        let watch = WatchUserPoolEventsRequest {
            filter: Some(self.filter.filter(self.pool)?),
            start: self.after.map(|after| Start::AfterPosition(after.position)),
            after_hash: hash.map(|hash| hash.0.to_vec()).unwrap_or_default(),
            view: format.view(true).into(),
            ..WatchUserPoolEventsRequest::default()
        };
        let client = self.connection.connect().await?;
        let mut output = EventOutput::stream(format, EventLayout::Log);
        follow::follow(&client, watch, &mut output).await?;
        Ok(Outcome::Success)
    }
}

/// A position to start after, and the hash that its event must have, if it is known.
#[derive(Debug, Clone, Copy)]
struct ResumePoint {
    position: i64,
    hash: Option<Hash>,
}

impl FromStr for ResumePoint {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Ok(Head { position, hash }) = text.parse() {
            return Ok(Self { position: position.to_int(), hash: Some(hash) });
        }
        let position = text.parse().map_err(|_| {
            "expected a position, or a position and a hash in hexadecimal or base64, separated by a \
             colon"
        })?;
        Ok(Self { position, hash: None })
    }
}
