//! `userpool log export`: the log as JSON Lines, from a data directory or from a
//! server that goes on serving.

use std::{
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
    transport::Endpoint,
};

use super::{
    connection::{Access, next_in_time},
    directory::Directory,
    error::CliError,
    outcome::Outcome,
    output::say,
    progress,
};

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  userpool log export --data-dir ./data log.jsonl\n  userpool \
                        log export --from 127.0.0.1:50051 log.jsonl")]
pub(super) struct Export {
    #[command(flatten)]
    directory: Directory,
    /// Export from this running server instead: HOST:PORT or unix:PATH. What is recorded in the
    /// meantime is in the export up to some event, and not beyond it.
    #[arg(long, value_name = "ENDPOINT")]
    from: Option<Endpoint>,
    #[command(flatten)]
    access: Access,
    /// Where to write, whole or not at all, in place of what is there; a new file is for its owner
    /// alone. Absent or "-": standard output.
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
}

impl Export {
    pub(super) async fn run(self) -> Result<Outcome, CliError> {
        let file = self.file.as_deref().filter(|path| *path != Path::new("-"));
        // A device or a pipe is written to as it is.
        let beside = file.filter(|path| path.is_file() || !path.exists());
        let unfinished = beside.map(|path| path.with_added_extension("unfinished"));
        let out: Box<dyn Write> = match unfinished.as_deref().or(file) {
            None => Box::new(io::stdout()),
            Some(path) => {
                Box::new(created(path, file).map_err(|error| CliError::file(path, &error))?)
            }
        };
        let exporter = Exporter::new(BufWriter::new(out));
        let written = match self.from {
            None => of_directory(&self.directory, exporter).await,
            Some(endpoint) => of_server(endpoint, self.access, exporter).await,
        };
        if let (Some(file), Some(unfinished)) = (file, &unfinished) {
            // What was there before stays where this export does not come to its end.
            match written {
                Ok(_) => {
                    fs::rename(unfinished, file).map_err(|error| CliError::file(file, &error))?;
                }
                Err(_) => fs::remove_file(unfinished)?,
            }
        }
        let Head { position, hash } = written?;
        say(&format!("exported {position} events, the last with hash {hash}"));
        Ok(Outcome::Success)
    }
}

/// A file for the owner alone, who may have opened the one that it is to replace: all that
/// is in the log is in an export.
fn created(path: &Path, replaced: Option<&Path>) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true);
    // A device or a pipe is opened as it is.
    if replaced == Some(path) {
        return options.open(path);
    }
    // What was left here may belong to others, or lead elsewhere.
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => (),
    }
    let replaced = replaced.and_then(|path| path.metadata().ok());
    let mode = replaced.map_or(0o600, |replaced| replaced.permissions().mode());
    options.create_new(true).mode(mode).open(path)
}

async fn of_directory(
    directory: &Directory,
    mut exporter: Exporter<impl Write>,
) -> Result<Head, CliError> {
    let (_held, log) = directory.open()?;
    let end = log.head().borrow().position;
    let bar = progress::bar(end.0);
    let mut reader = LogReader::new(&log, end);
    while let Some(record) = reader.next().await.map_err(CliError::other)? {
        exporter.push(&record)?;
        bar.set_position(record.position.0);
    }
    bar.finish_and_clear();
    Ok(exporter.finish()?)
}

/// Everything that was recorded when the call began, and whatever else arrives with it.
async fn of_server(
    endpoint: Endpoint,
    access: Access,
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
        match next_in_time(&client, &mut events).await? {
            Content::Event(event) => exporter.push_event(&event)?,
            Content::Checkpoint(checkpoint) if checkpoint.caught_up => break,
            Content::Checkpoint(_) => (),
        }
    }
    Ok(exporter.finish()?)
}
