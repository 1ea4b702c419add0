//! The listener of a witness: C2SP's tlog-witness over HTTP.

use std::{
    collections::HashSet,
    convert::Infallible,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use axum::{
    Router,
    body::Bytes,
    extract::{Path, State},
    http::{StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse as _, Response},
    routing::{get, post},
};
use tokio::task::{self, JoinHandle};

use crate::{
    app::Source,
    audit::{
        AddCheckpoint, CheckpointWitness, LatestCheckpoints, WitnessRefusal,
        checkpoint::CheckpointText,
    },
    telemetry::error_chain,
    transport::{Endpoint, Listener},
};

use super::{ServerError, error::cannot_listen, plain_http};

/// The maximum number of open connections: more than witnesses have, and far fewer than the file
/// descriptors of a process.
const MAX_CONNECTIONS: usize = 256;
/// How many reports are remembered.
const MAX_REPORTED: usize = 1000;

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
pub(super) struct WitnessState {
    cosigning: Arc<Mutex<Cosigning>>,
    latest: LatestCheckpoints,
    source: Arc<dyn Source>,
}

/// What a thread has while it cosigns, also while it waits for the disk.
#[derive(Debug)]
pub(super) struct Cosigning {
    witness: CheckpointWitness,
    /// The names, sizes and roots of the checkpoints that were reported.
    reported: HashSet<(String, u64, [u8; 32])>,
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
            .with_state(WitnessState::new(witness, source));
        let task = tokio::spawn(plain_http::serve(listener, routes, MAX_CONNECTIONS));
        Ok(Self { endpoint, task })
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
    pub(super) fn new(witness: CheckpointWitness, source: Arc<dyn Source>) -> Self {
        let latest = witness.latest();
        let cosigning = Cosigning { witness, reported: HashSet::new() };
        Self { cosigning: Arc::new(Mutex::new(cosigning)), latest, source }
    }

    pub(super) fn cosigning(&self) -> MutexGuard<'_, Cosigning> {
        self.cosigning.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn add(&self, body: &[u8]) -> Result<String, WitnessRefusal> {
        let body =
            str::from_utf8(body).map_err(|_| WitnessRefusal::Malformed("it is not UTF-8"))?;
        let request = AddCheckpoint::parse(body)?;
        let mut cosigning = self.cosigning();
        let added = cosigning.witness.add(&request, self.source.now());
        if let Err(error @ (WitnessRefusal::NotContinued(_) | WitnessRefusal::OtherRoot)) = &added {
            cosigning.report(&request, error);
        }
        added.map(|cosignature| cosignature.to_string())
    }
}

impl Cosigning {
    /// Logs a checkpoint that its log signed, so that it proves what the log did. But anyone can
    /// send it with a wrong proof, and again and again.
    fn report(&mut self, request: &AddCheckpoint, error: &WitnessRefusal) {
        let Some(text) = CheckpointText::parse(&request.checkpoint.text) else { return };
        let checkpoint = self.witness.signed_by_log(&text.origin, &request.checkpoint);
        if self.reported.len() >= MAX_REPORTED {
            self.reported.clear();
        }
        if self.reported.insert((text.origin, text.tree.size, text.tree.root.0)) {
            let (error, checkpoint) = (error_chain(error), checkpoint.to_string());
            tracing::error!(
                error,
                checkpoint,
                "a log signed this checkpoint, which was not shown to continue its history"
            );
        }
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
            if matches!(refusal, WitnessRefusal::Storage(_)) {
                tracing::error!(error, "cannot cosign");
            } else {
                tracing::debug!(error, "refused a checkpoint");
            }
            (status, [(CONTENT_TYPE, TEXT)], format!("{error}\n")).into_response()
        }
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// The last checkpoint of a log, for monitors.
pub(super) async fn checkpoint(
    State(state): State<WitnessState>,
    Path(log): Path<String>,
) -> Response {
    match state.latest.note(&log) {
        Some(note) => ([(CONTENT_TYPE, TEXT)], note.to_string()).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}
