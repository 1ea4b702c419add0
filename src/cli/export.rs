//! `userpool log export`: exporting the log of a data directory or of a running server.

use std::{
    env,
    ffi::OsStr,
    fmt::{self, Display, Formatter},
    io::Write,
    path::{Path, PathBuf},
};

use clap::{Args, ValueEnum};

use crate::{
    app::Source,
    audit::{ExportFormat, Exporter, JsonLines, LogReader},
    event_log::{EventLog, Head, Position, PostgresSettings},
    proto::watch_user_pool_events_response::Content,
    telemetry::error_chain,
    transport::Endpoint,
};

use super::{
    connection::{AccessArgs, next_message},
    csv::CsvExport,
    data_dir,
    database::{self, DatabaseArgs},
    error::CliError,
    export_file::ExportFile,
    export_range::{ExportRange, LogExtent, RangeArgs, WatchedRange},
    os_argument,
    outcome::Outcome,
    output::print_note,
    progress,
};

/// The variables that name a server and a data directory to every command.
const ENDPOINT: &str = "USERPOOL_ENDPOINT";
const DATA_DIR: &str = "USERPOOL_DATA_DIR";
const DEFAULT_DATA_DIR: &str = "./data";
/// The extensions of other compressed files.
const UNKNOWN_COMPRESSIONS: [&str; 7] = ["xz", "bz2", "lz4", "br", "zip", "7z", "lzma"];
const ONE_LOG: &str = "name one log, with --from, --data-dir or --log-url";

#[derive(Debug, Args)]
#[expect(clippy::doc_markdown, reason = "the help shows the text as it is")]
#[command(
    after_help = "An export that does not begin with the first event can be verified, alone or with \
                  the exports before it, but it cannot be imported alone.\n\nExamples:\n  userpool log \
                  export --data-dir ./data log.jsonl\n  userpool log export --from 127.0.0.1:50051 \
                  log.jsonl.zst\n  userpool log export --from 127.0.0.1:50051 --since 1d today.jsonl.gz"
)]
pub(super) struct ExportCommand {
    /// Export the log in this data directory. No server may be using it. If omitted,
    /// USERPOOL_DATA_DIR, or else ./data, is exported.
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Export from this running server instead: HOST:PORT or unix:PATH. The export may include
    /// events that are recorded while it runs. If omitted, and if no data directory is named,
    /// USERPOOL_ENDPOINT or --context names the server.
    #[arg(long, value_name = "ENDPOINT", value_parser = os_argument::endpoint())]
    from: Option<Endpoint>,
    /// Write to this file, compressed with gzip or Zstandard if its name ends in .gz or .zst. An
    /// existing file is replaced only if the export succeeds, and a new one is readable only by its
    /// owner. If omitted or "-", standard output.
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
    /// Write in this format: jsonl, which can be verified and imported, or csv, for spreadsheets,
    /// which cannot. If omitted, jsonl.
    #[arg(short, long, value_name = "FORMAT", hide_possible_values = true)]
    output: Option<ExportOutput>,
    #[command(flatten)]
    range: RangeArgs,
    // Last, because their headings apply to every argument after them.
    #[command(flatten)]
    database: DatabaseArgs,
    #[command(flatten)]
    access: AccessArgs,
}

/// The format of an export.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum ExportOutput {
    /// One JSON document per line, with the stored record.
    Jsonl,
    /// Comma-separated values, without the record.
    Csv,
}

impl ExportCommand {
    pub(super) async fn run(self, source: &dyn Source) -> Result<Outcome, CliError> {
        let range = self.range.resolve(source.now())?;
        let origin = match self.database.settings()? {
            Some(_) if self.from.is_some() || self.data_dir.is_some() => {
                return Err(CliError::message(ONE_LOG));
            }
            Some(settings) => Origin::Database(settings),
            None => Origin::new(self.from, self.data_dir)?,
        };
        let path = self.file.as_deref().filter(|path| *path != Path::new("-"));
        let format: &'static dyn ExportFormat = match self.output {
            Some(ExportOutput::Csv) => &CsvExport,
            Some(ExportOutput::Jsonl) | None => &JsonLines,
        };
        check_extension(path)?;
        let mut file = ExportFile::create(path)?;
        let exported = match origin {
            Origin::Directory(path) => export_directory(&path, range, format, &mut file.out).await,
            Origin::Database(settings) => match database::open(settings).await {
                Ok(log) => export_log(&log, range, format, &mut file.out).await,
                Err(error) => Err(error),
            },
            Origin::Server(endpoint) => {
                export_server(endpoint, self.access, range, format, &mut file.out).await
            }
        };
        let exported = match exported {
            Ok(exported) => exported,
            Err(error) => {
                file.discard();
                return Err(error);
            }
        };
        file.keep()?;
        print_note(&exported.to_string());
        Ok(Outcome::Success)
    }
}

/// Refuses the name of a compression that is not written, because the file would not be compressed.
fn check_extension(path: Option<&Path>) -> Result<(), CliError> {
    let extension = path.and_then(Path::extension).and_then(OsStr::to_str).unwrap_or_default();
    if UNKNOWN_COMPRESSIONS.contains(&extension) {
        return Err(CliError::argument(format!(
            "an export is compressed as .gz or .zst, not as .{extension}; name another file, or pipe the \
             export into another program"
        )));
    }
    Ok(())
}

/// What an export has.
struct Exported {
    /// The position before its first event.
    after: Position,
    head: Head,
    /// The position that it was requested to begin after, if it begins earlier.
    requested_after: Option<Position>,
    /// The requested end, if the log goes on after the head.
    cut: Option<Position>,
    /// What the log has, if the export has no event.
    log: Option<LogExtent>,
}

impl Exported {
    /// How many events.
    const fn count(&self) -> u64 {
        self.head.position.0.saturating_sub(self.after.0)
    }
}

impl Display for Exported {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self { after, head: Head { position, hash }, requested_after, cut, log } = self;
        let (count, first) = (self.count(), after.next());
        match (count, after.0) {
            (0, 0) => f.write_str("exported no events")?,
            (0, _) => write!(f, "exported no events after position {after}")?,
            (_, _) => {
                write!(f, "exported {count} events, {first} to {position}, head hash {hash}")?;
            }
        }
        if let Some(extent) = log {
            write!(f, "; {extent}")?;
        }
        if let Some(requested) = requested_after.filter(|_| count > 0) {
            write!(
                f,
                "; events {first} to {requested} were written together with later ones and are \
                 included"
            )?;
        }
        if let Some(cut) = cut {
            let first = position.next();
            write!(
                f,
                "; events {first} to {cut} were written together with later ones and are left out"
            )?;
        }
        Ok(())
    }
}

/// The log to export.
#[derive(Debug, PartialEq, Eq)]
enum Origin {
    Directory(PathBuf),
    Database(PostgresSettings),
    Server(Endpoint),
}

impl Origin {
    /// A flag overrides the environment. If it names both, the command refuses.
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

async fn export_directory(
    path: &Path,
    range: ExportRange,
    format: &'static dyn ExportFormat,
    out: &mut impl Write,
) -> Result<Exported, CliError> {
    let (_data_dir, log) = data_dir::open(path).map_err(|error| {
        let remedy = "to export from a running server, name it with --from";
        CliError::message(format!("{}; {remedy}", error_chain(&error)))
    })?;
    export_log(&log, range, format, out).await
}

async fn export_log(
    log: &dyn EventLog,
    range: ExportRange,
    format: &'static dyn ExportFormat,
    out: &mut impl Write,
) -> Result<Exported, CliError> {
    let anchor = range.find_anchor(log).await?;
    let mut exporter = Exporter::for_range(out, format, anchor, range.end)?;
    let after = anchor.map_or(Position::START, |anchor| anchor.head.position);
    let end = log.head().borrow().position;
    let bar = progress::new_bar(end.0.saturating_sub(after.0));
    let mut reader = LogReader::after(log, after, end);
    while !exporter.is_finished()
        && let Some(record) = reader.next().await.map_err(CliError::other)?
    {
        exporter.push(&record)?;
        bar.inc(1);
    }
    bar.finish_and_clear();
    let mut result = finish(exporter, after, range)?;
    if result.count() == 0 {
        result.log = Some(LogExtent::of_log(log).await?);
    }
    Ok(result)
}

/// Exports every event of the range that was recorded before the call, and later events that
/// arrive in the meantime.
async fn export_server(
    endpoint: Endpoint,
    access: AccessArgs,
    range: ExportRange,
    format: &'static dyn ExportFormat,
    out: &mut impl Write,
) -> Result<Exported, CliError> {
    let client = access.connect(endpoint).await?;
    let WatchedRange { anchor, first, mut events } = range.watch(&client).await?;
    let mut exporter = Exporter::for_range(out, format, anchor, range.end)?;
    let after = anchor.map_or(Position::START, |anchor| anchor.head.position);
    let mut message = first;
    loop {
        match message {
            Content::Event(event) => exporter.push_event(&event)?,
            Content::Checkpoint(checkpoint) if checkpoint.caught_up => break,
            Content::Checkpoint(_) => (),
        }
        if exporter.is_finished() {
            break;
        }
        message = next_message(&client, &mut events).await?;
    }
    let mut result = finish(exporter, after, range)?;
    if result.count() == 0 {
        result.log = Some(LogExtent::of_server(&client).await?);
    }
    Ok(result)
}

fn finish(
    exporter: Exporter<&mut impl Write>,
    after: Position,
    range: ExportRange,
) -> Result<Exported, CliError> {
    let is_cut = exporter.is_finished();
    let head = exporter.finish()?;
    let cut = range.end.position.filter(|end| is_cut && *end > head.position);
    let requested_after = range.requested_after().filter(|requested| *requested > after);
    Ok(Exported { after, head, requested_after, cut, log: None })
}
