//! The body of a request: it must be small, arrive in time, and fit into the memory for
//! clients.

use std::{future::poll_fn, pin::pin, time::Duration};

use bytes::{Buf as _, Bytes, BytesMut};
use http_body::Body;
use tokio::{select, sync::watch, time::Instant};

use crate::{
    proto::ErrorReason,
    service::Error,
    transport::{Phase, interruption},
};

use super::error;

/// The largest accepted body, in bytes. Valid requests are much smaller.
const MAX_BODY_BYTES: usize = 1024 * 1024;
/// How long a body may take to arrive.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);

/// Reads a body to its end. `take_memory` is called with the bytes of each part before they
/// are kept.
///
/// # Errors
/// The body is too large, too slow or incomplete, there is no memory for it, or the server
/// stops.
pub(super) async fn read<B: Body<Data = Bytes>>(
    body: B,
    take_memory: impl FnMut(usize) -> Result<(), Error>,
    phase: &watch::Receiver<Phase>,
) -> Result<Bytes, Error> {
    // Refused before it is sent, if the client says how large it is.
    if body.size_hint().lower() > u64::try_from(MAX_BODY_BYTES).unwrap_or(u64::MAX) {
        return Err(too_large());
    }
    let deadline = Instant::now() + BODY_TIMEOUT;
    select! {
        // A body that has arrived is never interrupted.
        biased;
        collected = collect(body, take_memory) => collected,
        interruption = async { interruption(Some(deadline), phase.clone()).await } => {
            Err(interruption.into())
        }
    }
}

async fn collect<B: Body<Data = Bytes>>(
    body: B,
    mut take_memory: impl FnMut(usize) -> Result<(), Error>,
) -> Result<Bytes, Error> {
    let mut body = pin!(body);
    let mut bytes = BytesMut::new();
    while let Some(frame) = poll_fn(|cx| body.as_mut().poll_frame(cx)).await {
        // The client has closed the connection, so it does not read this error.
        let frame = frame.map_err(|_| Error::request_timeout())?;
        let Ok(data) = frame.into_data() else { continue };
        if bytes.len().saturating_add(data.remaining()) > MAX_BODY_BYTES {
            return Err(too_large());
        }
        take_memory(data.remaining())?;
        bytes.extend_from_slice(&data);
    }
    Ok(bytes.freeze())
}

fn too_large() -> Error {
    let message = format!("The request body is larger than {MAX_BODY_BYTES} bytes.");
    Error::raised(ErrorReason::LimitExceeded, error::TOO_LARGE, message)
}

#[cfg(test)]
mod tests {
    use std::{
        pin::Pin,
        task::{Context, Poll},
    };

    use bytes::Bytes;
    use http_body::Frame;
    use tokio::{sync::watch, time::Instant};

    use super::{BODY_TIMEOUT, read};
    use crate::{proto::ErrorReason, service::Error, transport::Phase};

    /// Sends one part and then nothing.
    struct SlowBody(Option<Bytes>);

    impl http_body::Body for SlowBody {
        type Data = Bytes;
        type Error = std::io::Error;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _cx: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, std::io::Error>>> {
            self.0.take().map_or(Poll::Pending, |part| Poll::Ready(Some(Ok(Frame::data(part)))))
        }
    }

    fn slow() -> SlowBody {
        SlowBody(Some(Bytes::from_static(b"{")))
    }

    // Here, because time must stand still while a client is slow.
    #[tokio::test(start_paused = true)]
    async fn a_slow_body_is_refused() {
        let (begun, mut taken) = (Instant::now(), 0);
        let take = |bytes| {
            taken += bytes;
            Ok(())
        };
        let phases = watch::Sender::new(Phase::Serving);
        let reason =
            read(slow(), take, &phases.subscribe()).await.err().map(|error| error.reason());
        assert_eq!(reason, Some(ErrorReason::DeadlineExceeded));
        assert_eq!(begun.elapsed(), BODY_TIMEOUT);
        assert_eq!(taken, 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_without_memory_is_refused_at_once() {
        let begun = Instant::now();
        let phases = watch::Sender::new(Phase::Serving);
        let refused =
            read(slow(), |_| Err(Error::overloaded("no memory")), &phases.subscribe()).await;
        assert_eq!(refused.err().map(|error| error.reason()), Some(ErrorReason::Overloaded));
        assert_eq!(begun.elapsed().as_secs(), 0);
    }
}
