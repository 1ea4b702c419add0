//! Refuses a message that is too long, by its length prefix, before reading it. The
//! status is `RESOURCE_EXHAUSTED`, as in other gRPC servers; tonic's is `OUT_OF_RANGE`.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::Frame;
use tonic::{Status, body::Body};

use crate::service::Error;

/// The largest accepted message, in bytes. Valid requests are much smaller.
pub(super) const MAX_REQUEST_BYTES: usize = 1024 * 1024;
/// The prefix of each message: the compression flag and the length.
pub(super) const PREFIX_BYTES: usize = 5;

/// A request body that refuses messages over the limit.
pub(super) struct LimitedBody {
    body: Body,
    prefix: [u8; PREFIX_BYTES],
    /// How many bytes of the next prefix were received.
    known: usize,
    /// How many bytes of the current message are still to come.
    left: usize,
}

impl LimitedBody {
    pub(super) fn wrap(body: Body) -> Body {
        Body::new(Self { body, prefix: [0; PREFIX_BYTES], known: 0, left: 0 })
    }

    /// Reads the length prefixes in these bytes and checks them.
    fn check(&mut self, mut bytes: &[u8]) -> Result<(), Status> {
        loop {
            let skipped = self.left.min(bytes.len());
            self.left -= skipped;
            bytes = bytes.get(skipped..).unwrap_or_default();
            if bytes.is_empty() {
                return Ok(());
            }
            let missing = self.prefix.iter_mut().skip(self.known);
            let found = missing.zip(bytes).map(|(known, byte)| *known = *byte).count();
            self.known += found;
            bytes = bytes.get(found..).unwrap_or_default();
            if self.known == PREFIX_BYTES {
                let [_, length @ ..] = self.prefix;
                self.left = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
                self.known = 0;
                if self.left > MAX_REQUEST_BYTES {
                    return Err(Error::request_too_large(MAX_REQUEST_BYTES).into());
                }
            }
        }
    }
}

impl http_body::Body for LimitedBody {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let frame = Pin::new(&mut self.body).poll_frame(cx);
        if let Poll::Ready(Some(Ok(frame))) = &frame
            && let Some(data) = frame.data_ref()
            && let Err(status) = self.check(data)
        {
            return Poll::Ready(Some(Err(status)));
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> http_body::SizeHint {
        self.body.size_hint()
    }
}
