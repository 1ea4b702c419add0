//! `userpool log import`: importing an export into a new data directory.

use std::{
    fs::{self, DirBuilder, File},
    io::{self, BufRead as _, BufReader},
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
};

use clap::Args;
use flate2::bufread::MultiGzDecoder;

use crate::{
    app::Source,
    audit::{self, Importer},
    event_log::{Head, SledLog},
    fs::{parent_directory, sync_directory},
    server::data_dir::DataDir,
};

use super::{error::CliError, outcome::Outcome, output::print};

/// The first bytes of a file that is compressed with gzip.
const GZIP: [u8; 2] = [0x1f, 0x8b];

#[derive(Debug, Args)]
pub(super) struct ImportCommand {
    /// The export, or "-" for standard input; it may be compressed with gzip.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Create this data directory. It must be empty or not exist.
    #[arg(long, env = "USERPOOL_DATA_DIR", value_name = "DIR", default_value = "./data")]
    data_dir: PathBuf,
}

impl ImportCommand {
    /// Imports into a temporary directory, which replaces the data directory when complete.
    pub(super) fn run(&self, source: &dyn Source) -> Result<Outcome, CliError> {
        let Self { file, data_dir } = self;
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
        let imported = import_into(file, &temporary, source);
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

/// Decompresses the input if it begins as gzip does.
fn decompressed(file: &Path, input: Box<dyn io::Read>) -> Result<Box<dyn io::Read>, CliError> {
    let mut input = BufReader::new(input);
    let beginning = input.fill_buf().map_err(|error| CliError::file(file, &error))?;
    if beginning.starts_with(&GZIP) {
        // A file may consist of several compressed parts.
        Ok(Box::new(MultiGzDecoder::new(input)))
    } else {
        Ok(Box::new(input))
    }
}

fn import_into(file: &Path, temporary: &Path, source: &dyn Source) -> Result<Head, CliError> {
    let input: Box<dyn io::Read> = if file == Path::new("-") {
        Box::new(io::stdin())
    } else {
        Box::new(File::open(file).map_err(|error| CliError::file(file, &error))?)
    };
    let mut importer = Importer::new(BufReader::new(decompressed(file, input)?));
    let mut page = importer.next_page()?;
    let first = page.first().ok_or_else(|| CliError::message("the export is empty"))?;
    let user_pool_id = audit::decode_with_record(first).map_err(CliError::other)?.user_pool_id;
    let (region, _) = user_pool_id.rsplit_once('_').ok_or_else(|| {
        CliError::message(format!("position 1: user pool {user_pool_id:?} has no region"))
    })?;
    let directory = DataDir::open(temporary, region, source.now()).map_err(CliError::other)?;
    let log = SledLog::open(&directory.log()).map_err(CliError::other)?;
    while !page.is_empty() {
        log.restore(&page).map_err(CliError::other)?;
        page = importer.next_page()?;
    }
    Ok(importer.head())
}
