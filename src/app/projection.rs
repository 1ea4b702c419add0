//! Prepares the read model on disk at the start: brings it up to date with the log, or
//! rebuilds it if it cannot be trusted.

use std::{
    fs, io,
    panic::{self, AssertUnwindSafe},
    path::Path,
};

use tokio::{sync::mpsc, task};

use crate::{
    audit::codec,
    event_log::{EventLog, Head, Position, ReadLimit},
    proto::UserPoolEvent,
    telemetry::error_chain,
};

use super::{LoadError, ReadModel, ReadModelError, Settings, unsynced};

/// How many events are applied between two progress messages.
const PROGRESS_INTERVAL: u64 = 100_000;
/// How many pages may be read ahead of the one that is being applied.
const MAX_PAGES_AHEAD: usize = 2;

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
    let progress = |position: Position| metrics.set_checkpoint(position.0);
    if let Some(read_model) = open(log, path, *cache).await? {
        match apply_rest(log, read_model, &progress).await {
            Ok(read_model) => return Ok(read_model),
            Err(LoadError::ReadModel(error)) => {
                tracing::warn!(
                    error = error_chain(&error),
                    "the read model is damaged; rebuilding it"
                );
            }
            Err(error @ (LoadError::Log(_) | LoadError::Decode(_) | LoadError::EndLost { .. })) => {
                return Err(error);
            }
        }
    } else {
        tracing::warn!(
            "the read model does not belong to this log, or was not closed; rebuilding it"
        );
    }
    rebuild(log, path, *cache, &progress).await
}

/// Deletes the read model at `path` and rebuilds it from the log, with `cache` bytes of it
/// cached in memory. Calls `progress` with the first position and with each position that
/// it reaches.
///
/// # Errors
/// The log cannot be read, or the read model cannot be written.
pub async fn rebuild(
    log: &dyn EventLog,
    path: &Path,
    cache: u64,
    progress: &(dyn Fn(Position) + Sync),
) -> Result<ReadModel, LoadError> {
    remove(path).map_err(|error| ReadModelError::Engine(error.into()))?;
    apply_rest(log, ReadModel::open(path, cache)?, progress).await
}

/// Builds a read model in memory from the log.
///
/// # Errors
/// The log cannot be read.
pub(super) async fn build_in_memory(log: &dyn EventLog) -> Result<ReadModel, LoadError> {
    let read_model = ReadModel::in_memory();
    let mut position = Position::START;
    loop {
        let records = log.read(position, ReadLimit::PAGE).await?;
        let Some(last) = records.last() else { return Ok(read_model) };
        position = last.position;
        read_model.load(records.iter().map(codec::decode).collect::<Result<_, _>>()?)?;
    }
}

/// Opens the read model at `path`. Returns `None` if it cannot be used with this log.
async fn open(log: &dyn EventLog, path: &Path, cache: u64) -> Result<Option<ReadModel>, LoadError> {
    if !unsynced::is_whole(path) {
        return Ok(None);
    }
    let opened = panic::catch_unwind(AssertUnwindSafe(|| {
        let read_model = ReadModel::open(path, cache)?;
        let checkpoint = read_model.checkpoint()?;
        Ok::<_, ReadModelError>((read_model, checkpoint))
    }));
    let (read_model, checkpoint) = match opened {
        Ok(Ok((read_model, Some(checkpoint)))) => (read_model, checkpoint),
        Ok(Ok((_, None))) | Err(_) => return Ok(None),
        Ok(Err(error)) => {
            tracing::warn!(error = error_chain(&error), "cannot open the read model");
            return Ok(None);
        }
    };
    Ok(continues(log, checkpoint.head()).await?.then_some(read_model))
}

/// Whether `head` is, or was at some time, the head of this log.
async fn continues(log: &dyn EventLog, head: Head) -> Result<bool, LoadError> {
    if head.position == Position::START {
        return Ok(true);
    }
    let end = log.head().borrow().position;
    if head.position > end {
        // Only durable records are projected, so the log has lost records.
        return Err(LoadError::EndLost { end, projected: head.position });
    }
    let before = Position(head.position.0.saturating_sub(1));
    let records = log.read(before, ReadLimit { records: 1, ..ReadLimit::PAGE }).await?;
    Ok(records.first().is_some_and(|record| record.hash == head.hash))
}

/// Applies the records that the read model lacks. A thread applies one page while the next
/// one is read and decoded.
async fn apply_rest(
    log: &dyn EventLog,
    read_model: ReadModel,
    progress: &(dyn Fn(Position) + Sync),
) -> Result<ReadModel, LoadError> {
    let mut position = read_model.checkpoint()?.unwrap_or_default().head().position;
    progress(position);
    let head = log.head().borrow().position;
    let behind = head.0.saturating_sub(position.0);
    if behind > 0 {
        tracing::info!(events = behind, "the read model is behind the log; catching up");
    }
    let (decoded, mut pages) = mpsc::channel::<Vec<UserPoolEvent>>(MAX_PAGES_AHEAD);
    #[expect(clippy::disallowed_methods, reason = "a read model in memory is not built here")]
    let applied = task::spawn_blocking(move || {
        while let Some(events) = pages.blocking_recv() {
            read_model.load(events)?;
        }
        Ok::<_, ReadModelError>(read_model)
    });
    let read = async {
        // Moved in, so that the thread ends when this future is dropped.
        let decoded = decoded;
        let mut reported = position.0;
        loop {
            let records = log.read(position, ReadLimit::PAGE).await?;
            let Some(last) = records.last() else { break };
            position = last.position;
            let events = records.iter().map(codec::decode).collect::<Result<_, _>>()?;
            // The channel is closed if applying has failed; the error is returned below.
            if decoded.send(events).await.is_err() {
                break;
            }
            progress(position);
            if position.0.saturating_sub(reported) >= PROGRESS_INTERVAL {
                reported = position.0;
                tracing::info!(%position, %head, "catching up");
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

fn remove(path: &Path) -> io::Result<()> {
    let removed = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    match removed {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}
