//! `userpool diff`: the differences between two points in the history of a user pool.

use std::sync::Arc;

use anstyle::{AnsiColor, Style};
use clap::Args;
use serde_json::{Value, json};

use crate::{
    app::Source,
    proto::{self, ReplayUserPoolResponse},
};

use super::{
    connection::Connection,
    error::CliError,
    outcome::Outcome,
    output::{Format, Output, print},
    point::Point,
    replay::replay,
    text::{printable, time},
};

#[derive(Debug, Args)]
#[command(after_help = "Exit code: 0 where they are equal, 1 where they differ.\n\nExample:\n  \
                  userpool diff us-east-1_tXLpktx5t 1 2026-11-17T10:00:00Z")]
pub(super) struct Diff {
    /// The ID of the user pool; it may be deleted.
    #[arg(value_name = "POOL")]
    pool: String,
    /// The one point: a revision (7), a position in the log (@120), a time
    /// (2026-11-17T10:00:00Z), a date (2026-11-17, its first moment in UTC), or how long ago (2h).
    #[arg(value_name = "FROM")]
    from: Point,
    /// The other point, in the same forms. Absent: now.
    #[arg(value_name = "TO")]
    to: Option<Point>,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    connection: Connection,
}

/// A member that is not the same; nothing stands for a member that is not there.
struct Difference<'a> {
    path: String,
    from: Option<&'a Value>,
    to: Option<&'a Value>,
}

impl Diff {
    pub(super) async fn run(self, source: Arc<dyn Source>) -> Result<Outcome, CliError> {
        let now = source.now();
        let client = self.connection.connect().await?;
        let from = replay(&client, self.pool.clone(), Some(self.from.as_of(now))).await?;
        let to = replay(&client, self.pool.clone(), self.to.map(|to| to.as_of(now))).await?;
        let (left, right) = (members(&from), members(&to));
        let mut differences = Vec::new();
        collect(String::new(), Some(&left), Some(&right), &mut differences);
        print_differences(self.output.or_table(), &self.pool, (&from, &to), &differences)?;
        Ok(if differences.is_empty() { Outcome::Success } else { Outcome::Negative })
    }
}

/// The members that are compared: those of the user pool, and whether it was deleted.
fn members(replayed: &ReplayUserPoolResponse) -> Value {
    let mut members = replayed.user_pool.as_ref().map(proto::to_json).unwrap_or_default();
    if let (Some(members), true) = (members.as_object_mut(), replayed.deleted) {
        members.insert("deleted".to_owned(), true.into());
    }
    members
}

/// Goes down into objects; anything else is the same or it is not.
fn collect<'a>(
    path: String,
    from: Option<&'a Value>,
    to: Option<&'a Value>,
    differences: &mut Vec<Difference<'a>>,
) {
    if from == to {
        return;
    }
    let object = |value: Option<&'a Value>| value.and_then(Value::as_object);
    let (Some(old), Some(new)) = (object(from), object(to)) else {
        differences.push(Difference { path, from, to });
        return;
    };
    let added = new.keys().filter(|member| !old.contains_key(*member));
    for member in old.keys().chain(added) {
        let path = if path.is_empty() { member.clone() } else { format!("{path}.{member}") };
        collect(path, old.get(member), new.get(member), differences);
    }
}

fn print_differences(
    format: Format,
    pool: &str,
    (from, to): (&ReplayUserPoolResponse, &ReplayUserPoolResponse),
    differences: &[Difference<'_>],
) -> Result<(), CliError> {
    let documents = differences.iter().map(|Difference { path, from, to }| {
        let mut document = serde_json::Map::from_iter([("path".to_owned(), json!(path))]);
        document.extend(from.map(|value| ("from".to_owned(), value.clone())));
        document.extend(to.map(|value| ("to".to_owned(), value.clone())));
        Value::Object(document)
    });
    match format {
        Format::Table if differences.is_empty() => Ok(()),
        Format::Table => {
            let (red, green) = (AnsiColor::Red.on_default(), AnsiColor::Green.on_default());
            print(&side(red.bold(), "---", &point(pool, from)))?;
            print(&side(green.bold(), "+++", &point(pool, to)))?;
            for Difference { path, from, to } in differences {
                let shown = |value: &Value| printable(&format!("{path}: {value}"));
                if let Some(value) = from {
                    print(&side(red, "-", &shown(value)))?;
                }
                if let Some(value) = to {
                    print(&side(green, "+", &shown(value)))?;
                }
            }
            Ok(())
        }
        Format::Json => {
            let place = |replayed: &ReplayUserPoolResponse| {
                let whole = proto::to_json(replayed);
                let members = ["revision", "position", "recordTime"];
                let members = members.iter().filter_map(|member| {
                    whole.get(*member).map(|value| ((*member).to_owned(), value.clone()))
                });
                Value::Object(members.collect())
            };
            let documents: Vec<_> = documents.collect();
            let (from, to) = (place(from), place(to));
            format.value(&json!({ "from": from, "to": to, "differences": documents }))
        }
        Format::Jsonl => documents.into_iter().try_for_each(|document| format.value(&document)),
    }
}

fn side(style: Style, sign: &str, text: &str) -> String {
    format!("{style}{sign} {text}{style:#}")
}

fn point(pool: &str, replayed: &ReplayUserPoolResponse) -> String {
    let ReplayUserPoolResponse { revision, position, record_time, .. } = replayed;
    let (pool, time) = (printable(pool), time(*record_time));
    format!("{pool} at revision {revision}, position {position}, {time}")
}
