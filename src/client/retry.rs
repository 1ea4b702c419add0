//! What may be tried again, and when.

use std::{error::Error, iter, time::Duration};

use tonic::{Code, Status, TimeoutExpired};
use tonic_types::StatusExt as _;

use crate::app::Source;

/// The pause before the first repetition; doubled for each one after it.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// And this is the longest.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// The pauses between repetitions: longer each time, and never those of others, who
/// lost the same server at the same moment.
#[derive(Debug)]
pub(super) struct Backoff {
    pause: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { pause: FIRST_PAUSE }
    }
}

impl Backoff {
    /// How long to wait before trying again, or nothing where that is of no use.
    ///
    /// Between half of the pause and the whole, and that after what the server asks for.
    pub(super) fn after(&mut self, status: &Status, source: &dyn Source) -> Option<Duration> {
        let asked = status.get_details_retry_info().and_then(|info| info.retry_delay);
        let again = match status.code() {
            Code::Unavailable => true,
            // Without it, it is a limit that will be there the next time.
            Code::ResourceExhausted => asked.is_some(),
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
        if !again {
            return None;
        }
        let half = self.pause / 2;
        self.pause = self.pause.saturating_mul(2).min(LONGEST_PAUSE);
        Some(asked.unwrap_or_default() + half + half.mul_f64(random(source)))
    }
}

/// From 0 to 1: what is random in an identifier.
fn random(source: &dyn Source) -> f64 {
    let low = source.uuid().as_u128() & u128::from(u32::MAX);
    u32::try_from(low).map_or(0.0, |low| f64::from(low) / f64::from(u32::MAX))
}

/// Whether the transport gave up on the answer.
pub(super) fn is_late(status: &Status) -> bool {
    causes(status).any(<dyn Error>::is::<TimeoutExpired>)
}

/// No answer came in time.
pub(super) fn late(deadline: Duration, request_id: &str) -> Status {
    Status::deadline_exceeded(format!("no answer within {deadline:?}{}", unknown(request_id)))
}

/// What the server says; or that it is the transport that speaks, whatever code it has.
pub(super) fn told(status: Status, request_id: &str) -> Status {
    match causes(&status).last() {
        Some(cause) => {
            let unknown = unknown(request_id);
            Status::unavailable(format!("no connection to the server ({cause}){unknown}"))
        }
        None => status,
    }
}

/// What is to be said of a change that got no answer.
fn unknown(request_id: &str) -> String {
    match request_id {
        "" => String::new(),
        id => format!(
            "; the change may or may not have been recorded, and may be repeated safely with \
             request_id {id}"
        ),
    }
}

fn causes(status: &Status) -> impl Iterator<Item = &(dyn Error + 'static)> {
    iter::successors(status.source(), |&cause| cause.source())
}
