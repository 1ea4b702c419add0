//! The output of events on stdout: a table for people, JSON for programs, CSV for
//! spreadsheets.

use std::io::{self, Stdout};

use clap::{Args, ValueEnum};

use crate::proto::UserPoolEvent;

use super::{
    csv::EventCsv,
    error::CliError,
    event::{self, EventLayout},
    output::{ListOutput, OutputFormat, print},
};

/// The format of events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum EventFormat {
    /// Text for people, with times in UTC.
    Table,
    /// One JSON document, indented, as grpcurl prints it.
    Json,
    /// One JSON document per line.
    Jsonl,
    /// Comma-separated values (RFC 4180) with a heading. A text that a spreadsheet would take for
    /// a formula, because it begins with = + - or @, gets an apostrophe in front.
    Csv,
}

#[derive(Debug, Clone, Copy, Args)]
#[command(next_help_heading = "Output")]
pub(super) struct EventOutputArgs {
    /// Print in this format. If omitted, table.
    #[arg(short, long, value_name = "FORMAT")]
    output: Option<EventFormat>,
}

impl EventOutputArgs {
    pub(super) fn or_table(self) -> EventFormat {
        self.output.unwrap_or(EventFormat::Table)
    }
}

/// Prints events.
#[derive(Debug)]
pub(super) enum EventOutput {
    /// All at the end, as a table that fits them or as one document.
    List(ListOutput),
    /// Each at once, with fixed column widths or as a document of its own.
    Lines(OutputFormat, EventLayout),
    /// Each at once.
    Csv(Box<EventCsv<Stdout>>),
}

impl EventFormat {
    /// The format of other things than events, if there are such in it.
    const fn general(self) -> Option<OutputFormat> {
        match self {
            Self::Table => Some(OutputFormat::Table),
            Self::Json => Some(OutputFormat::Json),
            Self::Jsonl => Some(OutputFormat::Jsonl),
            Self::Csv => None,
        }
    }
}

impl EventOutput {
    /// For the events of one user pool, of which there is a last one.
    pub(super) fn list(format: EventFormat) -> Result<Self, CliError> {
        match format.general() {
            Some(format) => Ok(Self::List(ListOutput::new(format, "events", &event::COLUMNS))),
            None => Self::csv(),
        }
    }

    /// For events without an end, so there is neither a document around them nor a common width.
    /// Prints the heading.
    pub(super) fn stream(format: EventFormat, layout: EventLayout) -> Result<Self, CliError> {
        let Some(format) = format.general() else { return Self::csv() };
        if format == OutputFormat::Table {
            print(&layout.heading())?;
        }
        Ok(Self::Lines(format, layout))
    }

    fn csv() -> Result<Self, CliError> {
        let csv = EventCsv::new(io::stdout()).map_err(|error| CliError::stdout(&error))?;
        Ok(Self::Csv(Box::new(csv)))
    }

    /// Adds an event.
    pub(super) fn push(&mut self, event: &UserPoolEvent) -> Result<(), CliError> {
        match self {
            Self::List(list) => list.push(event, event::row),
            Self::Lines(OutputFormat::Table, layout) => print(&layout.line(event)),
            Self::Lines(format, _) => format.message(event),
            Self::Csv(csv) => {
                csv.push(event).and_then(|()| csv.flush()).map_err(|error| CliError::stdout(&error))
            }
        }
    }

    /// Prints everything that is not printed yet.
    pub(super) fn finish(self) -> Result<(), CliError> {
        match self {
            Self::List(list) => list.finish(),
            Self::Lines(..) | Self::Csv(_) => Ok(()),
        }
    }
}
