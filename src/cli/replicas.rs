//! `userpool replicas`: the servers that share a log.

use clap::Args;
use serde_json::{Value, json};

use crate::event_log::{Head, Position, Replica, replicas};

use super::{
    cell::Cell,
    database::DatabaseArgs,
    error::CliError,
    outcome::Outcome,
    output::{OutputFormat, TableOutputArgs, print},
    table::render_rows,
};

/// The columns of the table; see [`render_rows`].
const COLUMNS: [&str; 5] = ["NAME", "VERSION", "#POSITION", "#BEHIND", "SEEN"];

#[derive(Debug, Args)]
#[command(
    after_help = "Each server describes itself every 5 seconds. One that was not seen for a minute \
                  does not run, or does not reach the database.\n\nExample:\n  userpool replicas \
                  --log-url postgres://userpool@127.0.0.1/userpool"
)]
pub(super) struct ReplicasCommand {
    #[command(flatten)]
    output: TableOutputArgs,
    // Last, because its heading applies to every flag after it.
    #[command(flatten)]
    database: DatabaseArgs,
}

impl ReplicasCommand {
    pub(super) async fn run(self) -> Result<Outcome, CliError> {
        let settings = self.database.required()?;
        let (head, replicas) = replicas(&settings).await.map_err(CliError::other)?;
        match self.output.format() {
            OutputFormat::Table => {
                let rows: Vec<_> = replicas.iter().map(|replica| row(head, replica)).collect();
                for line in render_rows(&COLUMNS, &rows) {
                    print(&line)?;
                }
            }
            format @ (OutputFormat::Json | OutputFormat::Jsonl) => {
                let replicas: Vec<_> =
                    replicas.iter().map(|replica| document(head, replica)).collect();
                let head = head.position.to_int().to_string();
                format.value(&json!({"headPosition": head, "replicas": replicas}))?;
            }
        }
        Ok(Outcome::Success)
    }
}

/// How many events a server has not applied.
fn behind(head: Head, replica: &Replica) -> Position {
    Position(head.position.0.saturating_sub(replica.position.0))
}

fn row(head: Head, replica: &Replica) -> Vec<Cell> {
    let seen = format!("{}s ago", replica.age.as_secs());
    let cells = [
        replica.name.clone(),
        replica.version.clone(),
        replica.position.to_string(),
        behind(head, replica).to_string(),
        if replica.is_running() { seen } else { format!("{seen}, does not run") },
    ];
    cells.map(Cell::from).into()
}

fn document(head: Head, replica: &Replica) -> Value {
    json!({
        "name": replica.name,
        "version": replica.version,
        "position": replica.position.to_string(),
        "behind": behind(head, replica).to_string(),
        "reader": replica.reader,
        "secondsAgo": replica.age.as_secs(),
        "isRunning": replica.is_running(),
    })
}
