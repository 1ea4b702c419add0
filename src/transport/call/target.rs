//! The target of a call: the user pool and the domain that its request names. It is in the
//! record of the call, also if the call is refused before its request is decoded.

use std::{
    future,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use http_body::Body as _;
use tokio::{sync::Semaphore, time::timeout};
use tonic::body::Body;

use crate::service::Error;

use super::super::TargetReader;

/// How long to wait for the request of a call that is refused because of its caller. A call
/// that is refused for overload is answered at once, with what has already arrived.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(1);
/// How many refused calls may wait for their requests at a time; further ones are recorded
/// with what has already arrived.
const MAX_WAITING: usize = 256;

/// What the request of a call names, so far. Clones share it.
#[derive(Clone)]
pub(super) struct SharedTarget(Arc<Mutex<Box<dyn TargetReader>>>);

impl SharedTarget {
    pub(super) fn new(reader: Box<dyn TargetReader>) -> Self {
        Self(Arc::new(Mutex::new(reader)))
    }

    /// Takes the next bytes of the request.
    pub(super) fn read(&self, bytes: &[u8]) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).read(bytes);
    }

    /// Calls `record` with the user pool ID and the domain of a request that has arrived
    /// completely.
    pub(super) fn record(&self, record: impl FnOnce(Option<&str>, Option<&str>)) {
        let reader = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let target = reader.target();
        record(
            target.and_then(|target| target.user_pool_id.as_deref()),
            target.and_then(|target| target.domain.as_deref()),
        );
    }

    fn is_done(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).is_done()
    }
}

/// Reads the requests of refused calls.
#[derive(Debug)]
pub(super) struct RefusedRequests(Semaphore);

impl Default for RefusedRequests {
    fn default() -> Self {
        Self(Semaphore::new(MAX_WAITING))
    }
}

impl RefusedRequests {
    /// Reads the request of a refused call until its target is known, for a second at most.
    /// Nothing of it is kept but the target.
    pub(super) async fn read(&self, mut body: Body, target: &SharedTarget, error: &Error) {
        let permit = self.0.try_acquire();
        let can_wait = permit.is_ok() && !error.is_overload();
        let wait = if can_wait { REQUEST_TIMEOUT } else { Duration::ZERO };
        let _ = timeout(wait, read(&mut body, target)).await;
        drop(permit);
    }
}

async fn read(body: &mut Body, target: &SharedTarget) {
    while !target.is_done() {
        let frame = future::poll_fn(|cx| Pin::new(&mut *body).poll_frame(cx)).await;
        let Some(Ok(frame)) = frame else { return };
        if let Some(data) = frame.data_ref() {
            target.read(data);
        }
    }
}
