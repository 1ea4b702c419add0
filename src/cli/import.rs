//! `userpool log import`: importing exports into a new data directory, or as a new log in a
//! database.

use std::{
    fs::{self, DirBuilder},
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
};

use clap::{Args, ValueHint};

use crate::{
    app::Source,
    audit::{self, FileKind, ImportError, Verifier, checkpoint::Signer},
    event_log::{Head, PostgresImport, PostgresSettings, Record, SledLog},
    fs::{parent_directory, sync_directory},
    server::data_dir::DataDir,
};

use super::{
    audit_file::{AuditFile, Export},
    database::DatabaseArgs,
    error::CliError,
    outcome::Outcome,
    output::{print, print_note},
};

#[derive(Debug, Args)]
pub(super) struct ImportCommand {
    /// The export, or "-" for standard input; it may be compressed with gzip or Zstandard. If the
    /// log was exported in ranges, all of them in the order of the log, from the first event on.
    #[arg(value_name = "FILE", required = true, value_hint = ValueHint::FilePath)]
    files: Vec<PathBuf>,
    /// Create this data directory. It must be empty or not exist.
    #[arg(long, env = "USERPOOL_DATA_DIR", value_name = "DIR", default_value = "./data")]
    data_dir: PathBuf,
    /// Have the servers of a log in a database sign checkpoints with this key, which auditors know:
    /// that of the data directory that the log comes from.
    #[arg(long, env = "USERPOOL_SIGNING_KEY", value_name = "FILE", value_hint = ValueHint::FilePath)]
    signing_key: Option<PathBuf>,
    // Last, because its heading applies to every flag after it.
    #[command(flatten)]
    database: DatabaseArgs,
}

impl ImportCommand {
    pub(super) async fn run(self, source: &dyn Source) -> Result<Outcome, CliError> {
        let Self { files, data_dir, signing_key, database } = self;
        let Head { position, hash } = match database.settings()? {
            Some(settings) => into_database(&files, settings, signing_key.as_deref()).await?,
            None => into_directory(&files, &data_dir, source).await?,
        };
        print(&format!("imported {position} events, head hash {hash}"))?;
        Ok(Outcome::Success)
    }
}

/// Imports into a temporary directory, which replaces the data directory when complete.
async fn into_directory(
    files: &[PathBuf],
    data_dir: &Path,
    source: &dyn Source,
) -> Result<Head, CliError> {
    let empty = !data_dir.exists() || fs::read_dir(data_dir)?.next().is_none();
    if !empty {
        let path = data_dir.display();
        return Err(CliError::message(format!("{path} is not empty; choose another --data-dir")));
    }
    let mut name = data_dir.as_os_str().to_owned();
    name.push(".importing");
    let temporary = PathBuf::from(name);
    DirBuilder::new().mode(0o700).create(&temporary).map_err(|error| {
        let path = temporary.display();
        CliError::message(format!(
            "{path}: {error}; another import is running, or was killed: make sure that none is \
             running, then delete it"
        ))
    })?;
    let mut destination = Destination::Directory { path: &temporary, log: None, source };
    let imported = import(files, &mut destination).await;
    drop(destination);
    let moved = imported.and_then(|head| {
        fs::rename(&temporary, data_dir).map_err(|error| CliError::file(data_dir, &error))?;
        sync_directory(parent_directory(data_dir))?;
        print_note(&format!(
            "the first start of a server in {} creates a new signing key; to keep that of the log, copy \
             its signing_key.pem there first",
            data_dir.display()
        ));
        Ok(head)
    });
    moved.inspect_err(|_| {
        // If this fails, the next import names the directory that is left.
        let _ = fs::remove_dir_all(&temporary);
    })
}

/// Imports as a new log, which servers can use when it is complete.
async fn into_database(
    files: &[PathBuf],
    settings: PostgresSettings,
    signing_key: Option<&Path>,
) -> Result<Head, CliError> {
    let key = signing_key.ok_or_else(|| {
        CliError::message(
            "an import into a database requires --signing-key, the key of its servers",
        )
    })?;
    if !key.exists() {
        let key = key.display();
        return Err(CliError::message(format!("there is no signing key {key}; copy it here")));
    }
    let key = Signer::open_key(key).map_err(CliError::other)?.public_key();
    let import_into = PostgresImport::begin(settings).await.map_err(CliError::other)?;
    if import_into.resumed() > 0 {
        let resumed = import_into.resumed();
        print_note(&format!("an earlier import has left {resumed} events; going on after them"));
    }
    let mut destination = Destination::Database { import: Box::new(import_into), region: None };
    let head = import(files, &mut destination).await?;
    match destination {
        Destination::Database { import, region: Some(region) } => {
            import.finish(&region, &key).await.map_err(CliError::other)?;
            Ok(head)
        }
        Destination::Database { .. } | Destination::Directory { .. } => Err(no_event()),
    }
}

fn no_event() -> CliError {
    CliError::message(
        "the export has no event; \"userpool log init\" creates an empty log in a database, and the \
         first start of a server one in a data directory",
    )
}

/// Where records are imported.
enum Destination<'a> {
    Directory { path: &'a Path, log: Option<(DataDir, SledLog)>, source: &'a dyn Source },
    Database { import: Box<PostgresImport>, region: Option<String> },
}

impl Destination<'_> {
    async fn push(&mut self, page: &[Record]) -> Result<(), CliError> {
        let Some(first) = page.first() else { return Ok(()) };
        match self {
            Self::Directory { path, log, source } => {
                let (_, log) = match log {
                    Some(log) => log,
                    None => log.insert(create_log(first, path, *source)?),
                };
                log.restore(page).map_err(CliError::other)
            }
            Self::Database { import, region } => {
                if region.is_none() {
                    *region = Some(region_of(first)?);
                }
                import.push(page).await.map_err(CliError::other)
            }
        }
    }
}

/// Imports the exports, which must be consecutive and begin with the first event.
async fn import(files: &[PathBuf], destination: &mut Destination<'_>) -> Result<Head, CliError> {
    let mut verifier = Verifier::default();
    for file in files {
        let in_file = |error: ImportError| CliError::in_file(file, &error);
        let mut export = open_export(file)?;
        loop {
            let page = export.next_page(&mut verifier).map_err(in_file)?;
            if let Some(anchor) = verifier.anchor() {
                return Err(CliError::message(format!(
                    "{}: the export follows position {}, and an import needs every event from the \
                     first one on: import it together with the exports before it, in order",
                    file.display(),
                    anchor.head.position
                )));
            }
            if page.is_empty() {
                break;
            }
            destination.push(&page).await?;
        }
    }
    verifier.finish().map_err(CliError::other)?;
    let head = verifier.head();
    if head == Head::default() { Err(no_event()) } else { Ok(head) }
}

fn open_export(file: &Path) -> Result<Export, CliError> {
    let kind = match AuditFile::open(file)? {
        AuditFile::Export(export) => return Ok(export),
        AuditFile::Proofs(_) => FileKind::Proof,
        AuditFile::Other(kind) => kind,
    };
    Err(CliError::message(format!(
        "{} is {kind}, and only an export can be imported, which \"userpool log export\" writes",
        file.display()
    )))
}

/// Creates the data directory with the region of the first user pool.
fn create_log(
    first: &Record,
    path: &Path,
    source: &dyn Source,
) -> Result<(DataDir, SledLog), CliError> {
    let region = region_of(first)?;
    let directory = DataDir::open(path, &region, source.now()).map_err(CliError::other)?;
    let log = SledLog::open(&directory.log()).map_err(CliError::other)?;
    Ok((directory, log))
}

/// The region of the user pool in the first record.
fn region_of(first: &Record) -> Result<String, CliError> {
    let user_pool_id = audit::decode_with_record(first).map_err(CliError::other)?.user_pool_id;
    let (region, _) = user_pool_id.rsplit_once('_').ok_or_else(|| {
        CliError::message(format!("position 1: user pool {user_pool_id:?} has no region"))
    })?;
    Ok(region.to_owned())
}
