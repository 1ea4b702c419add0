//! Printing events as they are recorded: each once, also across reconnections.

use std::{future::pending, io, os::fd::AsFd as _};

use tokio::{io::Interest, net::unix::pipe::Sender};

use crate::{
    client::{Client, WatchItem},
    proto::{ErrorReason, WatchUserPoolEventsRequest},
};

use super::{
    error::{CliError, has_reason},
    event_output::EventOutput,
    output::print_note,
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
    output: &mut EventOutput,
) -> Result<(), CliError> {
    tokio::select! {
        ended = print_events(client, watch, output) => ended,
        // Without this, a watch would run until it prints the next event, which may be never.
        () = stdout_closed() => Err(CliError::ClosedPipe),
    }
}

/// Waits until the reader of stdout closes it: forever if stdout is a file.
async fn stdout_closed() {
    let closed = async {
        let stdout = io::stdout().as_fd().try_clone_to_owned()?;
        // Only waits, so stdout need not be a pipe, and stays blocking. The system always
        // reports errors, and the closed end of a pipe is one.
        Sender::from_owned_fd_unchecked(stdout)?.ready(Interest::ERROR).await
    };
    if closed.await.is_err() {
        pending::<()>().await;
    }
}

async fn print_events(
    client: &Client,
    watch: WatchUserPoolEventsRequest,
    output: &mut EventOutput,
) -> Result<(), CliError> {
    let mut watch = client.watch(watch).await?;
    let mut disconnected = false;
    loop {
        let item = match watch.next().await {
            Ok(item) => item,
            // The log ends before an event that was printed.
            Err(status) if disconnected && has_reason(&status, ErrorReason::BeyondEnd) => {
                print_note(
                    "the log ends before an event that was printed: it lost its end, or is another one",
                );
                return Err(CliError::OtherLog(Box::new(status)));
            }
            Err(status) => return Err(status.into()),
        };
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
            WatchItem::Event(mut event) => {
                // A summary has it only for the watch.
                if event.payload.is_none() {
                    event.hash.clear();
                }
                output.push(&event)?;
            }
            // The watch has begun, even if there are no events yet.
            WatchItem::Checkpoint(_) => output.begin()?,
            WatchItem::Disconnected { .. } => (),
        }
    }
}
