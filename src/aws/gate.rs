//! The root service of every connection of this door: refuses calls until it is opened, then
//! decodes them, calls their operations, and encodes the responses.

use std::{
    convert::Infallible,
    sync::{Arc, OnceLock},
    task::{Context, Poll},
};

use futures_util::future::BoxFuture;
use http::{HeaderValue, Request, Response, header::CONTENT_LENGTH};
use tonic::{Code, body::Body};
use tower::Service;

use crate::{
    proto::ErrorReason,
    service::{Error, Operations},
    telemetry::metrics::{RefusalCounters, RefusalReason},
    transport::{self, FinalStatus, Protocol as _},
    user_pool::{InvalidRequest, Violation, lower_camel},
};

use super::{
    answer::full,
    call::OperationCall,
    decode::{self, Decoded, SerializationError},
    encode::encode,
    error::SERIALIZATION,
    operation::{Answer, ChangeOptions},
    protocol::AwsJson,
    shape::Shape,
};

/// Every operation. Refuses calls until it is opened. Clones share its state.
#[derive(Debug, Clone)]
pub struct Gate(Arc<State>);

#[derive(Debug)]
struct State {
    operations: OnceLock<Arc<Operations>>,
    refused: RefusalCounters,
}

impl Gate {
    /// Creates a closed gate.
    #[must_use]
    pub fn new(refused: RefusalCounters) -> Self {
        Self(Arc::new(State { operations: OnceLock::new(), refused }))
    }

    /// Opens the gate to calls of `operations`. A second call changes nothing.
    pub fn open(&self, operations: Arc<Operations>) {
        let _ = self.0.operations.set(operations);
    }
}

impl State {
    async fn answer(&self, mut request: Request<Body>) -> Result<String, Error> {
        let Some(call) = request.extensions_mut().remove::<OperationCall>() else {
            return Err(Error::internal());
        };
        let Some(operations) = self.operations.get() else {
            self.refused.count(RefusalReason::Starting);
            return Err(Error::starting());
        };
        let OperationCall { operation, api, body, request_id } = call;
        let (request_shape, response_shape) = operation.shapes(api)?;
        let Decoded { message, ignored, unknown_names, empty_lists } =
            decode::decode(request_shape, &body)?;
        if !ignored.is_empty() {
            tracing::debug!(
                operation = operation.name,
                members = ?ignored,
                "members that this server does not have are ignored"
            );
        }
        // Only a change records its caller.
        let caller = operation.is_change;
        let caller = caller.then(|| transport::caller(request.extensions(), request.headers()));
        // An empty list that must have an item is a violation. The others are found with it, and
        // nothing is recorded.
        let validate_only = !empty_lists.is_empty();
        let options = ChangeOptions { request_id, validate_only };
        let response =
            operation.call(operations, &message, caller.unwrap_or_default(), options).await;
        let response = response.map_err(|error| named(error, &unknown_names));
        let response = if empty_lists.is_empty() {
            response?
        } else {
            return Err(with_empty_lists(response.err(), &empty_lists, request_shape));
        };
        match operation.answer {
            Answer::Message { .. } => {
                encode(response_shape, &response).map_err(|_| Error::internal())
            }
            Answer::EmptyObject => Ok("{}".to_owned()),
            Answer::Nothing => Ok(String::new()),
        }
    }
}

impl Service<Request<Body>> for Gate {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let state = Arc::clone(&self.0);
        Box::pin(async move {
            Ok(match state.answer(request).await {
                Ok(json) => {
                    let length = HeaderValue::from(json.len());
                    let mut response = Response::new(full(json));
                    response.headers_mut().insert(CONTENT_LENGTH, length);
                    let status = FinalStatus {
                        code: Code::Ok,
                        http_status: 200,
                        reason: None,
                        error_type: None,
                    };
                    response.extensions_mut().insert(status);
                    response
                }
                Err(error) => AwsJson.refusal(error),
            })
        })
    }
}

impl From<SerializationError> for Error {
    fn from(error: SerializationError) -> Self {
        Self::raised(ErrorReason::InvalidRequest, SERIALIZATION, error.to_string())
    }
}

/// Shows the names that the request has instead of the numbers that stand for them.
fn named(error: Error, unknown_names: &[(i32, String)]) -> Error {
    if unknown_names.is_empty() {
        return error;
    }
    match error.clone().into_refusal().invalid {
        Some(invalid) => invalid.with_enum_names(unknown_names).into(),
        None => error,
    }
}

/// Adds the violations of empty lists, in the order of the members. An error that is not about
/// the request is returned as it is.
fn with_empty_lists(error: Option<Error>, lists: &[String], shape: &Shape) -> Error {
    let mut invalid = match error {
        Some(error) if error.reason() == ErrorReason::InvalidRequest => {
            error.into_refusal().invalid
        }
        Some(error) => return error,
        None => None,
    };
    let place = |field: &str| {
        let field = field.split(['.', '[']).next();
        shape.members().iter().position(|member| Some(member.field.as_str()) == field)
    };
    for list in lists {
        let list_place = place(list);
        let is_after = |violation: &Violation| {
            place(&violation.field).is_none_or(|place| Some(place) > list_place)
        };
        let path = lower_camel(list);
        invalid = Some(InvalidRequest::with_empty_list(invalid, list, &path, is_after));
    }
    invalid.map_or_else(Error::internal, Error::from)
}
