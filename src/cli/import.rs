//! `userpool log import`: a data directory out of an export.

use std::{
    fs::{self, DirBuilder, File},
    io::{self, BufReader, Write as _},
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
};

use clap::Args;

use crate::{
    app::Source,
    audit::{self, Importer},
    event_log::{Head, SledLog},
    server::data_dir::DataDir,
};

use super::{error::CliError, outcome::Outcome};

#[derive(Debug, Args)]
pub(super) struct Import {
    /// The export; "-" is standard input.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The data directory to make. It must be empty, or not exist.
    #[arg(long, env = "USERPOOL_DATA_DIR", value_name = "DIR", default_value = "./data")]
    data_dir: PathBuf,
}

impl Import {
    /// Imports beside the directory and moves into place: whole or not at all.
    pub(super) fn run(&self, source: &dyn Source) -> Result<Outcome, CliError> {
        let Self { file, data_dir } = self;
        let empty = !data_dir.exists() || fs::read_dir(data_dir)?.next().is_none();
        if !empty {
            let path = data_dir.display();
            return Err(CliError::message(format!(
                "{path} is not empty; name another --data-dir to import into"
            )));
        }
        let mut name = data_dir.as_os_str().to_owned();
        name.push(".importing");
        let beside = PathBuf::from(name);
        DirBuilder::new().mode(0o700).create(&beside).map_err(|error| {
            let path = beside.display();
            CliError::message(format!(
                "{path}: {error}; another import is at work there, or was killed: see that none \
                 is, then delete it"
            ))
        })?;
        let imported = import_into(file, &beside, source);
        let moved = imported.and_then(|head| {
            fs::rename(&beside, data_dir).map_err(|error| CliError::file(data_dir, &error))?;
            let parent = data_dir.parent().filter(|parent| *parent != Path::new(""));
            File::open(parent.unwrap_or(Path::new(".")))?.sync_all()?;
            Ok(head)
        });
        let Head { position, hash } = moved.inspect_err(|_| {
            // What is left is beside the directory, and the next import says so.
            let _ = fs::remove_dir_all(&beside);
        })?;
        writeln!(io::stdout(), "imported {position} events, the last with hash {hash}")?;
        Ok(Outcome::Success)
    }
}

fn import_into(file: &Path, beside: &Path, source: &dyn Source) -> Result<Head, CliError> {
    let input: Box<dyn io::Read> = if file == Path::new("-") {
        Box::new(io::stdin())
    } else {
        Box::new(File::open(file).map_err(|error| CliError::file(file, &error))?)
    };
    let mut importer = Importer::new(BufReader::new(input));
    let mut page = importer.next_page()?;
    let first = page.first().ok_or_else(|| CliError::message("the export is empty"))?;
    let user_pool_id = audit::decode_with_record(first).map_err(CliError::other)?.user_pool_id;
    let (region, _) = user_pool_id.rsplit_once('_').ok_or_else(|| {
        CliError::message(format!("position 1: user pool {user_pool_id:?} has no region"))
    })?;
    let directory = DataDir::open(beside, region, source.now()).map_err(CliError::other)?;
    let log = SledLog::open(&directory.log()).map_err(CliError::other)?;
    while !page.is_empty() {
        log.restore(&page).map_err(CliError::other)?;
        page = importer.next_page()?;
    }
    Ok(importer.head())
}
