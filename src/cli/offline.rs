//! `userpool log …`, `read-model rebuild` and `key`: on a data directory whose
//! server is stopped. Whatever its size, what is in memory is a page of it.

use std::{
    error::Error,
    fs::{self, File},
    io::{self, BufRead as _, BufReader, BufWriter, Write},
    path::{Path, PathBuf},
    sync::Arc,
};

use clap::{Args, Subcommand};

use crate::{
    app::{self, Source, archive},
    checkpoint::Signer,
    data_dir::{self, DataDir},
    event_log::{Defect, EventLog as _, Head, Position, ReadLimit, Record, SledLog},
};

use super::{Answer, CliError, noted::Noted, progress, stat};

/// How much of a log is read, or written with one sync.
const PAGE: ReadLimit = ReadLimit { records: 4096, bytes: 4 * 1024 * 1024 };

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
        checkpoint: Vec<Noted>,
    },
    /// Write every event with its record, one JSON document a line.
    ///
    /// An import gives back the same log, byte for byte.
    Export {
        #[command(flatten)]
        directory: Directory,
        /// Where to write; standard output where absent.
        #[arg(value_name = "FILE")]
        file: Option<PathBuf>,
    },
    /// Make a data directory out of an export, checking every hash.
    ///
    /// A broken export is refused with the position, and leaves nothing behind.
    Import {
        /// The export; "-" is standard input.
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// The data directory to make. It must be empty, or not exist.
        #[arg(long, env = "USERPOOL_DATA_DIR", value_name = "DIR", default_value = "./data")]
        data_dir: PathBuf,
    },
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
            Self::Export { directory, file } => export(&directory, file).await,
            Self::Import { file, data_dir } => import(&file, &data_dir, source.as_ref()),
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
        app::rebuild(&log, &directory.read_model(), &progress).await.map_err(other)?;
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
    fn open(&self) -> Result<(DataDir, SledLog), CliError> {
        let held = DataDir::open_existing(&self.data_dir).map_err(other)?;
        let log = SledLog::open(&held.log()).map_err(other)?;
        Ok((held, log))
    }

    /// Prints the public key that checkpoints of this directory are checked with.
    pub(super) fn print_key(&self) -> Result<Answer, CliError> {
        let held = DataDir::open_existing(&self.data_dir).map_err(other)?;
        let signer = Signer::open(&data_dir::signing_key(&self.data_dir)).map_err(other)?;
        drop(held);
        write!(io::stdout(), "{}", signer.public_key_pem())?;
        Ok(Answer::Yes)
    }
}

async fn verify(directory: &Directory, noted: Vec<Noted>) -> Result<Answer, CliError> {
    let (_held, log) = match directory.open() {
        Err(CliError::Other(error)) if error.is::<crate::event_log::OpenError>() => {
            writeln!(io::stdout(), "NOT WHOLE: {}", app::in_full(error.as_ref()))?;
            return Ok(Answer::No);
        }
        opened => opened?,
    };
    let end = log.head().borrow().position;
    let bar = progress::bar(end.0);
    let progress = |position: Position| bar.set_position(position.0);
    let noted: Vec<_> = noted.iter().flat_map(|noted| &noted.0).map(|noted| noted.head).collect();
    let verified = app::verify(&log, end, &noted, &progress).await.map_err(other)?;
    bar.finish_and_clear();
    let Head { position, hash } = verified.head;
    match verified.problem {
        None => {
            writeln!(io::stdout(), "whole: {position} events, the last with hash {hash}")?;
            for noted in noted {
                writeln!(io::stdout(), "continues what was noted at position {}", noted.position)?;
            }
            Ok(Answer::Yes)
        }
        Some(problem) => {
            let (at, what) = (problem.position, problem.description);
            writeln!(io::stdout(), "NOT WHOLE at position {at}: {what}")?;
            writeln!(io::stdout(), "right up to position {position}, hash {hash}")?;
            Ok(Answer::No)
        }
    }
}

async fn export(directory: &Directory, file: Option<PathBuf>) -> Result<Answer, CliError> {
    let (_held, log) = directory.open()?;
    let mut out: Box<dyn Write> = match &file {
        None => Box::new(BufWriter::new(io::stdout())),
        Some(path) => {
            Box::new(BufWriter::new(File::create(path).map_err(|error| named(path, &error))?))
        }
    };
    let end = log.head().borrow().position;
    let bar = progress::bar(end.0);
    let mut head = Head::default();
    while head.position < end {
        for record in log.read(head.position, PAGE).await.map_err(other)? {
            record.follows(head).map_err(|defect| at(record.position, &defect))?;
            writeln!(out, "{}", archive::line(&record).map_err(other)?)?;
            head = record.head();
        }
        bar.set_position(head.position.0);
    }
    out.flush()?;
    bar.finish_and_clear();
    writeln!(io::stderr(), "exported {} events, the last with hash {}", head.position, head.hash)?;
    Ok(Answer::Yes)
}

/// Imports beside the directory and moves into place: whole or not at all.
fn import(file: &Path, data_dir: &Path, source: &dyn Source) -> Result<Answer, CliError> {
    let empty = !data_dir.exists() || fs::read_dir(data_dir)?.next().is_none();
    if !empty {
        let path = data_dir.display();
        return Err(told(format!("{path} is not empty; name another --data-dir to import into")));
    }
    let mut name = data_dir.as_os_str().to_owned();
    name.push(".importing");
    let beside = PathBuf::from(name);
    let imported = import_into(file, &beside, source);
    let moved = imported.and_then(|head| {
        fs::rename(&beside, data_dir).map_err(|error| named(data_dir, &error))?;
        Ok(head)
    });
    let Head { position, hash } = moved.inspect_err(|_| {
        // What is left is beside the directory, and the next import says so.
        let _ = fs::remove_dir_all(&beside);
    })?;
    writeln!(io::stdout(), "imported {position} events, the last with hash {hash}")?;
    Ok(Answer::Yes)
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
    let mut page: Vec<Record> = Vec::new();
    let mut bytes = 0_usize;
    for line in lines {
        let record =
            archive::parse_line(&line?, head).map_err(|error| at(head.position.next(), &error))?;
        head = record.head();
        bytes = bytes.saturating_add(record.stored.len());
        page.push(record);
        if bytes >= PAGE.bytes || page.len() >= PAGE.records {
            log.restore(&page).map_err(other)?;
            page.clear();
            bytes = 0;
        }
    }
    if let Some(last) = page.last().filter(|last| !last.ends_batch()) {
        return Err(at(last.position, &Defect::PartialBatch));
    }
    log.restore(&page).map_err(other)?;
    Ok(head)
}

/// The region of the user pool that the first line is about.
fn region_of(line: &str) -> Option<String> {
    let event: crate::proto::UserPoolEvent = crate::proto::from_json(line).ok()?;
    event.user_pool_id.rsplit_once('_').map(|(region, _)| region.to_owned())
}

fn at(position: Position, error: &dyn Error) -> CliError {
    told(format!("position {position}: {}", app::in_full(error)))
}

fn named(path: &Path, error: &io::Error) -> CliError {
    told(format!("{}: {error}", path.display()))
}

fn told(sentence: impl Into<String>) -> CliError {
    CliError::Other(sentence.into().into())
}

fn other(error: impl Error + 'static) -> CliError {
    CliError::Other(error.into())
}
