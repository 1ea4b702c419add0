//! The command line.

mod change;
mod checkpoint;
mod completions;
mod connection;
mod diff;
mod directory;
mod document;
mod domain;
mod error;
mod event;
mod export;
mod follow;
mod health;
mod history;
mod import;
mod listing;
mod log;
mod outcome;
mod output;
mod point;
mod progress;
mod proof;
mod read_model;
mod replay;
mod security;
mod serve;
mod settings;
mod stat;
mod table;
mod text;
mod user_pools;
mod verify;
mod watch;

use std::sync::Arc;

use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand};

use crate::app::Source;

use self::{
    checkpoint::Checkpoint,
    completions::Completions,
    diff::Diff,
    directory::Directory,
    domain::Domain,
    health::Health,
    history::History,
    log::LogCommand,
    read_model::ReadModelCommand,
    replay::Replay,
    serve::Serve,
    settings::Settings,
    user_pools::{Create, Delete, Describe, ListPools, Update},
    verify::Verify,
    watch::Watch,
};
pub use self::{error::CliError, outcome::Outcome};

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
    pub async fn run(self, source: Arc<dyn Source>) -> Result<Outcome, CliError> {
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
            Command::Completions(completions) => completions.run(Self::command()),
        }
    }
}
