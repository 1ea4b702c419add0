//! `userpool mirror`: a copy of the log of a running server, in a data directory, that follows it.

use std::path::PathBuf;

use clap::{Args, ValueHint};
use tonic::Status;

use crate::{
    app::Source,
    client::{Client, WatchItem},
    event_log::{EventLog as _, Head, Position, Record, SledLog},
    proto::{
        DescribeLogRequest, ErrorReason, EventView, UserPoolEvent, WatchUserPoolEventsRequest,
        watch_user_pool_events_request::Start,
    },
    server::data_dir::DataDir,
    transport::Endpoint,
};

use super::{
    connection::AccessArgs,
    data_dir::open_log,
    error::{CliError, has_reason},
    os_argument,
    outcome::Outcome,
    output::{print, print_note},
    text::escape,
};

/// How many records are written at once, at least, while the copy catches up.
const PAGE_RECORDS: usize = 1024;

#[derive(Debug, Args)]
#[command(
    after_help = "The copy goes on where it ended. Never serve it: its log would go on differently. \
                  \"userpool log verify\" verifies it, \"userpool log export\" exports it, and \
                  \"userpool log heal\" gives back to a database what that has lost.\n\nExit code 3: \
                  the log of the server does not continue the copy.\n\nExample:\n  userpool mirror \
                  --from 127.0.0.1:50051 --data-dir mirror"
)]
pub(super) struct MirrorCommand {
    /// Copy the log of this server: HOST:PORT or unix:PATH.
    #[arg(long, value_name = "ENDPOINT", value_parser = os_argument::endpoint())]
    from: Endpoint,
    /// Keep the copy in this data directory, which is created if it does not exist. No server may
    /// be using it.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    data_dir: PathBuf,
    /// End when the copy has every event that was recorded before, instead of following the log.
    #[arg(long)]
    once: bool,
    // Last, because its heading applies to every argument after it.
    #[command(flatten)]
    access: AccessArgs,
}

impl MirrorCommand {
    pub(super) async fn run(self, source: &dyn Source) -> Result<Outcome, CliError> {
        let Self { from, data_dir, once, access } = self;
        let client = access.connect(from).await?;
        let region = client.describe_log(DescribeLogRequest::default()).await?.region;
        let directory = DataDir::open(&data_dir, &region, source.now()).map_err(CliError::other)?;
        let log = open_log(&directory)?;
        let mut mirror = Mirror { log, pending: Vec::new(), is_current: false };
        mirror.follow(&client, once).await?;
        let Head { position, hash } = *mirror.log.head().borrow();
        print(&format!("the copy has {position} events, head hash {hash}"))?;
        Ok(Outcome::Success)
    }
}

/// A copy, and the records that it gets next: batches are written whole, as they were recorded.
struct Mirror {
    log: SledLog,
    pending: Vec<Record>,
    /// Whether it has every event that was recorded before.
    is_current: bool,
}

impl Mirror {
    async fn follow(&mut self, client: &Client, once: bool) -> Result<(), CliError> {
        let head = *self.log.head().borrow();
        let mut watch = client.watch(request(head)).await.map_err(refused)?;
        while !(once && self.is_current) {
            match watch.next().await.map_err(refused)? {
                WatchItem::Event(event) => self.push(*event)?,
                WatchItem::Checkpoint(checkpoint) => {
                    self.is_current |= checkpoint.caught_up;
                    self.write()?;
                }
                WatchItem::Disconnected { after, status } => {
                    let message = escape(status.message());
                    print_note(&format!("{message}; will resume after position {after}"));
                }
            }
        }
        Ok(())
    }

    fn push(&mut self, event: UserPoolEvent) -> Result<(), CliError> {
        let position = event.position;
        let stored = event.record.ok_or_else(|| {
            CliError::message(format!("the server sent no record for position {position}"))
        })?;
        let record = Record::parse(stored).map_err(|defect| {
            CliError::message(format!("the record for position {position} is wrong: {defect}"))
        })?;
        self.pending.push(record);
        if self.is_current || self.pending.len() >= PAGE_RECORDS {
            self.write()?;
        }
        Ok(())
    }

    /// Writes the pending batches that are complete.
    fn write(&mut self) -> Result<(), CliError> {
        let last = self.pending.iter().rposition(Record::is_last_in_batch);
        let whole = last.map_or(0, |last| last + 1);
        let rest = self.pending.split_off(whole);
        let whole = std::mem::replace(&mut self.pending, rest);
        self.log.restore(&whole).map_err(CliError::other)
    }
}

/// The error if the server refuses to go on after the copy.
fn refused(status: Status) -> CliError {
    if has_reason(&status, ErrorReason::BeyondEnd) {
        print_note(
            "the log that the server shows ends before the copy: it lost its end, is another one, or \
             is that of a former primary",
        );
        return CliError::OtherLog(Box::new(status));
    }
    status.into()
}

/// Every record after `head`, which the log of the server must have.
fn request(head: Head) -> WatchUserPoolEventsRequest {
    let is_new = head.position == Position::START;
    WatchUserPoolEventsRequest {
        start: Some(Start::AfterPosition(head.position.to_int())),
        after_hash: if is_new { Vec::new() } else { head.hash.0.to_vec() },
        include_records: true,
        view: EventView::Full.into(),
        ..WatchUserPoolEventsRequest::default()
    }
}
