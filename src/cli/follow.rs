//! Following events: each is printed once, whatever happens to the connection.

use crate::{
    client::{Client, WatchItem},
    proto::{UserPoolEvent, UserPoolEventType, WatchUserPoolEventsRequest},
};

use super::{
    error::CliError,
    event::{Kind, Lines},
    output::{Format, print, say},
    text::printable,
};

/// Prints events until interrupted.
///
/// # Errors
/// The server refuses, is lost before it told anything, or nobody reads the output any
/// more.
pub(super) async fn follow(
    client: &Client,
    watch: WatchUserPoolEventsRequest,
    printer: Printer,
) -> Result<(), CliError> {
    let mut watch = client.watch(watch).await?;
    let mut lost = false;
    loop {
        let told = watch.next().await?;
        if let WatchItem::Disconnected { after, status } = told {
            // Once until it is there again.
            if !lost {
                let message = printable(status.message());
                say(&format!("{message}; going on after position {after} when I can"));
            }
            lost = true;
            continue;
        }
        if lost {
            say("connected again");
            lost = false;
        }
        match told {
            WatchItem::Event(event) => printer.print(&event)?,
            WatchItem::Checkpoint(_) | WatchItem::Disconnected { .. } => (),
        }
    }
}

/// Prints events as they come.
#[derive(Debug, Clone, Copy)]
pub(super) struct Printer {
    pub(super) format: Format,
    pub(super) lines: Lines,
}

impl Printer {
    /// What stands above the events.
    pub(super) fn heading(self) -> Result<(), CliError> {
        match self.format {
            Format::Table => print(&self.lines.heading()),
            Format::Json | Format::Jsonl => Ok(()),
        }
    }

    pub(super) fn print(self, event: &UserPoolEvent) -> Result<(), CliError> {
        match self.format {
            Format::Table => print(&self.lines.line(event)),
            Format::Json | Format::Jsonl => self.format.message(event),
        }
    }
}

/// Types as filters have them.
pub(super) fn types(kinds: &[Kind]) -> Vec<i32> {
    kinds.iter().map(|kind| UserPoolEventType::from(*kind).into()).collect()
}
