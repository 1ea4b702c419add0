//! The correlation ID of a call, which links it to logs and traces. It is the client's,
//! from the header `x-request-id`, or a new one. The response carries it as well.

use std::sync::Arc;

use http::{HeaderValue, Request, Response};
use uuid::Uuid;

use crate::app::{Source, is_correlation_id};

/// The header that carries the correlation ID in both directions.
const HEADER: &str = "x-request-id";

/// A call's correlation ID, in the extensions of its request.
#[derive(Debug, Clone)]
pub(super) struct CorrelationId(pub(super) Arc<str>);

/// Takes the client's ID, or creates one if the client sent none that can be logged.
pub(super) fn establish<B>(request: &mut Request<B>, source: &dyn Source) -> Arc<str> {
    let given = request.headers().get(HEADER).and_then(|id| id.to_str().ok());
    let given = given.filter(|id| is_correlation_id(id));
    let id = given.map_or_else(|| new_id(source), Arc::from);
    request.extensions_mut().insert(CorrelationId(Arc::clone(&id)));
    id
}

/// Puts the ID into the response.
pub(super) fn insert_header<B>(response: &mut Response<B>, id: &str) {
    if let Ok(value) = HeaderValue::from_str(id) {
        response.headers_mut().insert(HEADER, value);
    }
}

fn new_id(source: &dyn Source) -> Arc<str> {
    let mut text = Uuid::encode_buffer();
    Arc::from(&*source.uuid().hyphenated().encode_lower(&mut text))
}
