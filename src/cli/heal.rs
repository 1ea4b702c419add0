//! `userpool log heal`: giving back to a log in a database what a mirror has and the database has
//! lost.

use std::path::PathBuf;

use clap::{Args, ValueHint};

use crate::event_log::{AppendError, EventLog, Head, Position, ReadLimit, Record};

use super::{
    data_dir,
    database::{self, DatabaseArgs},
    error::CliError,
    outcome::Outcome,
    output::print,
};

#[derive(Debug, Args)]
#[command(
    after_help = "Stop the servers of the log first; those that have seen the lost records have \
                  stopped by themselves. They start again afterwards, with their data directories. \
                  Nothing is changed if the log has a record that the mirror lacks: then both went \
                  on, and one of them must be given up.\n\nExample:\n  userpool log heal --mirror \
                  mirror --log-url postgres://userpool@127.0.0.1/userpool"
)]
pub(super) struct HealCommand {
    /// Take the records from this data directory, which "userpool mirror" wrote. No mirror may be
    /// running on it.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    mirror: PathBuf,
    // Last, because its heading applies to every flag after it.
    #[command(flatten)]
    database: DatabaseArgs,
}

impl HealCommand {
    pub(super) async fn run(self) -> Result<Outcome, CliError> {
        let settings = self.database.required()?;
        let (_directory, mirror) = data_dir::open(&self.mirror)?;
        let log = database::open(settings).await?;
        // What the log shows is on a standby, and so is what is appended.
        let head = log.durable_head().await.map_err(CliError::other)?;
        let end = *mirror.head().borrow();
        if head.position > end.position {
            check_equal(end, &log).await?;
            print(&format!(
                "the log has every record of the mirror, and goes on to position {}",
                head.position
            ))?;
            return Ok(Outcome::Success);
        }
        if head.position == Position::START {
            return Err(CliError::message(
                "the log is empty; to move a log there, use userpool log export and import",
            ));
        }
        check_equal(head, &mirror).await?;
        let healed = append(&log, head, &mirror, end).await?;
        log.durable_head().await.map_err(CliError::other)?;
        print(&format!("appended {healed} records; the log ends at {end}, as the mirror does"))?;
        Ok(Outcome::Success)
    }
}

/// Checks that a log has the last record of the other one.
async fn check_equal(head: Head, log: &dyn EventLog) -> Result<(), CliError> {
    if head.position == Position::START {
        return Ok(());
    }
    let limit = ReadLimit { records: 1, bytes: 0 };
    let found = log.read_at(vec![head.position], limit).await.map_err(CliError::other)?;
    match found.first() {
        Some(record) if record.hash == head.hash => Ok(()),
        found => {
            let found = found.map(|record| record.hash.to_string()).unwrap_or_default();
            Err(CliError::message(format!(
                "the log and the mirror have different records at position {}: {} and {found}; both \
                 went on, so nothing is changed",
                head.position, head.hash
            )))
        }
    }
}

/// Appends the batches of the mirror after `head`, and returns how many records they have.
async fn append(
    log: &dyn EventLog,
    mut head: Head,
    mirror: &dyn EventLog,
    end: Head,
) -> Result<u64, CliError> {
    let first = head.position;
    let mut batch: Vec<Record> = Vec::new();
    let mut read = head.position;
    while read < end.position {
        let page = mirror.read(read, ReadLimit::PAGE).await.map_err(CliError::other)?;
        read = page.last().map_or(end.position, |record| record.position);
        for record in page {
            batch.push(record);
            let Some(last) = batch.last().filter(|record| record.is_last_in_batch()) else {
                continue;
            };
            let next = last.head();
            let bodies: Vec<_> = batch.iter().map(|record| record.body.clone()).collect();
            // Before they are written, because nothing can be removed from the log.
            if Record::chain(head, bodies.clone()) != batch {
                return Err(CliError::message(format!(
                    "the records of the mirror after position {} do not continue the log, so they are \
                     not appended; verify the mirror with userpool log verify",
                    head.position
                )));
            }
            log.append(head, bodies).await.map_err(refused)?;
            head = next;
            batch.clear();
        }
    }
    Ok(head.position.0.saturating_sub(first.0))
}

fn refused(error: AppendError) -> CliError {
    match error {
        AppendError::Conflict { .. } => CliError::message(
            "another server has recorded an event meanwhile; stop every server, and run this again",
        ),
        AppendError::Unknown(_) => CliError::message(
            "the database did not answer, so the last batch may or may not have been appended; run \
             this again",
        ),
        error @ (AppendError::NotAppended(_) | AppendError::Forked(_)) => CliError::other(error),
    }
}
