//! `userpool log import`: a data directory out of an export.

use std::{
    fs::{self, DirBuilder, File},
    io::{self, BufRead as _, BufReader, Write as _},
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
};

use clap::Args;

use crate::{
    app::Source,
    audit::archive,
    event_log::{Defect, Head, Record, SledLog},
    proto::{self, UserPoolEvent},
    server::data_dir::DataDir,
};

use super::{
    Answer, CliError,
    failure::{at, named, other, told},
};

/// How many bytes of records, and how many of them, are written with one sync.
const BYTES: usize = 4 * 1024 * 1024;
const RECORDS: usize = 4096;

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
    pub(super) fn run(&self, source: &dyn Source) -> Result<Answer, CliError> {
        let Self { file, data_dir } = self;
        let empty = !data_dir.exists() || fs::read_dir(data_dir)?.next().is_none();
        if !empty {
            let path = data_dir.display();
            return Err(told(format!(
                "{path} is not empty; name another --data-dir to import into"
            )));
        }
        let mut name = data_dir.as_os_str().to_owned();
        name.push(".importing");
        let beside = PathBuf::from(name);
        DirBuilder::new().mode(0o700).create(&beside).map_err(|error| {
            let path = beside.display();
            told(format!(
                "{path}: {error}; another import is at work there, or was killed: see that none \
                 is, then delete it"
            ))
        })?;
        let imported = import_into(file, &beside, source);
        let moved = imported.and_then(|head| {
            fs::rename(&beside, data_dir).map_err(|error| named(data_dir, &error))?;
            let parent = data_dir.parent().filter(|parent| *parent != Path::new(""));
            File::open(parent.unwrap_or(Path::new(".")))?.sync_all()?;
            Ok(head)
        });
        let Head { position, hash } = moved.inspect_err(|_| {
            // What is left is beside the directory, and the next import says so.
            let _ = fs::remove_dir_all(&beside);
        })?;
        writeln!(io::stdout(), "imported {position} events, the last with hash {hash}")?;
        Ok(Answer::Yes)
    }
}

fn import_into(file: &Path, beside: &Path, source: &dyn Source) -> Result<Head, CliError> {
    let input: Box<dyn io::Read> = if file == Path::new("-") {
        Box::new(io::stdin())
    } else {
        Box::new(File::open(file).map_err(|error| named(file, &error))?)
    };
    let mut lines = BufReader::new(input).lines().peekable();
    let region = match lines.peek() {
        Some(Ok(first)) => {
            region_of(first).ok_or_else(|| told("line 1 is not an exported event"))?
        }
        Some(Err(_)) | None => return Err(told("the export is empty")),
    };
    let directory = DataDir::open(beside, &region, source.now()).map_err(other)?;
    let log = SledLog::open(&directory.log()).map_err(other)?;
    let mut head = Head::default();
    let mut whole = true;
    let mut page: Vec<Record> = Vec::new();
    let mut bytes = 0_usize;
    for line in lines {
        let record =
            archive::parse_line(&line?, head).map_err(|error| at(head.position.next(), &error))?;
        head = record.head();
        whole = record.ends_batch();
        bytes = bytes.saturating_add(record.stored.len());
        page.push(record);
        if bytes >= BYTES || page.len() >= RECORDS {
            log.restore(&page).map_err(other)?;
            page.clear();
            bytes = 0;
        }
    }
    if !whole {
        return Err(at(head.position.next(), &Defect::PartialBatch));
    }
    log.restore(&page).map_err(other)?;
    Ok(head)
}

/// The region of the user pool that the first line is about.
fn region_of(line: &str) -> Option<String> {
    let event: UserPoolEvent = proto::from_json(line).ok()?;
    event.user_pool_id.rsplit_once('_').map(|(region, _)| region.to_owned())
}
