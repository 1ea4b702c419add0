//! What goes to stdout: tables for people, JSON for programs.

use std::io::Write as _;

use anstyle::Style;
use clap::{Args, ValueEnum};
use comfy_table::{CellAlignment, Table};
use prost::{Message, Name};
use serde_json::Value;

use crate::proto;

use super::{
    error::CliError,
    listing::listing,
    table::{lines, table},
};

/// How many items a page of a list has at most.
const PAGE: i32 = 60;

/// How to print.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// For people; times are UTC.
    Table,
    /// One JSON document, indented, as grpcurl prints it.
    Json,
    /// One JSON document a line.
    Jsonl,
}

#[derive(Debug, Clone, Copy, Args)]
#[command(next_help_heading = "Output")]
pub(super) struct Output {
    /// How to print. Absent: table for lists, events, differences and proofs, json for the rest.
    #[arg(short, long, value_name = "FORMAT")]
    output: Option<Format>,
}

/// A list that is printed item by item, or at its end.
#[derive(Debug)]
pub(super) struct List {
    format: Format,
    /// The member that has the items in the JSON document.
    member: &'static str,
    table: Table,
    items: Vec<Value>,
}

impl Output {
    pub(super) fn or_table(self) -> Format {
        self.output.unwrap_or(Format::Table)
    }

    pub(super) fn or_json(self) -> Format {
        self.output.unwrap_or(Format::Json)
    }
}

impl Format {
    /// Prints one message.
    pub(super) fn message<M: Message + Name>(self, message: &M) -> Result<(), CliError> {
        self.value(&proto::to_json(message))
    }

    /// Prints one JSON document; as a table, its members.
    pub(super) fn value(self, value: &Value) -> Result<(), CliError> {
        match self {
            Self::Table => print(&listing(value)),
            Self::Json => print(&format!("{value:#}")),
            Self::Jsonl => print(&value.to_string()),
        }
    }
}

impl List {
    /// A list whose tables have these columns; those that begin with "#" hold numbers.
    pub(super) fn new(format: Format, member: &'static str, columns: &[&str]) -> Self {
        let mut table = table();
        table.set_header(columns.iter().map(|column| column.trim_start_matches('#')));
        for (index, column) in columns.iter().enumerate() {
            if let Some(cells) = table.column_mut(index).filter(|_| column.starts_with('#')) {
                cells.set_cell_alignment(CellAlignment::Right);
            }
        }
        Self { format, member, table, items: Vec::new() }
    }

    /// The next item, and its row in a table.
    pub(super) fn push<M: Message + Name>(
        &mut self,
        item: &M,
        row: impl FnOnce(&M) -> Vec<String>,
    ) -> Result<(), CliError> {
        match self.format {
            Format::Table => {
                self.table.add_row(row(item));
            }
            Format::Json => self.items.push(proto::to_json(item)),
            Format::Jsonl => print(&proto::to_json(item).to_string())?,
        }
        Ok(())
    }

    /// Takes items from pages, as many as `limit` allows; all where it is absent.
    /// `page` is told how many at most, and the token of the page before.
    pub(super) async fn fill<M: Message + Name>(
        &mut self,
        limit: Option<u64>,
        page: impl AsyncFn(i32, Option<String>) -> Result<(Vec<M>, Option<String>), CliError>,
        row: fn(&M) -> Vec<String>,
    ) -> Result<(), CliError> {
        let mut left = limit.unwrap_or(u64::MAX);
        let mut next_token = None;
        while left > 0 {
            let max_results = i32::try_from(left).unwrap_or(PAGE).min(PAGE);
            let (items, next) = page(max_results, next_token).await?;
            for item in &items {
                self.push(item, row)?;
                left = left.saturating_sub(1);
            }
            next_token = next;
            if next_token.is_none() {
                break;
            }
        }
        Ok(())
    }

    /// Prints what was not printed yet.
    pub(super) fn end(mut self) -> Result<(), CliError> {
        match self.format {
            Format::Table => {
                let mut lines = lines(&mut self.table).into_iter();
                let heading = lines.next().unwrap_or_default();
                let bold = Style::new().bold();
                print(&format!("{bold}{heading}{bold:#}"))?;
                lines.try_for_each(|line| print(&line))
            }
            Format::Json => {
                let document: serde_json::Map<_, _> =
                    [(self.member.to_owned(), Value::Array(self.items))].into_iter().collect();
                Format::Json.value(&document.into())
            }
            Format::Jsonl => Ok(()),
        }
    }
}

/// Prints text and a line feed. Colours go where they are wanted: to a terminal,
/// unless `NO_COLOR` is set.
pub(super) fn print(text: &str) -> Result<(), CliError> {
    let mut stdout = anstream::stdout();
    Ok(writeln!(stdout, "{text}").and_then(|()| stdout.flush())?)
}

/// Says something that is not part of the output.
pub(super) fn say(text: &str) {
    // Where stderr is closed there is nobody to tell.
    let _ = writeln!(anstream::stderr(), "userpool: {text}");
}
