//! `userpool status`: the log, the version and the size of a server.

use clap::Args;
use serde_json::json;

use crate::{
    event_log::Hash,
    proto::{DescribeLogRequest, DescribeLogResponse, HashAnchor},
};

use super::{
    connection::ConnectionArgs,
    error::CliError,
    outcome::Outcome,
    output::{OutputArgs, OutputFormat},
};

#[derive(Debug, Args)]
#[command(after_help = "Servers with different log IDs have different logs. With the same ID, \
                        compare the hashes as well: a restored backup keeps the ID.\n\nExample:\n  userpool status")]
pub(super) struct StatusCommand {
    #[command(flatten)]
    output: OutputArgs,
    #[command(flatten)]
    connection: ConnectionArgs,
}

impl StatusCommand {
    pub(super) async fn run(self) -> Result<Outcome, CliError> {
        let client = self.connection.connect().await?;
        let log = client.describe_log(DescribeLogRequest::default()).await?;
        match self.output.or_table() {
            format @ OutputFormat::Table => format.value(&readable(&log))?,
            format @ (OutputFormat::Json | OutputFormat::Jsonl) => format.message(&log)?,
        }
        Ok(Outcome::Success)
    }
}

/// The answer with its bytes in hexadecimal.
fn readable(log: &DescribeLogResponse) -> serde_json::Value {
    let HashAnchor { position, hash, log_id } = log.head.clone().unwrap_or_default();
    let hexadecimal = |bytes: &[u8]| bytes.try_into().map(Hash).unwrap_or_default().to_string();
    let log_id = if log_id.is_empty() { "(the log is empty)".to_owned() } else { log_id };
    json!({
        "log_id": log_id,
        "position": position,
        "hash": hexadecimal(&hash),
        "durable_position": log.durable_position,
        "user_pools": log.user_pool_count,
        "domains": log.domain_count,
        "region": log.region,
        "engine": log.engine,
        "checkpoint_key": hexadecimal(&log.checkpoint_key),
        "server_version": log.server_version,
    })
}
