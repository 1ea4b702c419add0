//! `userpool log checkpoints`: the checkpoints that the servers of a log in a database have signed.

use clap::Args;

use crate::event_log::StoredCheckpoint;

use super::{
    database::{self, DatabaseArgs},
    error::CliError,
    outcome::Outcome,
    output::print,
};

#[derive(Debug, Args)]
#[command(
    after_help = "Example, compare the log with them:\n  userpool log checkpoints --log-url \
                  postgres://userpool@127.0.0.1/userpool >checkpoints.jsonl\n  userpool log verify \
                  --log-url postgres://userpool@127.0.0.1/userpool --checkpoint checkpoints.jsonl"
)]
pub(super) struct CheckpointsCommand {
    #[command(flatten)]
    database: DatabaseArgs,
}

impl CheckpointsCommand {
    pub(super) async fn run(self) -> Result<Outcome, CliError> {
        let log = database::open(self.database.required()?).await?;
        let stored = log.checkpoints();
        let mut last: Option<StoredCheckpoint> = None;
        loop {
            let page = stored.page(last.as_ref()).await.map_err(CliError::other)?;
            for checkpoint in &page {
                print(&checkpoint.text)?;
            }
            let Some(end) = page.into_iter().next_back() else { break };
            last = Some(end);
        }
        Ok(Outcome::Success)
    }
}
