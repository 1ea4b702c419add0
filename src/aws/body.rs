//! The body of a request: it must be small, arrive in time, and fit into the memory for
//! requests.

use std::{future::poll_fn, pin::pin, sync::Arc, time::Duration};

use bytes::{Buf as _, Bytes, BytesMut};
use http_body::Body;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};

use crate::{
    proto::ErrorReason,
    service::Error,
    telemetry::metrics::{RefusalCounters, RefusalReason},
};

use super::error;

/// The largest accepted body, in bytes. Valid requests are much smaller.
const MAX_BODY_BYTES: usize = 1024 * 1024;
/// How long a body may take to arrive.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);
/// The bytes of all bodies in memory.
const MAX_BYTES_OF_ALL: usize = 64 * 1024 * 1024;

/// The memory for the bodies of all requests.
#[derive(Debug)]
pub(super) struct BodyMemory {
    bytes: Arc<Semaphore>,
    refused: RefusalCounters,
}

/// A body. Its memory is returned when it is dropped.
#[derive(Debug, Clone, Default)]
pub(super) struct ReadBody {
    pub(super) bytes: Bytes,
    _memory: Option<Arc<OwnedSemaphorePermit>>,
}

impl BodyMemory {
    pub(super) fn new(refused: RefusalCounters) -> Self {
        Self { bytes: Arc::new(Semaphore::new(MAX_BYTES_OF_ALL)), refused }
    }

    /// Reads a body to its end.
    ///
    /// # Errors
    /// It is too large, too slow or incomplete, or there is no memory for it.
    pub(super) async fn read<B>(&self, body: B) -> Result<ReadBody, Error>
    where
        B: Body<Data = Bytes>,
    {
        // Refused before it is sent, if the client says how large it is.
        if body.size_hint().lower() > u64::try_from(MAX_BODY_BYTES).unwrap_or(u64::MAX) {
            return Err(too_large());
        }
        timeout(BODY_TIMEOUT, self.collect(body))
            .await
            .unwrap_or_else(|_| Err(Error::request_timeout()))
    }

    async fn collect<B: Body<Data = Bytes>>(&self, body: B) -> Result<ReadBody, Error> {
        let mut body = pin!(body);
        let mut bytes = BytesMut::new();
        let mut memory: Option<OwnedSemaphorePermit> = None;
        while let Some(frame) = poll_fn(|cx| body.as_mut().poll_frame(cx)).await {
            // Whoever sent an incomplete body no longer reads the answer.
            let frame = frame.map_err(|_| Error::request_timeout())?;
            let Ok(data) = frame.into_data() else { continue };
            if bytes.len().saturating_add(data.remaining()) > MAX_BODY_BYTES {
                return Err(too_large());
            }
            let more = self.take(data.remaining())?;
            match &mut memory {
                Some(memory) => memory.merge(more),
                None => memory = Some(more),
            }
            bytes.extend_from_slice(&data);
        }
        Ok(ReadBody { bytes: bytes.freeze(), _memory: memory.map(Arc::new) })
    }

    fn take(&self, bytes: usize) -> Result<OwnedSemaphorePermit, Error> {
        let count = u32::try_from(bytes).unwrap_or(u32::MAX);
        let permit = Arc::clone(&self.bytes).try_acquire_many_owned(count);
        permit.map_err(|_| {
            self.refused.count(RefusalReason::Memory);
            Error::overloaded(
                "too many large requests are in memory; nothing was recorded, try again",
            )
        })
    }
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
    use tokio::time::{Duration, Instant};

    use super::{BODY_TIMEOUT, BodyMemory, MAX_BODY_BYTES};
    use crate::{proto::ErrorReason, telemetry::metrics::RefusalCounters};

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

    // Here, because time must stand still while a client is slow.
    #[tokio::test(start_paused = true)]
    async fn a_slow_body_is_refused_and_its_memory_returned() {
        let memory = BodyMemory::new(RefusalCounters::default());
        let free = memory.bytes.available_permits();
        let begun = Instant::now();
        let read = memory.read(SlowBody(Some(Bytes::from_static(b"{")))).await;
        let reason = read.err().map(|error| error.reason());
        assert_eq!(reason, Some(ErrorReason::DeadlineExceeded));
        assert_eq!(begun.elapsed(), BODY_TIMEOUT);
        assert_eq!(memory.bytes.available_permits(), free);
    }

    #[tokio::test(start_paused = true)]
    async fn bodies_beyond_the_memory_are_refused_at_once() {
        let memory = BodyMemory::new(RefusalCounters::default());
        let part = || Bytes::from(vec![b' '; MAX_BODY_BYTES]);
        let waiting = || Box::pin(memory.read(SlowBody(Some(part()))));
        let mut readers: Vec<_> = (0..64).map(|_| waiting()).collect();
        for reader in &mut readers {
            let waited = tokio::time::timeout(Duration::ZERO, reader.as_mut()).await;
            assert!(waited.is_err(), "it waits for the rest");
        }
        let refused = waiting().await.err().map(|error| error.reason());
        assert_eq!(refused, Some(ErrorReason::Overloaded));
    }
}
