//! Which calls are retried, and when.

use std::{error::Error, iter, time::Duration};

use tonic::{Code, Status, TimeoutExpired};
use tonic_types::StatusExt as _;

use crate::endpoint::Endpoint;

use super::random;

/// The pause before the first retry; it doubles for each one after it.
const INITIAL_PAUSE: Duration = Duration::from_millis(100);
/// The longest pause.
const MAX_PAUSE: Duration = Duration::from_secs(5);

/// The pauses between retries: exponential, with jitter, so that clients that lost the
/// same server at the same moment do not return together.
#[derive(Debug)]
pub(super) struct Backoff {
    pause: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { pause: INITIAL_PAUSE }
    }
}

impl Backoff {
    /// How long to wait before retrying a call that failed with `status`, or `None` if a
    /// retry cannot help.
    ///
    /// The pause is between half and all of the current one, in addition to the delay
    /// that the server asks for.
    pub(super) fn next_pause(&mut self, status: &Status) -> Option<Duration> {
        let requested = status.get_details_retry_info().and_then(|info| info.retry_delay);
        let can_retry = match status.code() {
            Code::Unavailable => true,
            // Without a delay, a retry would reach the same limit.
            Code::ResourceExhausted => requested.is_some(),
            Code::Ok
            | Code::Cancelled
            | Code::Unknown
            | Code::InvalidArgument
            | Code::DeadlineExceeded
            | Code::NotFound
            | Code::AlreadyExists
            | Code::PermissionDenied
            | Code::FailedPrecondition
            | Code::Aborted
            | Code::OutOfRange
            | Code::Unimplemented
            | Code::Internal
            | Code::DataLoss
            | Code::Unauthenticated => false,
        };
        can_retry.then(|| requested.unwrap_or_default() + self.advance())
    }

    /// The next pause, of which the one after it is twice as long.
    pub(super) fn advance(&mut self) -> Duration {
        let half = self.pause / 2;
        self.pause = self.pause.saturating_mul(2).min(MAX_PAUSE);
        half + half.mul_f64(random::jitter())
    }
}

/// Whether the client's own timeout ended the call.
pub(super) fn is_timeout(status: &Status) -> bool {
    causes(status).any(<dyn Error>::is::<TimeoutExpired>)
}

/// The status of a call that was not answered before its deadline.
pub(super) fn deadline_exceeded(deadline: Duration, request_id: &str) -> Status {
    let outcome = unknown_outcome(request_id);
    Status::deadline_exceeded(format!("no answer within {deadline:?}{outcome}"))
}

/// Returns the server's status unchanged. Converts a status of the transport, of any code,
/// to `UNAVAILABLE`.
pub(super) fn normalize(status: Status, endpoint: &Endpoint, request_id: &str) -> Status {
    match causes(&status).last() {
        Some(cause) => {
            let outcome = unknown_outcome(request_id);
            Status::unavailable(format!(
                "no connection to the server {endpoint} ({cause}){outcome}"
            ))
        }
        None => status,
    }
}

/// The addition to the message for a change that got no answer.
fn unknown_outcome(request_id: &str) -> String {
    match request_id {
        "" => String::new(),
        id => format!(
            "; the change may or may not have been recorded; it is safe to retry it with \
             request_id {id}"
        ),
    }
}

fn causes(status: &Status) -> impl Iterator<Item = &(dyn Error + 'static)> {
    iter::successors(status.source(), |&cause| cause.source())
}
