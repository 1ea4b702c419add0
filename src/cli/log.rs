//! `userpool log …`, `read-model rebuild` and `key`: on a data directory whose
//! server is stopped. Whatever its size, what is in memory is a page of it.

use std::{
    io::{self, Write as _},
    sync::Arc,
};

use clap::Subcommand;

use crate::{
    app::Source,
    audit::{self, LogCheckpoint, TrustedCheckpoints},
    event_log::{EventLog as _, Head, OpenError, Position},
    telemetry::error_chain,
};

use super::{
    directory::Directory, error::CliError, export::Export, import::Import, outcome::Outcome,
    progress, stat,
};

/// Works on the log of a stopped server.
#[derive(Debug, Subcommand)]
pub(super) enum LogCommand {
    /// Recompute every hash, and name the first record that is not right.
    ///
    /// Exit code 0: the log is whole. 1: it is not.
    Verify {
        #[command(flatten)]
        directory: Directory,
        /// What was noted earlier: a file of signed checkpoints, or POSITION:HASH, the hash in
        /// hexadecimal. May be given more than once. Absent: the log is compared with itself.
        #[arg(long, value_name = "FILE|POSITION:HASH")]
        checkpoint: Vec<TrustedCheckpoints>,
    },
    /// Write every event with its record, one JSON document a line.
    ///
    /// An import gives back the same log, byte for byte.
    Export(Export),
    /// Make a data directory out of an export, checking every hash.
    ///
    /// A broken export is refused with the position, and leaves nothing behind.
    Import(Import),
    /// Show what is in the log: events by type, times, sizes.
    Stat {
        #[command(flatten)]
        directory: Directory,
    },
}

impl LogCommand {
    pub(super) async fn run(self, source: Arc<dyn Source>) -> Result<Outcome, CliError> {
        match self {
            Self::Verify { directory, checkpoint } => verify(&directory, checkpoint).await,
            Self::Export(export) => export.run().await,
            Self::Import(import) => import.run(source.as_ref()),
            Self::Stat { directory } => stat::run(&directory).await,
        }
    }
}

async fn verify(
    directory: &Directory,
    trusted: Vec<TrustedCheckpoints>,
) -> Result<Outcome, CliError> {
    let (_held, log) = match directory.open() {
        Err(CliError::Other(error)) if error.downcast_ref().is_some_and(OpenError::is_damage) => {
            writeln!(io::stdout(), "NOT WHOLE: {}", error_chain(error.as_ref()))?;
            return Ok(Outcome::Negative);
        }
        opened => opened?,
    };
    let end = log.head().borrow().position;
    let bar = progress::bar(end.0);
    let progress = |position: Position| bar.set_position(position.0);
    let trusted = trusted.into_iter().flat_map(|file| file.0);
    let trusted: Vec<_> = trusted.map(|LogCheckpoint { head, .. }| head).collect();
    let verification =
        audit::verify(&log, end, &trusted, &progress).await.map_err(CliError::other)?;
    bar.finish_and_clear();
    let Head { position, hash } = verification.head;
    match verification.mismatch {
        None => {
            writeln!(io::stdout(), "whole: {position} events, the last with hash {hash}")?;
            for head in trusted {
                writeln!(io::stdout(), "continues what was noted at position {}", head.position)?;
            }
            Ok(Outcome::Success)
        }
        Some(mismatch) => {
            writeln!(io::stdout(), "NOT WHOLE at {}", error_chain(&mismatch))?;
            writeln!(io::stdout(), "right up to position {position}, hash {hash}")?;
            Ok(Outcome::Negative)
        }
    }
}
