//! `userpool log export`: exporting the log of a data directory or of a running server.

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
    connection::{AccessArgs, next_message},
    data_dir::DataDirArgs,
    error::CliError,
    outcome::Outcome,
    output::print_note,
    os_argument,
    progress,
};

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  userpool log export --data-dir ./data log.jsonl\n  userpool \
                        log export --from 127.0.0.1:50051 log.jsonl")]
pub(super) struct ExportCommand {
    #[command(flatten)]
    directory: DataDirArgs,
    /// Export from this running server instead: HOST:PORT or unix:PATH. The export may include
    /// events that are recorded while it runs. If omitted, and if no data directory is named,
    /// USERPOOL_ENDPOINT names the server.
    #[arg(long, value_name = "ENDPOINT", value_parser = os_argument::endpoint())]
    from: Option<Endpoint>,
    #[command(flatten)]
    access: AccessArgs,
    /// Write to this file. An existing file is replaced only if the export succeeds, and a new one
    /// is readable only by its owner. If omitted or "-", standard output.
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
}

impl ExportCommand {
    pub(super) async fn run(self) -> Result<Outcome, CliError> {
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
        let written = match self.from {
            None => export_directory(&self.directory, exporter).await,
            Some(endpoint) => export_server(endpoint, self.access, exporter).await,
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
    directory: &DataDirArgs,
    mut exporter: Exporter<impl Write>,
) -> Result<Head, CliError> {
    let (_data_dir, log) = directory.open()?;
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
