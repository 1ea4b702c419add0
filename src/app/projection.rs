//! Prepares the read model on disk at the start: brings it up to date with the log, or
//! rebuilds it if it cannot be trusted.

use std::{fs, io, path::Path};

use tokio::{sync::mpsc, task};

use crate::{
    audit::{DecodeError, codec, merkle::leaf_hash},
    event_log::{Defect, EventLog, Hash, Head, Position, ReadError, ReadLimit, Record},
    proto::UserPoolEvent,
    telemetry::{error_chain, metrics::RebuildReason},
};

use super::{
    Damage, LoadError, ReadModel, ReadModelError, Settings, fork,
    read_model::{Changes, ProjectError},
};

/// How many events are applied between two progress messages.
const PROGRESS_INTERVAL: u64 = 100_000;
/// How many pages may be read ahead of the one that is being applied. Together they have more
/// events than a loaded batch, so reading goes on while a batch is written.
const MAX_PAGES_AHEAD: usize = 6;
/// About how many bytes are written at once while a read model is built.
const LOADED_BATCH: usize = 8 * 1024 * 1024;
/// A file that only a read model of version 0.1 has.
const OLD_FILE: &str = "db";

/// Opens the read model at `path` and applies the records that it lacks. Updates the
/// progress metrics.
///
/// # Errors
/// The log cannot be read, or the read model cannot be written.
pub(super) async fn catch_up(
    log: &dyn EventLog,
    path: &Path,
    settings: &Settings,
) -> Result<ReadModel, LoadError> {
    let Settings { cache, metrics, .. } = settings;
    let progress = |position: Position| metrics.set_included(position.0);
    let end = log.latest().await?.position;
    let reason = match open(log, path, *cache).await? {
        Opened::Usable(read_model) => {
            match apply(log, *read_model, Mode::Apply, end, &progress).await {
                Ok(read_model) => return Ok(read_model),
                Err(error @ (LoadError::ReadModel(_) | LoadError::Contradiction { .. })) => {
                    tracing::warn!(
                        error = error_chain(&error),
                        "the read model is damaged; rebuilding it"
                    );
                    RebuildReason::Damaged
                }
                Err(
                    error @ (LoadError::Log(_) | LoadError::Decode(_) | LoadError::EndLost { .. }),
                ) => {
                    return Err(error);
                }
            }
        }
        Opened::Unusable(reason) => reason,
    };
    metrics.count_rebuild(reason);
    build(log, path, *cache, end, &progress).await
}

/// Builds a new read model of the log in a directory beside `path`, and then replaces the
/// one at `path`. Calls `progress` with the first position and with each position that it
/// reaches.
///
/// # Errors
/// The log cannot be read, or the read model cannot be written. The old one is unchanged.
pub async fn rebuild(
    log: &dyn EventLog,
    path: &Path,
    cache: u64,
    progress: &(dyn Fn(Position) + Sync),
) -> Result<(), LoadError> {
    let scratch = path.with_extension("scratch");
    let end = log.head().borrow().position;
    match build(log, &scratch, cache, end, progress).await.map(drop) {
        Ok(()) => {
            remove(path)?;
            Ok(fs::rename(&scratch, path).map_err(|error| ReadModelError::Engine(error.into()))?)
        }
        Err(error) => {
            remove(&scratch)?;
            Err(error)
        }
    }
}

/// Deletes what is at `path`, and builds a read model of the log up to `end` there.
async fn build(
    log: &dyn EventLog,
    path: &Path,
    cache: u64,
    end: Position,
    progress: &(dyn Fn(Position) + Sync),
) -> Result<ReadModel, LoadError> {
    remove(path)?;
    apply(log, ReadModel::create(path, cache)?, Mode::Load, end, progress).await
}

/// Compares the read model at `path` with a new one of the log, which is built in a
/// directory beside it and then deleted. Calls `progress` as [`rebuild`] does.
///
/// # Errors
/// The log cannot be read, or an event in it contradicts the events before it; or the new
/// read model cannot be written.
pub async fn compare(
    log: &dyn EventLog,
    path: &Path,
    cache: u64,
    progress: &(dyn Fn(Position) + Sync),
) -> Result<Comparison, LoadError> {
    let scratch = path.with_extension("scratch");
    let compared = compare_with(log, path, &scratch, cache, progress).await;
    let removed = remove(&scratch);
    let comparison = compared?;
    removed?;
    Ok(comparison)
}

async fn compare_with(
    log: &dyn EventLog,
    path: &Path,
    scratch: &Path,
    cache: u64,
    progress: &(dyn Fn(Position) + Sync),
) -> Result<Comparison, LoadError> {
    let opened = match open(log, path, cache).await? {
        Opened::Usable(read_model) => match read_model.check_states() {
            Ok(()) => Ok((read_model.head(), read_model.digest())),
            Err(_) => Err(RebuildReason::Damaged),
        },
        Opened::Unusable(reason) => Err(reason),
    };
    let end = log.head().borrow().position;
    let middle = opened.as_ref().map_or(Position::START, |(head, _)| head.position);
    let rebuilt = build(log, scratch, cache, middle, progress).await?;
    let digest = rebuilt.digest();
    apply(log, rebuilt, Mode::Apply, end, progress).await?;
    Ok(match opened {
        Ok((head, found)) if found == digest => Comparison::Equal(head.position),
        Ok((head, _)) => Comparison::Different(head.position),
        Err(RebuildReason::Damaged) => Comparison::Damaged,
        Err(RebuildReason::Missing | RebuildReason::OtherForm | RebuildReason::OtherLog) => {
            Comparison::Missing
        }
    })
}

/// How a read model compares with its log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    /// It is what the log says up to this position, which is its last one.
    Equal(Position),
    /// It is not what the log says up to this position, which is its last one.
    Different(Position),
    /// It is damaged.
    Damaged,
    /// The log has no read model, or that of another log is in its place.
    Missing,
}

/// Builds a read model in memory from the log.
///
/// # Errors
/// The log cannot be read, or lacks a record before its end.
pub(super) async fn build_in_memory(log: &dyn EventLog) -> Result<ReadModel, LoadError> {
    let read_model = ReadModel::in_memory();
    let (mut position, end) = (Position::START, log.latest().await?.position);
    loop {
        let records = read(log, position, end, ReadLimit::PAGE).await?;
        let Some(last) = records.last() else { return Ok(read_model) };
        position = last.position;
        let decoded = records.iter().map(decode).collect::<Result<_, _>>()?;
        let mut changes = read_model.changes();
        project(&read_model, &mut changes, decoded)?;
        read_model.apply(changes)?;
    }
}

/// Reads the records after a position.
///
/// # Errors
/// The log cannot be read, or returns none before `end`.
async fn read(
    log: &dyn EventLog,
    after: Position,
    end: Position,
    limit: ReadLimit,
) -> Result<Vec<Record>, ReadError> {
    let records = log.read(after, limit).await?;
    if records.is_empty() && after < end {
        return Err(ReadError::Damaged { position: after.next(), defect: Defect::Missing });
    }
    Ok(records)
}

/// Whether the read model on disk can be used.
enum Opened {
    Usable(Box<ReadModel>),
    Unusable(RebuildReason),
}

/// Opens the read model at `path`, and logs why it cannot be used with this log.
async fn open(log: &dyn EventLog, path: &Path, cache: u64) -> Result<Opened, LoadError> {
    if fs::read_dir(path).is_ok_and(|mut entries| entries.next().is_none()) || !path.exists() {
        tracing::info!("there is no read model; building it");
        return Ok(Opened::Unusable(RebuildReason::Missing));
    }
    if path.join(OLD_FILE).is_file() {
        tracing::info!(
            path = %path.display(),
            "replacing the read model of an earlier version; it is built from the log"
        );
        return Ok(Opened::Unusable(RebuildReason::OtherForm));
    }
    let read_model = match ReadModel::open(path, cache) {
        Ok(read_model) => read_model,
        Err(error) if error.is_no_access() => return Err(error.into()),
        Err(ReadModelError::Damaged(Damage::Unfinished)) => {
            tracing::info!("the read model was not built to the end; building it again");
            return Ok(Opened::Unusable(RebuildReason::Missing));
        }
        Err(error) => {
            let reason = match &error {
                ReadModelError::Damaged(Damage::OtherForm(_)) => RebuildReason::OtherForm,
                ReadModelError::Damaged(_) | ReadModelError::Engine(_) => RebuildReason::Damaged,
            };
            let error = error_chain(&error);
            tracing::warn!(error, "the read model cannot be used; rebuilding it");
            return Ok(Opened::Unusable(reason));
        }
    };
    if !continues(log, read_model.head()).await? {
        tracing::warn!("the read model does not belong to this log; rebuilding it");
        return Ok(Opened::Unusable(RebuildReason::OtherLog));
    }
    match read_model.restore_tree(log).await {
        Ok(()) => Ok(Opened::Usable(Box::new(read_model))),
        Err(LoadError::ReadModel(error)) => {
            let error = error_chain(&error);
            tracing::warn!(error, "the read model is damaged; rebuilding it");
            Ok(Opened::Unusable(RebuildReason::Damaged))
        }
        Err(error) => Err(error),
    }
}

/// Whether `head` is, or was at some time, the head of this log.
async fn continues(log: &dyn EventLog, head: Head) -> Result<bool, LoadError> {
    match fork::find(log, head).await? {
        None => Ok(true),
        // Others go on from what this server has seen, so it must not be forgotten.
        Some(fork) if log.is_shared() => Err(ReadError::Forked(fork).into()),
        // Only durable records are projected, so the log has lost records.
        Some(fork) if fork.found.position < head.position => {
            Err(LoadError::EndLost { end: fork.found.position, projected: head.position })
        }
        Some(_) => Ok(false),
    }
}

/// How events are written to the read model.
#[derive(Debug, Clone, Copy)]
enum Mode {
    /// Each page atomically, with its checkpoint.
    Apply,
    /// In large batches, and the checkpoint at the end.
    Load,
}

impl Mode {
    /// Writes the changes of a page. Returns those that are not written yet.
    fn write(self, read_model: &ReadModel, changes: Changes) -> Result<Changes, ReadModelError> {
        match self {
            Self::Apply => read_model.apply(changes).map(|()| read_model.changes()),
            Self::Load => read_model.load(changes, LOADED_BATCH),
        }
    }

    /// Writes the rest.
    fn finish(self, read_model: &ReadModel, changes: Changes) -> Result<(), ReadModelError> {
        match self {
            Self::Apply => Ok(()),
            Self::Load => read_model.finish_loading(changes),
        }
    }
}

/// Applies the records up to `end` that the read model lacks. A thread applies one page
/// while the next one is read and decoded.
async fn apply(
    log: &dyn EventLog,
    read_model: ReadModel,
    mode: Mode,
    end: Position,
    progress: &(dyn Fn(Position) + Sync),
) -> Result<ReadModel, LoadError> {
    let mut position = read_model.head().position;
    progress(position);
    let behind = end.0.saturating_sub(position.0);
    if behind > 0 && matches!(mode, Mode::Apply) {
        tracing::info!(events = behind, "the read model is behind the log; catching up");
    }
    let (decoded, mut pages) = mpsc::channel::<Vec<Decoded>>(MAX_PAGES_AHEAD);
    #[expect(clippy::disallowed_methods, reason = "a read model in memory is not built here")]
    let applied = task::spawn_blocking(move || {
        let mut changes = read_model.changes();
        while let Some(page) = pages.blocking_recv() {
            project(&read_model, &mut changes, page)?;
            changes = mode.write(&read_model, changes)?;
        }
        mode.finish(&read_model, changes)?;
        Ok::<_, ProjectError>(read_model)
    });
    let read = async {
        // Moved in, so that the thread ends when this future is dropped.
        let decoded = decoded;
        let mut reported = position.0;
        while position < end {
            let left = usize::try_from(end.0.saturating_sub(position.0)).unwrap_or(usize::MAX);
            let limit = ReadLimit { records: ReadLimit::PAGE.records.min(left), ..ReadLimit::PAGE };
            let records = read(log, position, end, limit).await?;
            let Some(last) = records.last() else { break };
            position = last.position;
            let page = records.iter().map(decode).collect::<Result<_, _>>()?;
            // The channel is closed if applying has failed; the error is returned below.
            if decoded.send(page).await.is_err() {
                break;
            }
            progress(position);
            if position.0.saturating_sub(reported) >= PROGRESS_INTERVAL {
                reported = position.0;
                tracing::info!(%position, head = %end, "catching up");
            }
        }
        Ok(())
    };
    let read = read.await;
    // Even if reading failed: the directory is in use until the thread has ended.
    let panicked = |panic: task::JoinError| ReadModelError::Engine(panic.into());
    let read_model = applied.await.map_err(panicked)??;
    read.map(|()| read_model)
}

/// An event, and the hash of its record.
type Decoded = (UserPoolEvent, Hash);

fn decode(record: &Record) -> Result<Decoded, DecodeError> {
    Ok((codec::decode(record)?, leaf_hash(&record.stored)))
}

/// Adds the next events of the log to the changes.
fn project(
    read_model: &ReadModel,
    changes: &mut Changes,
    decoded: Vec<Decoded>,
) -> Result<(), ProjectError> {
    decoded.into_iter().try_for_each(|(mut event, leaf)| {
        changes.add_leaf(leaf);
        changes.project(read_model, &mut event)
    })
}

/// Deletes what is at `path`. Some network file systems keep files that are still open, so
/// what cannot be deleted yet is moved out of the way, and deleted the next time.
fn remove(path: &Path) -> Result<(), ReadModelError> {
    let removed = if path.is_dir() { remove_directory(path) } else { fs::remove_file(path) };
    match removed {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(ReadModelError::Engine(error.into()))
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

fn remove_directory(path: &Path) -> io::Result<()> {
    let left = path.with_extension("removed");
    // Ignored: it may be missing, or still in use.
    let _ = fs::remove_dir_all(&left);
    match fs::remove_dir_all(path) {
        Err(error) if is_in_use(&error) => fs::rename(path, &left),
        removed => removed,
    }
}

fn is_in_use(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::DirectoryNotEmpty | io::ErrorKind::ResourceBusy)
}
