//! Following events over whatever happens to the connection: after the last
//! position, so that no event is missed and none is printed twice.

use std::{error::Error as _, time::Duration};

use tokio::time;
use tonic::{Code, Status};

use crate::proto::{
    UserPoolEvent, UserPoolEventType, WatchUserPoolEventsRequest,
    watch_user_pool_events_request::Start, watch_user_pool_events_response::Content,
};

use super::{
    CliError,
    connection::{Client, Connection},
    event::{Kind, Lines},
    output::{Format, print, printable, say},
};

/// How long to wait before the first attempt to connect again; doubled for each one
/// after it.
const PAUSE: Duration = Duration::from_millis(250);
/// And this is the longest wait.
const LONGEST_PAUSE: Duration = Duration::from_secs(8);

/// Prints events until interrupted.
///
/// # Errors
/// The server refuses, was never there, or nobody reads the output any more.
pub(super) async fn follow(
    connection: &Connection,
    client: Client,
    mut watch: WatchUserPoolEventsRequest,
    printer: Printer,
) -> Result<(), CliError> {
    // Until it has told a position, there is nothing to resume after.
    let mut begun = false;
    let mut client = Some(client);
    let mut pause = PAUSE;
    loop {
        let ended = match client.take() {
            Some(client) => {
                let follow = Follow { watch: &mut watch, begun: &mut begun, pause: &mut pause };
                follow.until_lost(&client, printer).await
            }
            None => match connection.connect().await {
                Ok(connected) => {
                    client = Some(connected);
                    continue;
                }
                Err(error) => Err(error),
            },
        };
        match ended {
            Ok(()) => (),
            Err(CliError::Rpc(status)) if begun && is_lost(&status) => {
                // Once for each time that it is lost.
                if pause == PAUSE {
                    let after = match watch.start {
                        Some(Start::AfterPosition(position)) => position,
                        None => 0,
                    };
                    let message = match status.source() {
                        None => printable(status.message()),
                        Some(_) => "the connection was lost".to_owned(),
                    };
                    say(&format!("{message}; going on after position {after} when I can"));
                }
            }
            Err(error) => return Err(error),
        }
        time::sleep(pause).await;
        pause = pause.saturating_mul(2).min(LONGEST_PAUSE);
    }
}

struct Follow<'a> {
    watch: &'a mut WatchUserPoolEventsRequest,
    begun: &'a mut bool,
    pause: &'a mut Duration,
}

impl Follow<'_> {
    async fn until_lost(self, client: &Client, printer: Printer) -> Result<(), CliError> {
        let request = self.watch.clone();
        let mut history = client.history();
        let mut events = client.answer(history.watch_user_pool_events(request)).await?;
        while let Some(sent) = events.message().await? {
            let position = match sent.content {
                Some(Content::Event(event)) => {
                    printer.print(&event)?;
                    event.position
                }
                Some(Content::Checkpoint(checkpoint)) => checkpoint.position,
                None => continue,
            };
            self.watch.start = Some(Start::AfterPosition(position));
            if *self.pause != PAUSE {
                say("connected again");
            }
            (*self.begun, *self.pause) = (true, PAUSE);
        }
        Ok(())
    }
}

/// Whether the server has gone and may come back: it says so, or it says nothing
/// and the transport has a reason of its own.
fn is_lost(status: &Status) -> bool {
    status.code() == Code::Unavailable || status.source().is_some()
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
