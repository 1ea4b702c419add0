//! `userpool log`: working on the log of a stopped server. A log of any size is read page
//! by page.

use std::sync::Arc;

use clap::{Subcommand, ValueHint};

use crate::{
    app::{self, Comparison, LoadError, Source},
    audit::{self, LogCheckpoint, PublicKey, Trust, TrustedCheckpoints, Verification, checkpoint},
    event_log::{EventLog, Head, OpenError, Position, PostgresSettings, SledLog, upgrade_log},
    server::data_dir::DataDir,
    telemetry::error_chain,
};

use super::{
    data_dir::DataDirArgs,
    database::{self, DatabaseArgs},
    error::CliError,
    export::ExportCommand,
    heal::HealCommand,
    import::ImportCommand,
    init::InitCommand,
    log_checkpoints::CheckpointsCommand,
    os_argument::{self, LogKeyArgs},
    outcome::Outcome,
    output::print,
    progress,
    report::{key_of, unverified},
    stat,
};

/// Work on the log of a stopped server.
#[derive(Debug, Subcommand)]
pub(super) enum LogCommand {
    /// Create a log in a PostgreSQL database, with its tables, and print the rights that the role
    /// of the server needs.
    Init(Box<InitCommand>),
    /// Verify the log: recompute every hash, check that each event can follow the events before
    /// it, and report the first invalid record. Then compare the read model with the log.
    ///
    /// Builds a second read model beside the first one, and deletes it. The read model is compared
    /// only if the log is in the data directory; servers may be using a log in a database.
    ///
    /// Exit code: 0 if the log is valid and the read model is equal or missing, 2 if a given
    /// checkpoint is wrong, 1 otherwise.
    Verify {
        #[command(flatten)]
        directory: DataDirArgs,
        /// Compare the log with a trusted checkpoint: a file of signed checkpoints, or
        /// POSITION:HASH with the hash in hexadecimal or base64. Can be repeated. If omitted, the
        /// log is checked only against itself.
        #[arg(long, value_name = "CHECKPOINT", value_parser = os_argument::checkpoints(), value_hint = ValueHint::FilePath)]
        checkpoint: Vec<TrustedCheckpoints>,
        #[command(flatten)]
        key: LogKeyArgs,
        #[command(flatten)]
        database: Box<DatabaseArgs>,
    },
    /// Export every event, or those of a range, with their records, one JSON document per line.
    ///
    /// Importing a file with every event restores the same log, byte for byte.
    Export(Box<ExportCommand>),
    /// Import an export, or consecutive exports, into a new data directory and verify every record.
    ///
    /// An invalid export is refused with the position of the first mismatch, and nothing is left
    /// behind.
    Import(Box<ImportCommand>),
    /// Append to a log in a database what a mirror has and the database has lost.
    Heal(Box<HealCommand>),
    /// Print the checkpoints that the servers of a log in a database have signed, oldest first, as
    /// JSON, one per line.
    ///
    /// An administrator of the database can remove records and these checkpoints together. So compare
    /// the log with checkpoints that are kept elsewhere, too. A checkpoint that was cosigned later is
    /// printed again with the cosignatures.
    Checkpoints(Box<CheckpointsCommand>),
    /// Require that every server of a log in a database can read the newest form of records, so
    /// that they may write it.
    ///
    /// Run it after every server was upgraded, if the notes of the version say so. It is refused
    /// while a server runs that cannot read that form. Older versions cannot use the log afterwards.
    Upgrade {
        #[command(flatten)]
        database: Box<DatabaseArgs>,
    },
    /// Show statistics of the log: events by type, times, sizes.
    Stat {
        #[command(flatten)]
        directory: DataDirArgs,
    },
}

impl LogCommand {
    pub(super) async fn run(self, source: Arc<dyn Source>) -> Result<Outcome, CliError> {
        match self {
            Self::Init(init) => init.run().await,
            Self::Verify { directory, checkpoint, key, database } => {
                let trust = Trust::new(checkpoint, key.key.as_ref()).map_err(CliError::argument)?;
                match database.settings()? {
                    None => verify(&directory, &trust).await,
                    Some(settings) => verify_database(settings, &trust).await,
                }
            }
            Self::Export(export) => export.run(source.as_ref()).await,
            Self::Import(import) => import.run(source.as_ref()).await,
            Self::Heal(heal) => heal.run().await,
            Self::Checkpoints(checkpoints) => checkpoints.run().await,
            Self::Upgrade { database } => upgrade(&database.required()?).await,
            Self::Stat { directory } => stat::run(&directory).await,
        }
    }
}

async fn upgrade(settings: &PostgresSettings) -> Result<Outcome, CliError> {
    let (form, before) = upgrade_log(settings).await.map_err(CliError::other)?;
    print(&if form == before {
        format!("every server of the log must read form {form} already, the newest one")
    } else {
        format!("every server of the log must read form {form} from now on; before, form {before}")
    })?;
    Ok(Outcome::Success)
}

async fn verify(directory: &DataDirArgs, trust: &Trust) -> Result<Outcome, CliError> {
    let (data_dir, log) = match directory.open() {
        Err(CliError::Other(error)) if error.downcast_ref().is_some_and(OpenError::is_damage) => {
            print(&format!("INVALID: {}", error_chain(error.as_ref())))?;
            return Ok(Outcome::Negative);
        }
        opened => opened?,
    };
    let key = || {
        let key = checkpoint::public_key(&data_dir.signing_key(), &data_dir.checkpoints());
        Ok(key.map_err(CliError::other)?.map(PublicKey))
    };
    check_unchanged(trust, key)?;
    if verify_log(&log, trust).await? && compare_key(trust, key, "data directory")? {
        compare_read_model(&log, &data_dir).await
    } else {
        Ok(Outcome::Negative)
    }
}

async fn verify_database(settings: PostgresSettings, trust: &Trust) -> Result<Outcome, CliError> {
    let log = database::open(settings).await?;
    let key = || Ok(log.row().checkpoint_key.as_slice().try_into().ok().map(PublicKey));
    check_unchanged(trust, key)?;
    let is_valid = verify_log(&log, trust).await? && compare_key(trust, key, "log")?;
    Ok(if is_valid { Outcome::Success } else { Outcome::Negative })
}

/// Checks that no trusted note was changed, before the log is blamed for it.
fn check_unchanged(
    trust: &Trust,
    key: impl FnOnce() -> Result<Option<PublicKey>, CliError>,
) -> Result<(), CliError> {
    match key() {
        Ok(Some(key)) => trust.check_unchanged(key).map_err(CliError::argument),
        Ok(None) | Err(_) => Ok(()),
    }
}

/// Verifies every record, and returns whether all are valid.
async fn verify_log(log: &dyn EventLog, trust: &Trust) -> Result<bool, CliError> {
    let end = log.head().borrow().position;
    let bar = progress::new_bar(end.0);
    let progress = |position: Position| bar.set_position(position.0);
    let trusted = &trust.checkpoints;
    let verification = audit::verify(log, end, trusted, &progress).await;
    let verification = verification.map_err(CliError::other)?;
    bar.finish_and_clear();
    let Verification { head: Head { position, hash }, root, mismatch } = verification;
    if let Some(mismatch) = mismatch {
        print(&format!("INVALID at {}", error_chain(&mismatch)))?;
        print(&format!("valid up to position {position}, hash {hash}"))?;
        return Ok(false);
    }
    print(&format!("valid: {position} events, head hash {hash}, root hash {root}"))?;
    for LogCheckpoint { head, .. } in trusted {
        print(&format!("contains the trusted checkpoint at position {}", head.position))?;
    }
    Ok(true)
}

/// Compares the key of a data directory or a log with the one that must have signed the trusted
/// checkpoints, and returns whether they are equal.
fn compare_key(
    trust: &Trust,
    key: impl FnOnce() -> Result<Option<PublicKey>, CliError>,
    owner: &str,
) -> Result<bool, CliError> {
    if trust.key.is_none() && trust.unverified.is_empty() {
        return Ok(true);
    }
    let Some(found) = key()? else {
        print(&format!("the {owner} has no key to compare with that of the checkpoints"))?;
        unverified(trust).try_for_each(|clause| print(&format!("Not proven: {clause}.")))?;
        return Ok(true);
    };
    let problem = match trust.key {
        Some(expected) if expected != found => {
            let whose = if trust.is_key_given {
                "the given key is"
            } else {
                "the trusted checkpoints are signed with key"
            };
            Some(format!("{whose} {expected}, but the key of this {owner} is {found}"))
        }
        Some(_) => None,
        None => trust.verify_notes(found).err().map(|error| {
            format!("a trusted checkpoint is not signed with the key of this {owner}: {error}")
        }),
    };
    if let Some(problem) = &problem {
        print(&format!("INVALID: {problem}"))?;
        return Ok(false);
    }
    if trust.is_key_given {
        print(&format!("the given key is the key of this {owner}"))?;
    }
    if trust.is_signed() {
        print(&format!("the checkpoints are signed with the key of this {owner}"))?;
    }
    if let Some(clause) = key_of(trust, owner) {
        print(&format!("Not proven: {clause}."))?;
    }
    Ok(true)
}

/// Projects a valid log, and compares the read model with the result.
async fn compare_read_model(log: &SledLog, data_dir: &DataDir) -> Result<Outcome, CliError> {
    let bar = progress::new_bar(log.head().borrow().position.0);
    let progress = |position: Position| bar.set_position(position.0);
    let compared = app::compare(log, &data_dir.read_model(), app::CACHE, &progress).await;
    bar.finish_and_clear();
    let comparison = match compared {
        Err(LoadError::Contradiction { position, source }) => {
            print(&format!("INVALID at position {position}: {source}"))?;
            return Ok(Outcome::Negative);
        }
        compared => compared.map_err(CliError::other)?,
    };
    let (sentence, outcome) = match comparison {
        Comparison::Equal(position) => {
            (format!("the read model is equal up to position {position}"), Outcome::Success)
        }
        Comparison::Different(position) => (
            format!(
                "DIFFERENT: the read model is not what the log says up to position {position}; \
                 run userpool read-model rebuild"
            ),
            Outcome::Negative,
        ),
        Comparison::Damaged => (
            "DAMAGED: the read model is not what was written; the next start rebuilds it"
                .to_owned(),
            Outcome::Negative,
        ),
        Comparison::Missing => (
            "there is no read model of this log; the next start builds it".to_owned(),
            Outcome::Success,
        ),
    };
    print(&sentence)?;
    Ok(outcome)
}
