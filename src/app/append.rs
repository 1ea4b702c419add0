//! Appends a batch, and resolves appends whose outcome is unknown.

use std::time::Duration;

use bytes::Bytes;
use tokio::time::sleep;

use crate::{
    event_log::{AppendError, EventLog, Head, ReadError, Record},
    telemetry::{
        error_chain,
        metrics::{AppMetrics, ResolvedOutcome},
    },
};

use super::fork;
#[cfg(sim_bugs)]
use {
    super::planted_bugs::{Branch, PlantedBug},
    crate::event_log::{Position, ReadLimit},
    futures_util::{FutureExt as _, future::BoxFuture},
};

/// How long to wait before using a failed log again.
pub(super) const RETRY_PAUSE: Duration = Duration::from_millis(100);

/// Appends one batch at `expected`.
///
/// If the log [can append again](EventLog::can_append_again), this waits until the
/// outcome is known, so it is never [`AppendError::Unknown`].
///
/// # Errors
/// See [`EventLog::append`].
pub(super) async fn append(
    log: &dyn EventLog,
    metrics: &AppMetrics,
    expected: Head,
    bodies: Vec<Bytes>,
) -> Result<Vec<Record>, AppendError> {
    if !log.can_append_again() {
        return log.append(expected, bodies).await;
    }
    match log.append(expected, bodies.clone()).await {
        #[cfg(sim_bugs)]
        Err(AppendError::Unknown(_)) if PlantedBug::UnknownAsConflict.is_planted() => {
            Err(AppendError::Conflict { expected, actual: expected })
        }
        #[cfg(sim_bugs)]
        Err(AppendError::Unknown(error)) if PlantedBug::UnknownAsNotAppended.is_planted() => {
            Err(AppendError::NotAppended(error))
        }
        Err(AppendError::Unknown(error)) => {
            let error = error_chain(&*error);
            tracing::warn!(error, position = %expected.position, "an append failed; resolving it");
            metrics.begin_unknown_outcome();
            let resolved = resolve(log, expected, bodies).await;
            metrics.end_unknown_outcome(match resolved {
                Ok(_) => ResolvedOutcome::Appended,
                Err(_) => ResolvedOutcome::NotAppended,
            });
            resolved
        }
        appended @ (Ok(_)
        | Err(
            AppendError::Conflict { .. } | AppendError::NotAppended(_) | AppendError::Forked(_),
        )) => appended,
    }
}

/// Confirms that the log still ends at `expected`, for answers without a batch: they must not
/// be based on a state that another writer has changed. With `durable`, also that the log up to
/// there is durable, for answers that acknowledge what was recorded before.
///
/// # Errors
/// As for [`append`].
pub(super) async fn confirm(
    log: &dyn EventLog,
    expected: Head,
    durable: bool,
) -> Result<(), AppendError> {
    #[cfg(sim_bugs)]
    if PlantedBug::StaleRefusal.is_planted() {
        return Ok(());
    }
    let latest = if durable { log.durable_head().await } else { log.latest().await };
    match latest {
        Ok(actual) if actual == expected => Ok(()),
        Ok(actual) => Err(AppendError::Conflict { expected, actual }),
        Err(ReadError::Unavailable(error)) => Err(AppendError::NotAppended(error)),
        Err(ReadError::Forked(fork)) => Err(AppendError::Forked(fork)),
        Err(error @ ReadError::Damaged { .. }) => Err(AppendError::Unknown(error.into())),
    }
}

/// The record after a position, whether it is durable or not.
#[cfg(sim_bugs)]
fn visible_record(
    log: &dyn EventLog,
    after: Position,
) -> BoxFuture<'_, Result<Option<Record>, ReadError>> {
    let limit = ReadLimit { records: 1, bytes: 0 };
    async move { Ok(log.read(after, limit).await?.into_iter().next()) }.boxed()
}

/// Finds out whether a batch with an unknown append outcome was written, and appends it
/// again while no record follows `expected`.
///
/// The earlier append may still be in flight and arrive at any time. So a conflict proves
/// nothing here: only the record after `expected` shows which writer was first, and only once it
/// is durable, because a record may be visible before that.
async fn resolve(
    log: &dyn EventLog,
    expected: Head,
    bodies: Vec<Bytes>,
) -> Result<Vec<Record>, AppendError> {
    let own = Record::chain(expected, bodies.clone());
    loop {
        let next = log.durable_record(expected.position);
        #[cfg(sim_bugs)]
        let next = if PlantedBug::AcknowledgedNotDurable.is_planted() {
            visible_record(log, expected.position)
        } else {
            next
        };
        match next.await {
            Ok(next) => match next {
                Some(next) if own.first() == Some(&next) => {
                    #[cfg(sim_bugs)]
                    Branch::ResolvedAsOwn.reach();
                    return Ok(own);
                }
                Some(next) => {
                    #[cfg(sim_bugs)]
                    Branch::ResolvedAsOther.reach();
                    return Err(AppendError::Conflict { expected, actual: next.head() });
                }
                None => match log.append(expected, bodies.clone()).await {
                    #[cfg(sim_bugs)]
                    Err(conflict @ AppendError::Conflict { .. })
                        if PlantedBug::OwnConflict.is_planted() =>
                    {
                        return Err(conflict);
                    }
                    Ok(records) => return Ok(records),
                    Err(error @ AppendError::Forked(_)) => return Err(error),
                    Err(AppendError::Conflict { actual, .. }) => {
                        fork::check_end(expected, actual).map_err(AppendError::Forked)?;
                    }
                    Err(AppendError::NotAppended(_) | AppendError::Unknown(_)) => (),
                },
            },
            Err(ReadError::Unavailable(_)) => (),
            Err(ReadError::Forked(fork)) => return Err(AppendError::Forked(fork)),
            Err(error @ ReadError::Damaged { .. }) => {
                return Err(AppendError::Unknown(error.into()));
            }
        }
        sleep(RETRY_PAUSE).await;
    }
}
