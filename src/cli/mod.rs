//! The command line: the root of its arguments, and the dispatch of its commands.

mod attribute;
mod audit_file;
mod cell;
mod checkpoint;
mod completions;
mod compression;
mod confirmation;
mod connection;
mod consistency;
mod console;
mod context;
mod contexts;
mod csv;
mod data_dir;
mod database;
mod diff;
mod document;
mod domain;
mod error;
mod event;
mod event_count;
mod event_filter;
mod event_list;
mod event_output;
mod events;
mod export;
mod export_file;
mod export_range;
mod file_verification;
mod follow;
mod heal;
mod health;
mod history;
mod import;
mod init;
mod key;
mod list;
mod listing;
mod log;
mod log_checkpoints;
mod man;
mod mask;
mod mfa;
mod mirror;
mod mutation;
mod os_argument;
mod outcome;
mod output;
mod pages;
mod positive;
mod progress;
mod proof;
mod proof_verification;
mod proto;
mod read_model;
mod remote_verification;
mod replay;
mod replica;
mod replicas;
mod report;
mod restore;
mod security;
mod serve;
mod settings;
mod stat;
mod status;
mod stop_signals;
mod table;
mod tag;
mod terminal;
mod text;
mod tiles;
mod update;
mod user_pools;
mod verify;
mod watch;
mod witness;
mod zstd;

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, SecondsFormat};
use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand};
use tokio::runtime::Runtime;

use crate::app::Source;

use self::{
    attribute::AttributeCommand,
    checkpoint::CheckpointCommand,
    completions::CompletionsCommand,
    consistency::ConsistencyCommand,
    console::ConsoleCommand,
    context::ContextCommand,
    contexts::Applied,
    diff::DiffCommand,
    domain::DomainCommand,
    events::EventsCommand,
    health::HealthCommand,
    history::HistoryCommand,
    key::KeyCommand,
    list::ListCommand,
    log::LogCommand,
    man::ManCommand,
    mfa::MfaCommand,
    mirror::MirrorCommand,
    output::{print, print_note},
    proof::ProofCommand,
    proto::ProtoCommand,
    read_model::ReadModelCommand,
    replay::ReplayCommand,
    replicas::ReplicasCommand,
    restore::RestoreCommand,
    serve::ServeCommand,
    settings::Settings,
    status::StatusCommand,
    tag::TagCommand,
    tiles::TilesCommand,
    update::UpdateCommand,
    user_pools::{CreateCommand, DeleteCommand, DescribeCommand},
    verify::VerifyCommand,
    watch::WatchCommand,
    witness::WitnessCommand,
};
pub use self::{error::CliError, outcome::Outcome};

/// How long threads that wait for the disk may delay the end of the process.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(1);

/// An event-sourced gRPC control plane for Cognito-style user pools.
#[derive(Debug, Parser)]
#[command(version, propagate_version = true)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
    /// The settings of the server, for the command that starts it.
    #[arg(skip)]
    settings: Settings,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve the API until SIGTERM or SIGINT.
    Serve(Box<ServeCommand>),
    /// Create a user pool.
    Create(Box<CreateCommand>),
    /// Show the current state of a user pool.
    Describe(Box<DescribeCommand>),
    /// Change the settings of a user pool.
    Update(Box<UpdateCommand>),
    /// Delete a user pool; its history is kept, and restore brings it back.
    Delete(Box<DeleteCommand>),
    /// List user pools in the order of their creation, or find some of them.
    List(Box<ListCommand>),
    /// Create, describe, update, delete or list domains.
    #[command(subcommand)]
    Domain(Box<DomainCommand>),
    /// Set, remove or list tags of a user pool.
    #[command(subcommand)]
    Tag(Box<TagCommand>),
    /// Show or set how users of a user pool authenticate with several factors.
    #[command(subcommand)]
    Mfa(Box<MfaCommand>),
    /// Add custom attributes to the schema of a user pool.
    #[command(subcommand)]
    Attribute(Box<AttributeCommand>),
    /// Show what changed, in all user pools: time, user pool, type, actor, change.
    Events(Box<EventsCommand>),
    /// Show the events of a user pool: time, type, actor, change.
    History(Box<HistoryCommand>),
    /// Show a past state of a user pool.
    Replay(Box<ReplayCommand>),
    /// Show the differences between two points in the history of a user pool.
    Diff(Box<DiffCommand>),
    /// Set a user pool back to what it was; a deleted one comes back under its ID.
    Restore(Box<RestoreCommand>),
    /// Print events as they are recorded, until interrupted; reconnects if the connection is lost.
    Watch(Box<WatchCommand>),
    /// Verify the history of a server, or exports, without trusting them: every hash is computed
    /// locally.
    Verify(Box<VerifyCommand>),
    /// Print a signed checkpoint, to prove later that history was not rewritten.
    Checkpoint(Box<CheckpointCommand>),
    /// Prove that the log only grew since a checkpoint, without reading its events.
    Consistency(Box<ConsistencyCommand>),
    /// Prove that an event is in the log, in a file that anyone can verify without a server.
    Proof(Box<ProofCommand>),
    /// Cosign the checkpoints of other servers, each only if it continues the one before.
    Witness(Box<WitnessCommand>),
    /// Write the Merkle tree of the log as files, which a web server can serve to mirrors and public
    /// tools.
    Tiles(Box<TilesCommand>),
    /// Check whether the server is serving; for probes.
    Health(Box<HealthCommand>),
    /// Show the log ID, the head of the log, and the version of a server.
    Status(Box<StatusCommand>),
    /// Copy the log of a server into a data directory, and follow it.
    Mirror(Box<MirrorCommand>),
    /// Show the servers that share a log in a database: versions, positions, when they were seen.
    Replicas(Box<ReplicasCommand>),
    /// Verify, export, import or measure the log of a stopped server; export works on a running one too.
    #[command(subcommand)]
    Log(LogCommand),
    /// Rebuild the read model of a stopped server.
    #[command(subcommand)]
    ReadModel(ReadModelCommand),
    /// Manage contexts: saved connections to servers.
    #[command(subcommand)]
    Context(ContextCommand),
    /// Print the public key of a data directory, which verifies its checkpoints, in PEM.
    Key(KeyCommand),
    /// Look at user pools, their history and the log in a browser.
    Console(ConsoleCommand),
    /// Write the proto files of the API, for code generators.
    Proto(ProtoCommand),
    /// Print the completion script for a shell.
    Completions(CompletionsCommand),
    /// Write the man pages of all commands, for packages.
    Man(ManCommand),
}

impl Cli {
    /// Reads the command line of this process and the settings file that it names. If the
    /// command line asks for help or the version, or a shell for completions, prints them and
    /// returns nothing.
    ///
    /// # Errors
    /// The command line or the settings file is invalid, or stdout cannot be written.
    pub fn read() -> Result<Option<Self>, CliError> {
        if completions::complete(Self::command)? {
            return Ok(None);
        }
        let read = settings::read(&Self::command()).and_then(|(mut matches, settings)| {
            if let Some(Applied { command, note }) = contexts::apply(&Self::command(), &matches)? {
                matches = command.try_get_matches()?;
                if let Some(note) = note {
                    print_note(&note);
                }
            }
            let cli = Self::from_arg_matches(&matches)?;
            Ok(Self { settings, ..cli })
        });
        match read {
            Err(CliError::Usage(text)) if !text.use_stderr() => {
                print(text.render().ansi().to_string().trim_end())?;
                Ok(None)
            }
            cli => cli.map(Some),
        }
    }

    /// Runs the command, on a runtime that it makes.
    ///
    /// # Errors
    /// See [`CliError`].
    ///
    /// # Panics
    /// In a runtime of Tokio.
    pub fn run(self, source: Arc<dyn Source>) -> Result<Outcome, CliError> {
        let now = source.now();
        // Neither identifiers nor certificates have times before it.
        if now < DateTime::UNIX_EPOCH {
            let now = now.to_rfc3339_opts(SecondsFormat::Secs, true);
            return Err(CliError::message(format!(
                "the clock of this machine shows {now}, which is before 1970: set the clock first"
            )));
        }
        let runtime = Runtime::new()?;
        let result = runtime.block_on(self.dispatch(source));
        // A disk that does not respond must not delay the error message.
        runtime.shutdown_timeout(SHUTDOWN_TIMEOUT);
        result
    }

    async fn dispatch(self, source: Arc<dyn Source>) -> Result<Outcome, CliError> {
        match self.command {
            Command::Serve(serve) => serve.run(&self.settings, source).await,
            Command::Create(create) => create.run().await,
            Command::Describe(describe) => describe.run().await,
            Command::Update(update) => Box::pin(update.run()).await,
            Command::Delete(delete) => delete.run().await,
            Command::List(list) => list.run().await,
            Command::Domain(domain) => domain.run().await,
            Command::Tag(tag) => tag.run().await,
            Command::Mfa(mfa) => mfa.run().await,
            Command::Attribute(attribute) => attribute.run().await,
            Command::Events(events) => events.run(source).await,
            Command::History(history) => history.run(source).await,
            Command::Replay(replay) => replay.run(source).await,
            Command::Diff(diff) => diff.run(source).await,
            Command::Restore(restore) => restore.run(source).await,
            Command::Watch(watch) => watch.run().await,
            Command::Verify(verify) => verify.run().await,
            Command::Checkpoint(checkpoint) => checkpoint.run().await,
            Command::Consistency(consistency) => consistency.run().await,
            Command::Proof(proof) => proof.run().await,
            Command::Tiles(tiles) => tiles.run().await,
            Command::Witness(witness) => witness.run(source).await,
            Command::Health(health) => health.run().await,
            Command::Status(status) => status.run().await,
            Command::Mirror(mirror) => mirror.run(source.as_ref()).await,
            Command::Replicas(replicas) => replicas.run().await,
            Command::Log(command) => command.run(source).await,
            Command::ReadModel(command) => command.run().await,
            Command::Context(command) => command.run(),
            Command::Key(key) => key.run(),
            Command::Console(console) => console.run(source).await,
            Command::Proto(proto) => proto.run(),
            Command::Completions(completions) => completions.run(),
            Command::Man(man) => man.run(Self::command()),
        }
    }
}
