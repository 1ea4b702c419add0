//! A response that is complete, in pieces: what is given to HTTP/2 is no longer counted or
//! dropped, so it gets as little as possible at a time.

use std::{
    collections::VecDeque,
    future,
    panic::AssertUnwindSafe,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use futures_util::FutureExt as _;
use http_body::{Body as _, Frame};
use tonic::{Status, body::Body};

use crate::{service::Error, telemetry::panic_message};

use super::{admission::CallKind, client_memory::TakenMemory};

/// How many bytes HTTP/2 gets at a time: one DATA frame.
const PIECE_BYTES: usize = 16 * 1024;

/// The rest of a response.
#[derive(Debug)]
struct BufferedResponse(VecDeque<Frame<Bytes>>);

/// Waits until the response to a call of this kind is complete, and takes memory for it.
pub(super) async fn buffer(
    mut body: Body,
    kind: CallKind,
    memory: &mut TakenMemory,
    correlation_id: &str,
) -> Result<Body, Error> {
    let collected = AssertUnwindSafe(collect(&mut body, kind, memory)).catch_unwind().await;
    let frames = collected.unwrap_or_else(|panic| {
        tracing::error!(correlation_id, panic = panic_message(&*panic), "panic");
        Err(Error::internal())
    })?;
    Ok(Body::new(BufferedResponse(frames)))
}

async fn collect(
    body: &mut Body,
    kind: CallKind,
    memory: &mut TakenMemory,
) -> Result<VecDeque<Frame<Bytes>>, Error> {
    let mut frames = VecDeque::new();
    while let Some(frame) = future::poll_fn(|cx| Pin::new(&mut *body).poll_frame(cx)).await {
        let frame = frame.map_err(|_| Error::internal())?;
        let bytes = frame.data_ref().map_or(0, Bytes::len);
        match kind {
            // The change is recorded, so it must not be answered as refused.
            CallKind::Write => memory.grow_beyond(bytes),
            CallKind::Probe | CallKind::Tool | CallKind::Watch | CallKind::Read => {
                memory.grow(bytes)?;
            }
        }
        frames.push_back(frame);
    }
    Ok(frames)
}

impl http_body::Body for BufferedResponse {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let Some(frame) = self.0.pop_front() else { return Poll::Ready(None) };
        let frame = match frame.into_data() {
            Ok(mut data) if data.len() > PIECE_BYTES => {
                let piece = data.split_to(PIECE_BYTES);
                self.0.push_front(Frame::data(data));
                Frame::data(piece)
            }
            Ok(data) => Frame::data(data),
            Err(frame) => frame,
        };
        Poll::Ready(Some(Ok(frame)))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_empty()
    }

    fn size_hint(&self) -> http_body::SizeHint {
        let bytes =
            self.0.iter().filter_map(|frame| frame.data_ref().map(Bytes::len)).sum::<usize>();
        http_body::SizeHint::with_exact(u64::try_from(bytes).unwrap_or(u64::MAX))
    }
}
