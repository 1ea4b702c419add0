//! The end of a call that does not end by itself: its deadline passes, or the code
//! behind it panics.

use std::{convert::Infallible, panic::AssertUnwindSafe, time::Duration};

use futures_util::FutureExt as _;
use http::Response;
use tokio::time::{Instant, timeout_at};
use tonic::body::Body;

use crate::{service::Error, telemetry::panic_message};

/// The answer, if it comes within `timeout`. A call that is dropped takes its command
/// with it, unless the writer has taken it up.
pub(super) async fn answer(
    call: impl Future<Output = Result<Response<Body>, Infallible>>,
    timeout: Option<Duration>,
    correlation_id: &str,
) -> Result<Response<Body>, Error> {
    let call = AssertUnwindSafe(call).catch_unwind();
    // A timeout beyond the end of time is none.
    let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
    let ended = match deadline {
        None => call.await,
        // A call that begins may be recorded, so a call that is late does not begin.
        Some(_) if timeout == Some(Duration::ZERO) => return Err(Error::deadline_exceeded()),
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
