//! `userpool diff`: the differences between two points in the history of a user pool.

use std::sync::Arc;

use anstyle::{AnsiColor, Style};
use clap::Args;
use serde_json::Value;

use crate::{
    app::Source,
    proto::{self, Difference, HistoryPoint, ReplayUserPoolResponse},
};

use super::{
    connection::ConnectionArgs,
    error::CliError,
    outcome::Outcome,
    output::{OutputFormat, TableOutputArgs, print},
    replay::replay,
    text::{escape, format_time},
};

/// The member that every change of the settings changes.
pub(super) const MODIFIED: &str = "LastModifiedDate";

#[derive(Debug, Args)]
#[command(after_help = "Exit code: 0 if there are no differences, 1 if there are.\n\nExample:\n  \
                  userpool diff us-east-1_tXLpktx5t 1 2026-11-17T10:00:00Z")]
pub(super) struct DiffCommand {
    /// The ID of the user pool, which may be deleted.
    #[arg(value_name = "POOL")]
    pool: String,
    /// The first point: a revision (7), a position in the log (@120), a time
    /// (2026-11-17T10:00:00Z), a date (2026-11-17, midnight UTC), or a duration before now (2h).
    #[arg(value_name = "FROM")]
    from: HistoryPoint,
    /// The second point, in the same formats. If omitted, now.
    #[arg(value_name = "TO")]
    to: Option<HistoryPoint>,
    #[command(flatten)]
    output: TableOutputArgs,
    #[command(flatten)]
    connection: ConnectionArgs,
}

impl DiffCommand {
    pub(super) async fn run(self, source: Arc<dyn Source>) -> Result<Outcome, CliError> {
        let now = source.now();
        let client = self.connection.connect().await?;
        let from = replay(&client, self.pool.clone(), Some(self.from.as_of(now))).await?;
        let to = replay(&client, self.pool.clone(), self.to.map(|to| to.as_of(now))).await?;
        let documents = [proto::to_json(&from)?, proto::to_json(&to)?];
        let [left, right] = documents.each_ref().map(proto::comparable);
        let differences = proto::differences(&left, &right);
        let format = self.output.format();
        match format {
            OutputFormat::Table => print_table(&self.pool, (&from, &to), &differences)?,
            OutputFormat::Json => {
                let [from, to] = &documents;
                format.value(&proto::difference_document(from, to))?;
            }
            OutputFormat::Jsonl => {
                let mut items = differences.iter().map(proto::difference_item);
                items.try_for_each(|item| format.value(&item))?;
            }
        }
        Ok(if differences.is_empty() { Outcome::Success } else { Outcome::Negative })
    }
}

fn print_table(
    pool: &str,
    (from, to): (&ReplayUserPoolResponse, &ReplayUserPoolResponse),
    differences: &[Difference],
) -> Result<(), CliError> {
    if differences.is_empty() {
        return Ok(());
    }
    let (from, to) = (format_point(pool, from), format_point(pool, to));
    format_differences(&from, &to, differences).iter().try_for_each(|line| print(line))
}

/// Formats the differences between two points as lines, given the names of the points.
pub(super) fn format_differences(from: &str, to: &str, differences: &[Difference]) -> Vec<String> {
    let (red, green) = (AnsiColor::Red.on_default(), AnsiColor::Green.on_default());
    let mut lines =
        vec![format_side(red.bold(), "---", from), format_side(green.bold(), "+++", to)];
    for Difference { path, from, to } in differences {
        let shown = |value: &Value| escape(&format!("{path}: {value}"));
        lines.extend(from.as_ref().map(|value| format_side(red, "-", &shown(value))));
        lines.extend(to.as_ref().map(|value| format_side(green, "+", &shown(value))));
    }
    lines
}

/// Formats a line with its sign in a style.
fn format_side(style: Style, sign: &str, text: &str) -> String {
    format!("{style}{sign} {text}{style:#}")
}

/// Formats a point in the history of a user pool.
pub(super) fn format_point(pool: &str, replayed: &ReplayUserPoolResponse) -> String {
    let ReplayUserPoolResponse { revision, position, record_time, .. } = replayed;
    let (pool, time) = (escape(pool), format_time(*record_time));
    format!("{pool} at revision {revision}, position {position}, {time}")
}
