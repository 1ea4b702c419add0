//! The correlation ID of a call: the server logs the call under it, and an error has it.

use tonic::{
    Request, Status,
    metadata::{Ascii, MetadataValue},
};

use super::random;

/// The metadata that carries it in both directions.
const KEY: &str = "x-request-id";

/// The correlation ID of a call and its retries.
#[derive(Debug, Clone)]
pub(super) struct CorrelationId(Option<MetadataValue<Ascii>>);

impl CorrelationId {
    pub(super) fn new() -> Self {
        // A UUID is ASCII.
        Self(random::id().parse().ok())
    }

    /// The request with the ID.
    pub(super) fn send_with<Q>(&self, mut request: Request<Q>) -> Request<Q> {
        if let Some(id) = self.0.clone() {
            request.metadata_mut().insert(KEY, id);
        }
        request
    }

    /// The error with the ID, which it lacks if no answer came or a stream was cut off.
    pub(super) fn insert_into(&self, mut status: Status) -> Status {
        if let (Some(id), None) = (&self.0, status.metadata().get(KEY)) {
            status.metadata_mut().insert(KEY, id.clone());
        }
        status
    }
}
