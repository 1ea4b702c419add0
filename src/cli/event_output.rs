//! The output of events on stdout: a table for people, JSON for programs, CSV for
//! spreadsheets.

use std::io::{self, Stdout};

use clap::{Args, ValueEnum};

use crate::proto::{EventView, UserPoolEvent};

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

    pub(super) fn or_json(self) -> EventFormat {
        self.output.unwrap_or(EventFormat::Json)
    }
}

/// Prints events.
#[derive(Debug)]
pub(super) struct EventOutput(EventSink);

#[derive(Debug)]
enum EventSink {
    /// All at the end, as a table that fits them or as one document.
    List(ListOutput),
    /// Nothing yet, not even the heading, because the server may refuse.
    Waiting(EventFormat, EventLayout),
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

    /// Whether a server must send full events, if they are wanted where the format has space.
    pub(super) const fn view(self, is_full: bool) -> EventView {
        match self {
            Self::Json | Self::Jsonl if is_full => EventView::Full,
            Self::Table | Self::Json | Self::Jsonl | Self::Csv => EventView::Summary,
        }
    }
}

impl EventOutput {
    /// For events of which there is a last one. The table of one user pool is as wide as its
    /// content; that of all of them can be too long to wait for.
    pub(super) const fn list(format: EventFormat, layout: EventLayout) -> Self {
        let (format, columns) = match (format, layout) {
            (EventFormat::Json, _) => (OutputFormat::Json, &event::COLUMNS),
            (EventFormat::Table, EventLayout::Pool) => (OutputFormat::Table, &event::COLUMNS),
            (EventFormat::Table | EventFormat::Jsonl | EventFormat::Csv, _) => {
                return Self::stream(format, layout);
            }
        };
        Self(EventSink::List(ListOutput::new(format, "events", columns)))
    }

    /// For events without an end, so there is neither a document around them nor a common width.
    pub(super) const fn stream(format: EventFormat, layout: EventLayout) -> Self {
        Self(EventSink::Waiting(format, layout))
    }

    /// Prints the heading, unless it is printed. Later calls have no effect.
    pub(super) fn begin(&mut self) -> Result<(), CliError> {
        let EventSink::Waiting(format, layout) = self.0 else { return Ok(()) };
        self.0 = if let Some(format) = format.general() {
            if format == OutputFormat::Table {
                print(&layout.heading())?;
            }
            EventSink::Lines(format, layout)
        } else {
            let csv = EventCsv::new(io::stdout()).map_err(|error| CliError::stdout(&error))?;
            EventSink::Csv(Box::new(csv))
        };
        Ok(())
    }

    /// Adds an event, full or a summary.
    pub(super) fn push(&mut self, event: &UserPoolEvent) -> Result<(), CliError> {
        self.begin()?;
        match &mut self.0 {
            EventSink::List(list) => list.push(event, event::row),
            EventSink::Lines(OutputFormat::Table, layout) => print(&layout.line(event)),
            EventSink::Lines(format, _) => format.message(event),
            EventSink::Csv(csv) => {
                csv.push(event).and_then(|()| csv.flush()).map_err(|error| CliError::stdout(&error))
            }
            EventSink::Waiting(..) => Ok(()),
        }
    }

    /// Prints everything that is not printed yet.
    pub(super) fn finish(mut self) -> Result<(), CliError> {
        self.begin()?;
        match self.0 {
            EventSink::List(list) => list.finish(),
            EventSink::Waiting(..) | EventSink::Lines(..) | EventSink::Csv(_) => Ok(()),
        }
    }
}
