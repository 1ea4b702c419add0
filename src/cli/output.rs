//! The output of a command on stdout: tables for people, JSON for programs.

use std::io::{self, IsTerminal as _, Write as _};

use anstyle::Style;
use clap::{Args, ValueEnum};
use prost::{Message, Name};
use serde_json::Value;

use crate::proto;

use super::{
    cell::Cell, error::CliError, listing::format_listing, pages::for_each_item, table::render_rows,
};

/// The most items that one page of a list may have.
const MAX_PAGE: i32 = 60;

/// The format of the output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum OutputFormat {
    /// Text for people, with times in UTC.
    Table,
    /// One JSON document, indented, as grpcurl prints it.
    Json,
    /// One JSON document per line.
    Jsonl,
}

/// The output of a command whose answer is text for people.
#[derive(Debug, Clone, Copy, Args)]
#[command(next_help_heading = "Output")]
pub(super) struct TableOutputArgs {
    /// Print in this format. If omitted, table.
    #[arg(short, long, value_name = "FORMAT")]
    output: Option<OutputFormat>,
}

/// The output of a command whose answer is a document for programs and for other commands.
#[derive(Debug, Clone, Copy, Args)]
#[command(next_help_heading = "Output")]
pub(super) struct JsonOutputArgs {
    /// Print in this format. If omitted, json.
    #[arg(short, long, value_name = "FORMAT")]
    output: Option<OutputFormat>,
}

/// A list. In JSON Lines each item is printed when it is added, otherwise all at the end.
#[derive(Debug)]
pub(super) struct ListOutput {
    format: OutputFormat,
    /// The member of the JSON document that holds the items.
    member: &'static str,
    columns: &'static [&'static str],
    rows: Vec<Vec<Cell>>,
    items: Vec<Value>,
    is_empty: bool,
}

impl TableOutputArgs {
    pub(super) fn format(self) -> OutputFormat {
        self.output.unwrap_or(OutputFormat::Table)
    }
}

impl JsonOutputArgs {
    pub(super) fn format(self) -> OutputFormat {
        self.output.unwrap_or(OutputFormat::Json)
    }
}

impl OutputFormat {
    /// Prints one message.
    pub(super) fn message<M: Message + Name>(self, message: &M) -> Result<(), CliError> {
        self.value(&proto::to_json(message)?)
    }

    /// Prints one JSON document; as a table, its members.
    pub(super) fn value(self, value: &Value) -> Result<(), CliError> {
        match self {
            Self::Table => print(&format_listing(value)),
            Self::Json => print(&format!("{value:#}")),
            Self::Jsonl => print(&value.to_string()),
        }
    }
}

impl ListOutput {
    /// An empty list with these columns in a table; see [`render_rows`].
    pub(super) const fn new(
        format: OutputFormat,
        member: &'static str,
        columns: &'static [&'static str],
    ) -> Self {
        Self { format, member, columns, rows: Vec::new(), items: Vec::new(), is_empty: true }
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.is_empty
    }

    /// Adds an item. `row` makes its cells in a table.
    pub(super) fn push<M: Message + Name>(
        &mut self,
        item: &M,
        row: impl FnOnce(&M) -> Vec<Cell>,
    ) -> Result<(), CliError> {
        self.is_empty = false;
        match self.format {
            OutputFormat::Table => self.rows.push(row(item)),
            OutputFormat::Json => self.items.push(proto::to_json(item)?),
            OutputFormat::Jsonl => print(&proto::to_json(item)?.to_string())?,
        }
        Ok(())
    }

    /// Adds the items of all pages, as [`for_each_item`] does.
    pub(super) async fn push_pages<M: Message + Name>(
        &mut self,
        limit: Option<u64>,
        page: impl AsyncFnMut(i32, Option<String>) -> Result<(Vec<M>, Option<String>), CliError>,
        row: fn(&M) -> Vec<Cell>,
    ) -> Result<(), CliError> {
        for_each_item(limit, MAX_PAGE, page, |item| self.push(item, row)).await?;
        Ok(())
    }

    /// Prints everything that is not printed yet.
    pub(super) fn finish(self) -> Result<(), CliError> {
        match self.format {
            OutputFormat::Table => {
                let mut lines = render_rows(self.columns, &self.rows).into_iter();
                let heading = lines.next().unwrap_or_default();
                let bold = Style::new().bold();
                print(&format!("{bold}{heading}{bold:#}"))?;
                lines.try_for_each(|line| print(&line))
            }
            OutputFormat::Json => {
                let document: serde_json::Map<_, _> =
                    [(self.member.to_owned(), Value::Array(self.items))].into_iter().collect();
                OutputFormat::Json.value(&document.into())
            }
            OutputFormat::Jsonl => Ok(()),
        }
    }
}

/// Prints a line. Colors are removed unless stdout is a terminal, or if `NO_COLOR` is set.
pub(super) fn print(text: &str) -> Result<(), CliError> {
    let mut stdout = anstream::stdout();
    writeln!(stdout, "{text}")
        .and_then(|()| stdout.flush())
        .map_err(|error| CliError::stdout(&error))
}

/// Prints in one line what a long answer on a terminal says, after it.
pub(super) fn print_summary(text: &str) {
    if io::stdout().is_terminal() {
        print_note(text);
    }
}

/// Prints a line that is not part of the output to stderr.
pub(super) fn print_note(text: &str) {
    // Ignored: stderr may be closed.
    let _ = writeln!(anstream::stderr(), "userpool: {text}");
}
