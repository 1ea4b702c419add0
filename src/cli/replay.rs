//! `userpool replay`: a user pool as it was.

use std::sync::Arc;

use clap::Args;

use crate::{
    app::Source,
    client::Client,
    proto::{
        HistoryPoint, ReplayUserPoolRequest, ReplayUserPoolResponse, replay_user_pool_request::AsOf,
    },
};

use super::{
    connection::ConnectionArgs, error::CliError, outcome::Outcome, output::JsonOutputArgs,
};

#[derive(Debug, Args)]
#[command(after_help = "To bring a deleted user pool back under its ID, use userpool restore.\n\n\
                        Example, copy a deleted user pool:\n  \
                        userpool replay us-east-1_tXLpktx5t | userpool create -")]
pub(super) struct ReplayCommand {
    /// The ID of the user pool. If it is deleted, its last state is shown.
    #[arg(value_name = "POOL")]
    pool: String,
    /// Show the state at this point: a revision (7), a position in the log (@120), a time
    /// (2026-11-17T10:00:00Z), a date (2026-11-17, midnight UTC), or a duration before now (2h).
    /// If omitted, the current state.
    #[arg(long, value_name = "POINT")]
    at: Option<HistoryPoint>,
    #[command(flatten)]
    output: JsonOutputArgs,
    #[command(flatten)]
    connection: ConnectionArgs,
}

impl ReplayCommand {
    pub(super) async fn run(self, source: Arc<dyn Source>) -> Result<Outcome, CliError> {
        let as_of = self.at.map(|point| point.as_of(source.now()));
        let client = self.connection.connect().await?;
        let replayed = replay(&client, self.pool, as_of).await?;
        self.output.format().message(&replayed)?;
        Ok(Outcome::Success)
    }
}

pub(super) async fn replay(
    client: &Client,
    pool: String,
    as_of: Option<AsOf>,
) -> Result<ReplayUserPoolResponse, CliError> {
    let request = ReplayUserPoolRequest {
        user_pool_id: Some(pool),
        as_of,
        ..ReplayUserPoolRequest::default()
    };
    Ok(client.replay_user_pool(request).await?)
}
