//! `userpool log import`: importing exports into a new data directory.

use std::{
    fs::{self, DirBuilder},
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
};

use clap::{Args, ValueHint};

use crate::{
    app::Source,
    audit::{self, FileKind, ImportError, Verifier},
    event_log::{Head, Record, SledLog},
    fs::{parent_directory, sync_directory},
    server::data_dir::DataDir,
};

use super::{
    audit_file::{AuditFile, Export},
    error::CliError,
    outcome::Outcome,
    output::print,
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
}

impl ImportCommand {
    /// Imports into a temporary directory, which replaces the data directory when complete.
    pub(super) fn run(&self, source: &dyn Source) -> Result<Outcome, CliError> {
        let Self { files, data_dir } = self;
        let empty = !data_dir.exists() || fs::read_dir(data_dir)?.next().is_none();
        if !empty {
            let path = data_dir.display();
            return Err(CliError::message(format!(
                "{path} is not empty; choose another --data-dir"
            )));
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
        let imported = import_into(files, &temporary, source);
        let moved = imported.and_then(|head| {
            fs::rename(&temporary, data_dir).map_err(|error| CliError::file(data_dir, &error))?;
            sync_directory(parent_directory(data_dir))?;
            Ok(head)
        });
        let Head { position, hash } = moved.inspect_err(|_| {
            // If this fails, the next import names the directory that is left.
            let _ = fs::remove_dir_all(&temporary);
        })?;
        print(&format!("imported {position} events, head hash {hash}"))?;
        Ok(Outcome::Success)
    }
}

/// Imports the exports, which must be consecutive and begin with the first event.
fn import_into(files: &[PathBuf], temporary: &Path, source: &dyn Source) -> Result<Head, CliError> {
    let mut verifier = Verifier::default();
    let mut log = None;
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
            let Some(first) = page.first() else { break };
            let (_, log) = match &log {
                Some(log) => log,
                None => log.insert(create_log(first, temporary, source)?),
            };
            log.restore(&page).map_err(CliError::other)?;
        }
    }
    verifier.finish().map_err(CliError::other)?;
    Ok(verifier.head())
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
    let user_pool_id = audit::decode_with_record(first).map_err(CliError::other)?.user_pool_id;
    let (region, _) = user_pool_id.rsplit_once('_').ok_or_else(|| {
        CliError::message(format!("position 1: user pool {user_pool_id:?} has no region"))
    })?;
    let directory = DataDir::open(path, region, source.now()).map_err(CliError::other)?;
    let log = SledLog::open(&directory.log()).map_err(CliError::other)?;
    Ok((directory, log))
}
