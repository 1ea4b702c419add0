//! `userpool log …`, `read-model rebuild` and `key`: on a data directory whose
//! server is stopped. Whatever its size, what is in memory is a page of it.

use std::{
    io::{self, Write as _},
    path::PathBuf,
    sync::Arc,
};

use clap::{Args, Subcommand};

use crate::{
    app::{self, Source},
    audit::{self, LogCheckpoint, TrustedCheckpoints, checkpoint::Signer},
    event_log::{EventLog as _, Head, OpenError, Position, SledLog},
    server::data_dir::{self, DataDir},
    telemetry::error_chain,
};

use super::{Answer, CliError, export::Export, failure::other, import::Import, progress, stat};

/// Where the data is.
#[derive(Debug, Args)]
pub(super) struct Directory {
    /// The data directory. No server may be using it.
    #[arg(long, env = "USERPOOL_DATA_DIR", value_name = "DIR", default_value = "./data")]
    data_dir: PathBuf,
}

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

/// Works on the read model of a stopped server.
#[derive(Debug, Subcommand)]
pub(super) enum ReadModelCommand {
    /// Throw the read model away and project the log anew.
    Rebuild {
        #[command(flatten)]
        directory: Directory,
    },
}

impl LogCommand {
    pub(super) async fn run(self, source: Arc<dyn Source>) -> Result<Answer, CliError> {
        match self {
            Self::Verify { directory, checkpoint } => verify(&directory, checkpoint).await,
            Self::Export(export) => export.run().await,
            Self::Import(import) => import.run(source.as_ref()),
            Self::Stat { directory } => stat::run(&directory.open()?.1, &directory.data_dir).await,
        }
    }
}

impl ReadModelCommand {
    pub(super) async fn run(self) -> Result<Answer, CliError> {
        let Self::Rebuild { directory } = self;
        let (directory, log) = directory.open()?;
        let bar = progress::bar(log.head().borrow().position.0);
        let progress = |position: Position| bar.set_position(position.0);
        app::rebuild(&log, &directory.read_model(), app::CACHE, &progress).await.map_err(other)?;
        bar.finish_and_clear();
        let Head { position, hash } = *log.head().borrow();
        writeln!(
            io::stdout(),
            "rebuilt {} up to position {position}, hash {hash}",
            directory.read_model().display()
        )?;
        Ok(Answer::Yes)
    }
}

impl Directory {
    /// Takes hold of the directory and opens its log.
    pub(super) fn open(&self) -> Result<(DataDir, SledLog), CliError> {
        let held = DataDir::open_existing(&self.data_dir).map_err(other)?;
        let log = SledLog::open(&held.log()).map_err(other)?;
        Ok((held, log))
    }

    /// Prints the public key that checkpoints of this directory are checked with.
    pub(super) fn print_key(&self) -> Result<Answer, CliError> {
        let held = DataDir::open_existing(&self.data_dir).map_err(other)?;
        let key = data_dir::signing_key(&self.data_dir);
        let signer = Signer::open(&key, &data_dir::checkpoints(&self.data_dir)).map_err(other)?;
        drop(held);
        write!(io::stdout(), "{}", signer.public_key_pem())?;
        Ok(Answer::Yes)
    }
}

async fn verify(
    directory: &Directory,
    trusted: Vec<TrustedCheckpoints>,
) -> Result<Answer, CliError> {
    let (_held, log) = match directory.open() {
        Err(CliError::Other(error)) if error.downcast_ref().is_some_and(OpenError::is_damage) => {
            writeln!(io::stdout(), "NOT WHOLE: {}", error_chain(error.as_ref()))?;
            return Ok(Answer::No);
        }
        opened => opened?,
    };
    let end = log.head().borrow().position;
    let bar = progress::bar(end.0);
    let progress = |position: Position| bar.set_position(position.0);
    let trusted = trusted.into_iter().flat_map(|file| file.0);
    let trusted: Vec<_> = trusted.map(|LogCheckpoint { head, .. }| head).collect();
    let verification = audit::verify(&log, end, &trusted, &progress).await.map_err(other)?;
    bar.finish_and_clear();
    let Head { position, hash } = verification.head;
    match verification.mismatch {
        None => {
            writeln!(io::stdout(), "whole: {position} events, the last with hash {hash}")?;
            for head in trusted {
                writeln!(io::stdout(), "continues what was noted at position {}", head.position)?;
            }
            Ok(Answer::Yes)
        }
        Some(mismatch) => {
            writeln!(io::stdout(), "NOT WHOLE at {}", error_chain(&mismatch))?;
            writeln!(io::stdout(), "right up to position {position}, hash {hash}")?;
            Ok(Answer::No)
        }
    }
}
