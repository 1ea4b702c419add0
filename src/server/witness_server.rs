//! The listener of a witness: C2SP's tlog-witness over HTTP.

use std::{
    convert::Infallible,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use axum::{
    Router,
    body::Bytes,
    extract::{DefaultBodyLimit, Path, State},
    http::{StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse as _, Response},
    routing::{get, post},
};
use tokio::task::{self, JoinHandle};

use crate::{
    app::Source,
    audit::{AddCheckpoint, CheckpointWitness, WitnessRefusal},
    telemetry::error_chain,
    transport::{Endpoint, Listener},
};

use super::{ServerError, error::cannot_listen, plain_http};

/// More than any request has.
const MAX_REQUEST_BYTES: usize = 64 * 1024;

const TEXT: &str = "text/plain; charset=utf-8";
/// The type of a response that has the size of the last checkpoint.
const SIZE: &str = "text/x.tlog.size";

/// A running witness; closes on drop.
#[derive(Debug)]
pub struct WitnessServer {
    endpoint: Endpoint,
    task: JoinHandle<Infallible>,
}

#[derive(Debug, Clone)]
struct WitnessState {
    witness: Arc<Mutex<CheckpointWitness>>,
    source: Arc<dyn Source>,
}

impl WitnessServer {
    /// Listens and serves.
    ///
    /// # Errors
    /// The endpoint cannot be bound.
    pub async fn start(
        endpoint: &Endpoint,
        witness: CheckpointWitness,
        source: Arc<dyn Source>,
    ) -> Result<Self, ServerError> {
        let listener = Listener::bind(endpoint).await.map_err(cannot_listen(endpoint))?;
        let endpoint = listener.endpoint();
        let routes = Router::new()
            .route("/add-checkpoint", post(add_checkpoint))
            .route("/{log}/checkpoint", get(checkpoint))
            .layer(DefaultBodyLimit::max(MAX_REQUEST_BYTES))
            .with_state(WitnessState { witness: Arc::new(Mutex::new(witness)), source });
        Ok(Self { endpoint, task: tokio::spawn(plain_http::serve(listener, routes)) })
    }

    /// The address that it listens on, with the bound port.
    #[must_use]
    pub fn endpoint(&self) -> Endpoint {
        self.endpoint.clone()
    }
}

impl Drop for WitnessServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl WitnessState {
    fn witness(&self) -> MutexGuard<'_, CheckpointWitness> {
        self.witness.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, body: &[u8]) -> Result<String, WitnessRefusal> {
        let body =
            str::from_utf8(body).map_err(|_| WitnessRefusal::Malformed("it is not UTF-8"))?;
        let request = AddCheckpoint::parse(body)?;
        let added = self.witness().add(&request, self.source.now());
        if let Err(error @ (WitnessRefusal::NotContinued(_) | WitnessRefusal::OtherRoot)) = &added {
            // It is signed, so it proves what the log did. But anyone can send it with a wrong proof.
            let (error, checkpoint) = (error_chain(error), request.checkpoint.to_string());
            tracing::error!(
                error,
                checkpoint,
                "a log signed this checkpoint, which was not shown to continue its history"
            );
        }
        added.map(|cosignature| cosignature.to_string())
    }
}

async fn add_checkpoint(State(state): State<WitnessState>, body: Bytes) -> Response {
    // It syncs a file. A request whose client is gone is finished.
    #[expect(clippy::disallowed_methods, reason = "a simulation has no witness")]
    let added = task::spawn_blocking(move || state.add(&body)).await;
    match added {
        Ok(Ok(cosignature)) => {
            (StatusCode::OK, [(CONTENT_TYPE, TEXT)], cosignature).into_response()
        }
        Ok(Err(WitnessRefusal::OtherSize(size))) => {
            (StatusCode::CONFLICT, [(CONTENT_TYPE, SIZE)], format!("{size}\n")).into_response()
        }
        Ok(Err(refusal)) => {
            let status = match refusal {
                WitnessRefusal::Malformed(_) => StatusCode::BAD_REQUEST,
                WitnessRefusal::UnknownLog(_) => StatusCode::NOT_FOUND,
                WitnessRefusal::NotSigned(_) => StatusCode::FORBIDDEN,
                WitnessRefusal::OtherSize(_) | WitnessRefusal::OtherRoot => StatusCode::CONFLICT,
                WitnessRefusal::NotContinued(_) => StatusCode::UNPROCESSABLE_ENTITY,
                WitnessRefusal::Storage(_) => StatusCode::INTERNAL_SERVER_ERROR,
            };
            let error = error_chain(&refusal);
            tracing::warn!(error, "refused a checkpoint");
            (status, [(CONTENT_TYPE, TEXT)], format!("{error}\n")).into_response()
        }
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// The last checkpoint of a log, for monitors.
async fn checkpoint(State(state): State<WitnessState>, Path(log): Path<String>) -> Response {
    match state.witness().latest(&log) {
        Some(note) => ([(CONTENT_TYPE, TEXT)], note.to_string()).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}
