//! Printing events as they are recorded: each once, also across reconnections.

use crate::{
    client::{Client, WatchItem},
    proto::{UserPoolEvent, UserPoolEventType, WatchUserPoolEventsRequest},
};

use super::{
    error::CliError,
    event::{EventKind, EventLayout},
    output::{OutputFormat, print, print_note},
    text::escape,
};

/// Prints events until interrupted.
///
/// # Errors
/// The server refuses, the connection is lost before the first message, or the reader of
/// the output closed it.
pub(super) async fn follow(
    client: &Client,
    watch: WatchUserPoolEventsRequest,
    printer: EventPrinter,
) -> Result<(), CliError> {
    let mut watch = client.watch(watch).await?;
    let mut disconnected = false;
    loop {
        let item = watch.next().await?;
        if let WatchItem::Disconnected { after, status } = item {
            // One line for each loss of the connection, not for each attempt.
            if !disconnected {
                let message = escape(status.message());
                print_note(&format!("{message}; will resume after position {after}"));
            }
            disconnected = true;
            continue;
        }
        if disconnected {
            print_note("reconnected");
            disconnected = false;
        }
        match item {
            WatchItem::Event(event) => printer.print(&event)?,
            WatchItem::Checkpoint(_) | WatchItem::Disconnected { .. } => (),
        }
    }
}

/// Prints events one by one.
#[derive(Debug, Clone, Copy)]
pub(super) struct EventPrinter {
    pub(super) format: OutputFormat,
    pub(super) layout: EventLayout,
}

impl EventPrinter {
    /// Prints the heading of the columns.
    pub(super) fn print_heading(self) -> Result<(), CliError> {
        match self.format {
            OutputFormat::Table => print(&self.layout.heading()),
            OutputFormat::Json | OutputFormat::Jsonl => Ok(()),
        }
    }

    pub(super) fn print(self, event: &UserPoolEvent) -> Result<(), CliError> {
        match self.format {
            OutputFormat::Table => print(&self.layout.line(event)),
            OutputFormat::Json | OutputFormat::Jsonl => self.format.message(event),
        }
    }
}

/// Converts types for a filter.
pub(super) fn filter_types(kinds: &[EventKind]) -> Vec<i32> {
    kinds.iter().map(|kind| UserPoolEventType::from(*kind).into()).collect()
}
