//! `userpool status`: the log, the version and the size of a server, and who it takes the
//! caller for.

use std::mem;

use clap::Args;
use serde_json::{Map, Value, json};

use crate::{
    event_log::Hash,
    proto::{DescribeLogRequest, DescribeLogResponse, HashAnchor},
};

use super::{
    connection::ConnectionArgs,
    error::CliError,
    outcome::Outcome,
    output::{OutputFormat, TableOutputArgs},
};

#[derive(Debug, Args)]
#[command(after_help = "Servers with different log IDs have different logs. With the same ID, \
                        compare the hashes as well: a restored backup keeps the ID.\n\nExample:\n  userpool status")]
pub(super) struct StatusCommand {
    #[command(flatten)]
    output: TableOutputArgs,
    #[command(flatten)]
    connection: ConnectionArgs,
}

impl StatusCommand {
    pub(super) async fn run(self) -> Result<Outcome, CliError> {
        let context = self.connection.context();
        let context = context.map(|(name, endpoint)| format!("{name} ({endpoint})"));
        let client = self.connection.connect().await?;
        let log = client.describe_log(DescribeLogRequest::default()).await?;
        match self.output.format() {
            format @ OutputFormat::Table => format.value(&readable(&log, context))?,
            format @ (OutputFormat::Json | OutputFormat::Jsonl) => format.message(&log)?,
        }
        Ok(Outcome::Success)
    }
}

/// The answer with its bytes in hexadecimal, after the context of the connection.
fn readable(log: &DescribeLogResponse, context: Option<String>) -> Value {
    let HashAnchor { position, hash, log_id } = log.head.clone().unwrap_or_default();
    let hexadecimal = |bytes: &[u8]| bytes.try_into().map(Hash).unwrap_or_default().to_string();
    let log_id = if log_id.is_empty() { "(the log is empty)".to_owned() } else { log_id };
    let mut members = json!({
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
        "caller": log.caller,
    });
    let mut document: Map<_, _> =
        context.map(|context| ("context".to_owned(), context.into())).into_iter().collect();
    document.extend(members.as_object_mut().map(mem::take).unwrap_or_default());
    if !log.replica.is_empty() {
        let reads = log.reads().as_str_name().trim_start_matches("READ_MODE_").to_lowercase();
        document.extend([
            ("reads".to_owned(), reads.into()),
            ("replica".to_owned(), log.replica.clone().into()),
        ]);
    }
    document.into()
}
