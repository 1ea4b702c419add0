//! `userpool diff`: the differences between two points in the history of a user pool.

use std::sync::Arc;

use anstyle::{AnsiColor, Style};
use clap::Args;
use serde_json::{Value, json};

use crate::{
    app::Source,
    proto::{self, ReplayUserPoolResponse, UnwritableMessage},
};

use super::{
    connection::ConnectionArgs,
    error::CliError,
    outcome::Outcome,
    output::{OutputArgs, OutputFormat, print},
    point::HistoryPoint,
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
    output: OutputArgs,
    #[command(flatten)]
    connection: ConnectionArgs,
}

/// A member that differs between the two points; `None` if it is absent there.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Difference {
    pub(super) path: String,
    pub(super) from: Option<Value>,
    pub(super) to: Option<Value>,
}

impl DiffCommand {
    pub(super) async fn run(self, source: Arc<dyn Source>) -> Result<Outcome, CliError> {
        let now = source.now();
        let client = self.connection.connect().await?;
        let from = replay(&client, self.pool.clone(), Some(self.from.as_of(now))).await?;
        let to = replay(&client, self.pool.clone(), self.to.map(|to| to.as_of(now))).await?;
        let (left, right) = (comparable(&from)?, comparable(&to)?);
        let differences = differences(&left, &right);
        print_differences(self.output.or_table(), &self.pool, (&from, &to), &differences)?;
        Ok(if differences.is_empty() { Outcome::Success } else { Outcome::Negative })
    }
}

/// The document that is compared: the user pool, and whether it is deleted.
pub(super) fn comparable(replayed: &ReplayUserPoolResponse) -> Result<Value, UnwritableMessage> {
    let pool = replayed.user_pool.as_ref().map(proto::to_json).transpose()?;
    let mut members = pool.unwrap_or_default();
    if let (Some(members), true) = (members.as_object_mut(), replayed.deleted) {
        members.insert("deleted".to_owned(), true.into());
    }
    Ok(members)
}

/// The differences between two documents, member by member.
pub(super) fn differences(from: &Value, to: &Value) -> Vec<Difference> {
    let mut differences = Vec::new();
    collect(String::new(), Some(from), Some(to), &mut differences);
    differences
}

fn collect(
    path: String,
    from: Option<&Value>,
    to: Option<&Value>,
    differences: &mut Vec<Difference>,
) {
    if from == to {
        return;
    }
    let (Some(old), Some(new)) = (from.and_then(Value::as_object), to.and_then(Value::as_object))
    else {
        differences.push(Difference { path, from: from.cloned(), to: to.cloned() });
        return;
    };
    let added = new.keys().filter(|member| !old.contains_key(*member));
    for member in old.keys().chain(added) {
        let path = if path.is_empty() { member.clone() } else { format!("{path}.{member}") };
        collect(path, old.get(member), new.get(member), differences);
    }
}

fn print_differences(
    format: OutputFormat,
    pool: &str,
    (from, to): (&ReplayUserPoolResponse, &ReplayUserPoolResponse),
    differences: &[Difference],
) -> Result<(), CliError> {
    let documents = differences.iter().map(|Difference { path, from, to }| {
        let mut document = serde_json::Map::from_iter([("path".to_owned(), json!(path))]);
        document.extend(from.clone().map(|value| ("from".to_owned(), value)));
        document.extend(to.clone().map(|value| ("to".to_owned(), value)));
        Value::Object(document)
    });
    match format {
        OutputFormat::Table if differences.is_empty() => Ok(()),
        OutputFormat::Table => {
            let (from, to) = (format_point(pool, from), format_point(pool, to));
            format_differences(&from, &to, differences).iter().try_for_each(|line| print(line))
        }
        OutputFormat::Json => {
            let place = |replayed: &ReplayUserPoolResponse| {
                let whole = proto::to_json(replayed)?;
                let members = ["revision", "position", "recordTime"];
                let members = members.iter().filter_map(|member| {
                    whole.get(*member).map(|value| ((*member).to_owned(), value.clone()))
                });
                Ok::<_, UnwritableMessage>(Value::Object(members.collect()))
            };
            let documents: Vec<_> = documents.collect();
            let (from, to) = (place(from)?, place(to)?);
            format.value(&json!({ "from": from, "to": to, "differences": documents }))
        }
        OutputFormat::Jsonl => {
            documents.into_iter().try_for_each(|document| format.value(&document))
        }
    }
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
