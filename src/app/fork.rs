//! Notices that a log which servers share no longer has what it had.

use tokio::sync::watch;

#[cfg(sim_bugs)]
use super::planted_bugs::PlantedBug;
use crate::event_log::{EventLog, Fork, Head, Position, ReadError, ReadLimit, Record};

/// Checks that a log which had `known` can end at `end` now.
///
/// # Errors
/// It ends before, or with another record.
pub(super) fn check_end(known: Head, end: Head) -> Result<(), Fork> {
    let is_continued = end.position > known.position || end == known;
    if is_continued { Ok(()) } else { Err(Fork { known, found: end }) }
}

/// What the log has in the place of `known`, or at its end if that is before; `None` if it still
/// has `known`.
///
/// # Errors
/// The log cannot be read.
pub(crate) async fn find(log: &dyn EventLog, known: Head) -> Result<Option<Fork>, ReadError> {
    if known.position == Position::START {
        return Ok(None);
    }
    let end = log.latest().await?;
    if end.position < known.position {
        return Ok(Some(Fork { known, found: end }));
    }
    let before = Position(known.position.0.saturating_sub(1));
    let records = log.read(before, ReadLimit { records: 1, ..ReadLimit::PAGE }).await?;
    let found = records.first().map_or(end, Record::head);
    Ok((found != known).then_some(Fork { known, found }))
}

/// Records the first fork that is noticed, which ends the server.
pub(super) fn report(forked: &watch::Sender<Option<Fork>>, fork: Fork) {
    #[cfg(sim_bugs)]
    if PlantedBug::ForkIgnored.is_planted() {
        return;
    }
    let note = |known: &mut Option<Fork>| {
        let is_first = known.is_none();
        known.get_or_insert(fork);
        is_first
    };
    if forked.send_if_modified(note) {
        tracing::error!(
            known = %fork.known,
            found = %fork.found,
            "the log has forked: it no longer has what it had; the server stops and keeps its files"
        );
    }
}
