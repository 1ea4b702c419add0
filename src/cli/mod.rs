//! The command line.

mod change;
mod checkpoint;
mod completions;
mod connection;
mod document;
mod domain;
mod event;
mod export;
mod failure;
mod follow;
mod health;
mod history;
mod import;
mod listing;
mod offline;
mod output;
mod point;
mod progress;
mod proof;
mod replay;
mod security;
mod serve;
mod settings;
mod stat;
mod user_pools;
mod verify;
mod watch;

use std::{error::Error, io, process::ExitCode, sync::Arc};

use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand};
use tonic::Status;

use crate::{
    app::Source,
    audit::{ExportError, ImportError},
    server::ServerError,
};

use self::{
    checkpoint::Checkpoint,
    completions::Completions,
    domain::Domain,
    health::Health,
    history::History,
    offline::{Directory, LogCommand, ReadModelCommand},
    replay::{Diff, Replay},
    serve::Serve,
    settings::Settings,
    user_pools::{Create, Delete, Describe, ListPools, Update},
    verify::Verify,
    watch::Watch,
};

/// An event-sourced gRPC control plane for Cognito-style user pools.
#[derive(Debug, Parser)]
#[command(version, propagate_version = true)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
    /// Of the server, where that is the command.
    #[arg(skip)]
    settings: Settings,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve the API until SIGTERM or SIGINT.
    Serve(Box<Serve>),
    /// Create a user pool.
    Create(Box<Create>),
    /// Show a user pool as it is now.
    Describe(Box<Describe>),
    /// Change the settings of a user pool.
    Update(Box<Update>),
    /// Delete a user pool; its history is kept.
    Delete(Box<Delete>),
    /// List user pools, oldest first.
    List(Box<ListPools>),
    /// Domain prefixes: create, describe, delete, list.
    #[command(subcommand)]
    Domain(Box<Domain>),
    /// Show what happened to a user pool: when, whose doing, what changed.
    History(Box<History>),
    /// Show a user pool as it was.
    Replay(Box<Replay>),
    /// Show what differs between two points in the history of a user pool.
    Diff(Box<Diff>),
    /// Print events as they are recorded, until interrupted; connects again when it must.
    Watch(Box<Watch>),
    /// Prove that the history is whole: every hash is computed here, the server is not believed.
    Verify(Box<Verify>),
    /// Print a signed checkpoint: what to note, to prove later that history was not rewritten.
    Checkpoint(Box<Checkpoint>),
    /// Ask whether the server serves: for probes.
    Health(Box<Health>),
    /// Check, export, import or measure a log whose server is stopped; export also from one that runs.
    #[command(subcommand)]
    Log(LogCommand),
    /// Work on the read model of a stopped server.
    #[command(subcommand)]
    ReadModel(ReadModelCommand),
    /// Print the public key that checkpoints are checked with, in PEM.
    Key(Directory),
    /// Print the completions of a shell.
    Completions(Completions),
}

/// 128 and the number of SIGPIPE.
const CLOSED_PIPE: u8 = 141;

/// What a command that did its work found out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// It is so: exit code 0.
    Yes,
    /// It is not: exit code 1. The command has said why.
    No,
}

/// Why a command could not do its work.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// The server refused: exit code 64 and the gRPC code.
    #[error("{}", failure::explain(.0))]
    Rpc(Box<Status>),
    /// Nobody reads what is printed any more: not a word, and exit code 141, as of a
    /// program that SIGPIPE ended. It must not pass for an answer.
    #[error("the output is closed")]
    ClosedPipe,
    /// Anything else: exit code 1.
    #[error(transparent)]
    Other(Box<dyn Error>),
}

impl Cli {
    /// The command line of this process, with the settings file that it names. Ends the
    /// process where the command line is wrong.
    ///
    /// # Errors
    /// The settings file cannot be used.
    pub fn read() -> Result<Self, CliError> {
        let (matches, settings) = settings::read(&Self::command())?;
        let cli = Self::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
        Ok(Self { settings, ..cli })
    }

    /// Runs the command.
    ///
    /// # Errors
    /// Whatever kept it from doing what it was asked to.
    pub async fn run(self, source: Arc<dyn Source>) -> Result<Answer, CliError> {
        match self.command {
            Command::Serve(serve) => serve.run(&self.settings, source).await,
            Command::Create(create) => create.run().await,
            Command::Describe(describe) => describe.run().await,
            Command::Update(update) => update.run().await,
            Command::Delete(delete) => delete.run().await,
            Command::List(list) => list.run().await,
            Command::Domain(domain) => domain.run().await,
            Command::History(history) => history.run(source).await,
            Command::Replay(replay) => replay.run(source).await,
            Command::Diff(diff) => diff.run(source).await,
            Command::Watch(watch) => watch.run().await,
            Command::Verify(verify) => verify.run().await,
            Command::Checkpoint(checkpoint) => checkpoint.run().await,
            Command::Health(health) => health.run().await,
            Command::Log(command) => command.run(source).await,
            Command::ReadModel(command) => command.run().await,
            Command::Key(directory) => directory.print_key(),
            Command::Completions(completions) => completions.run(),
        }
    }
}

impl Answer {
    /// What the process says of it.
    #[must_use]
    pub fn exit_code(self) -> ExitCode {
        match self {
            Self::Yes => ExitCode::SUCCESS,
            Self::No => ExitCode::FAILURE,
        }
    }
}

impl CliError {
    /// What the process says of it: 64 and the gRPC code, as grpcurl does, or 1.
    #[must_use]
    pub fn exit_code(&self) -> ExitCode {
        match self {
            Self::Rpc(status) => u8::try_from(i32::from(status.code()))
                .map_or(ExitCode::FAILURE, |code| ExitCode::from(code.saturating_add(64))),
            Self::ClosedPipe => ExitCode::from(CLOSED_PIPE),
            Self::Other(_) => ExitCode::FAILURE,
        }
    }
}

impl From<Status> for CliError {
    fn from(status: Status) -> Self {
        Self::Rpc(Box::new(status))
    }
}

impl From<io::Error> for CliError {
    fn from(error: io::Error) -> Self {
        let closed = error.kind() == io::ErrorKind::BrokenPipe;
        if closed { Self::ClosedPipe } else { Self::Other(error.into()) }
    }
}

impl From<ServerError> for CliError {
    fn from(error: ServerError) -> Self {
        Self::Other(error.into())
    }
}

impl From<ExportError> for CliError {
    fn from(error: ExportError) -> Self {
        match error {
            ExportError::Io(error) => error.into(),
            ExportError::Mismatch(mismatch) => Self::Other(mismatch.into()),
        }
    }
}

impl From<ImportError> for CliError {
    fn from(error: ImportError) -> Self {
        Self::Other(error.into())
    }
}

impl From<Box<dyn Error>> for CliError {
    fn from(error: Box<dyn Error>) -> Self {
        Self::Other(error)
    }
}
