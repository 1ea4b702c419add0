//! Ends a call whose deadline passes or whose handler panics.

use std::{convert::Infallible, panic::AssertUnwindSafe, time::Duration};

use futures_util::FutureExt as _;
use http::Response;
use tokio::time::{Instant, timeout_at};
use tonic::body::Body;

use crate::{service::Error, telemetry::panic_message};

/// The deadline of a call that starts now. A timeout that overflows counts as none.
pub(super) fn of(timeout: Option<Duration>) -> Option<Instant> {
    Instant::now().checked_add(timeout?)
}

/// Runs the call until its deadline. A dropped call cancels its command, unless the
/// writer has already taken it.
pub(super) async fn answer(
    call: impl Future<Output = Result<Response<Body>, Infallible>>,
    deadline: Option<Instant>,
    correlation_id: &str,
) -> Result<Response<Body>, Error> {
    let call = AssertUnwindSafe(call).catch_unwind();
    let ended = match deadline {
        None => call.await,
        // Not started after its deadline, because it might be recorded.
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
