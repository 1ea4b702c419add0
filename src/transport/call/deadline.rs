//! The end of a call that does not end by itself: its deadline passes, or the code
//! behind it panics.

use std::{convert::Infallible, panic::AssertUnwindSafe, time::Duration};

use futures_util::FutureExt as _;
use http::Response;
use tokio::time::{Instant, timeout_at};
use tonic::body::Body;

use crate::{service::Error, telemetry::panic_message};

/// When a call that arrives now has to end. A timeout beyond the end of time is none.
pub(super) fn of(timeout: Option<Duration>) -> Option<Instant> {
    Instant::now().checked_add(timeout?)
}

/// The answer, if it comes before the deadline. A call that is dropped takes its command
/// with it, unless the writer has taken it up.
pub(super) async fn answer(
    call: impl Future<Output = Result<Response<Body>, Infallible>>,
    deadline: Option<Instant>,
    correlation_id: &str,
) -> Result<Response<Body>, Error> {
    let call = AssertUnwindSafe(call).catch_unwind();
    let ended = match deadline {
        None => call.await,
        // A call that begins may be recorded, so a call that is late does not begin.
        Some(deadline) if deadline <= Instant::now() => return Err(Error::deadline_exceeded()),
        Some(deadline) => {
            timeout_at(deadline, call).await.map_err(|_| Error::deadline_exceeded())?
        }
    };
    match ended {
        Ok(Ok(response)) => Ok(response),
        Ok(Err(never)) => match never {},
        Err(panic) => {
            tracing::error!(correlation_id, panic = panic_message(&*panic), "panic");
            Err(Error::internal())
        }
    }
}
