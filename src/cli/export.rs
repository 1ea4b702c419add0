//! `userpool log export`: exporting the log of a data directory or of a running server.

use std::{
    env,
    fs::{self, File, OpenOptions},
    io::{self, BufWriter, Write},
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use clap::Args;

use crate::{
    audit::{Exporter, LogReader},
    event_log::{EventLog as _, Head},
    proto::{
        WatchUserPoolEventsRequest, watch_user_pool_events_request::Start,
        watch_user_pool_events_response::Content,
    },
    telemetry::error_chain,
    transport::Endpoint,
};

use super::{
    connection::{AccessArgs, next_message},
    data_dir,
    error::CliError,
    os_argument,
    outcome::Outcome,
    output::print_note,
    progress,
};

/// The variables that name a server and a data directory to every command.
const ENDPOINT: &str = "USERPOOL_ENDPOINT";
const DATA_DIR: &str = "USERPOOL_DATA_DIR";
const DEFAULT_DATA_DIR: &str = "./data";

#[derive(Debug, Args)]
#[expect(clippy::doc_markdown, reason = "the help shows the text as it is")]
#[command(after_help = "Examples:\n  userpool log export --data-dir ./data log.jsonl\n  userpool \
                        log export --from 127.0.0.1:50051 log.jsonl")]
pub(super) struct ExportCommand {
    /// Export the log in this data directory. No server may be using it. If omitted,
    /// USERPOOL_DATA_DIR, or else ./data, is exported.
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Export from this running server instead: HOST:PORT or unix:PATH. The export may include
    /// events that are recorded while it runs. If omitted, and if no data directory is named,
    /// USERPOOL_ENDPOINT names the server.
    #[arg(long, value_name = "ENDPOINT", value_parser = os_argument::endpoint())]
    from: Option<Endpoint>,
    /// Write to this file. An existing file is replaced only if the export succeeds, and a new one
    /// is readable only by its owner. If omitted or "-", standard output.
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
    // Last, because its heading applies to every argument after it.
    #[command(flatten)]
    access: AccessArgs,
}

impl ExportCommand {
    pub(super) async fn run(self) -> Result<Outcome, CliError> {
        let origin = Origin::new(self.from, self.data_dir)?;
        let file = self.file.as_deref().filter(|path| *path != Path::new("-"));
        // A device or a pipe is written to directly.
        let beside = file.filter(|path| path.is_file() || !path.exists());
        let unfinished = beside.map(|path| path.with_added_extension("unfinished"));
        let out: Box<dyn Write> = match unfinished.as_deref().or(file) {
            None => Box::new(io::stdout()),
            Some(path) => {
                Box::new(create_private(path, file).map_err(|error| CliError::file(path, &error))?)
            }
        };
        let exporter = Exporter::new(BufWriter::new(out));
        let written = match origin {
            Origin::Directory(path) => export_directory(&path, exporter).await,
            Origin::Server(endpoint) => export_server(endpoint, self.access, exporter).await,
        };
        if let (Some(file), Some(unfinished)) = (file, &unfinished) {
            // If the export fails, the existing file stays.
            match written {
                Ok(_) => {
                    fs::rename(unfinished, file).map_err(|error| CliError::file(file, &error))?;
                }
                Err(_) => fs::remove_file(unfinished)?,
            }
        }
        let Head { position, hash } = written?;
        print_note(&format!("exported {position} events, head hash {hash}"));
        Ok(Outcome::Success)
    }
}

/// The log to export.
#[derive(Debug, PartialEq, Eq)]
enum Origin {
    Directory(PathBuf),
    Server(Endpoint),
}

impl Origin {
    /// A flag overrides the environment. If that names both, neither is the obvious one.
    fn new(from: Option<Endpoint>, data_dir: Option<PathBuf>) -> Result<Self, CliError> {
        match (from, data_dir) {
            (Some(endpoint), _) => return Ok(Self::Server(endpoint)),
            (None, Some(path)) => return Ok(Self::Directory(path)),
            (None, None) => (),
        }
        match (env::var_os(ENDPOINT), env::var_os(DATA_DIR)) {
            (Some(_), Some(_)) => Err(CliError::message(format!(
                "both {ENDPOINT} and {DATA_DIR} are set; name one log with --from or --data-dir"
            ))),
            (Some(endpoint), None) => {
                let endpoint = Endpoint::from_os(&endpoint)
                    .map_err(|error| CliError::message(format!("{ENDPOINT}: {error}")))?;
                Ok(Self::Server(endpoint))
            }
            (None, path) => {
                Ok(Self::Directory(path.map_or_else(|| DEFAULT_DATA_DIR.into(), PathBuf::from)))
            }
        }
    }
}

/// Creates a file with the permissions of the one that it replaces. A new file is private
/// to its owner, because an export contains the whole log.
fn create_private(path: &Path, replaced: Option<&Path>) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true);
    // A device or a pipe is opened directly.
    if replaced == Some(path) {
        return options.open(path);
    }
    // A file that was left here may belong to another user, or be a link.
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => (),
    }
    let replaced = replaced.and_then(|path| path.metadata().ok());
    let mode = replaced.map_or(0o600, |replaced| replaced.permissions().mode());
    options.create_new(true).mode(mode).open(path)
}

async fn export_directory(
    path: &Path,
    mut exporter: Exporter<impl Write>,
) -> Result<Head, CliError> {
    let (_data_dir, log) = data_dir::open(path).map_err(|error| {
        let remedy = "to export from a running server, name it with --from";
        CliError::message(format!("{}; {remedy}", error_chain(&error)))
    })?;
    let end = log.head().borrow().position;
    let bar = progress::new_bar(end.0);
    let mut reader = LogReader::new(&log, end);
    while let Some(record) = reader.next().await.map_err(CliError::other)? {
        exporter.push(&record)?;
        bar.set_position(record.position.0);
    }
    bar.finish_and_clear();
    Ok(exporter.finish()?)
}

/// Exports every event that was recorded before the call, and later events that arrive in
/// the meantime.
async fn export_server(
    endpoint: Endpoint,
    access: AccessArgs,
    mut exporter: Exporter<impl Write>,
) -> Result<Head, CliError> {
    let client = access.connect(endpoint).await?;
    let request = WatchUserPoolEventsRequest {
        start: Some(Start::AfterPosition(0)),
        include_records: true,
        ..WatchUserPoolEventsRequest::default()
    };
    let mut events = client.watch(request).await?;
    loop {
        match next_message(&client, &mut events).await? {
            Content::Event(event) => exporter.push_event(&event)?,
            Content::Checkpoint(checkpoint) if checkpoint.caught_up => break,
            Content::Checkpoint(_) => (),
        }
    }
    Ok(exporter.finish()?)
}
