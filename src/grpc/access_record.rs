//! One record in the log of the process for each call.

use std::time::Instant;

use http::HeaderMap;
use tonic::Code;

/// One record per call, written when its last word is said; CANCELLED where the
/// client went away before that.
pub(super) struct AccessRecord {
    path: String,
    correlation_id: String,
    started: Instant,
    finished: bool,
}

impl AccessRecord {
    pub(super) fn new(path: &str, correlation_id: String) -> Self {
        let path = path.trim_start_matches('/').to_owned();
        Self { path, correlation_id, started: Instant::now(), finished: false }
    }

    pub(super) fn correlation_id(&self) -> &str {
        &self.correlation_id
    }

    pub(super) fn finish(&mut self, code: Code) {
        if std::mem::replace(&mut self.finished, true) {
            return;
        }
        let (method, request_id) = (&self.path, &self.correlation_id);
        let milliseconds = self.started.elapsed().as_secs_f64() * 1000.0;
        // Tools ask for reflection before every call, and probes for health.
        if method.starts_with("grpc.") {
            tracing::debug!(method, ?code, milliseconds, request_id, "rpc");
        } else {
            tracing::info!(method, ?code, milliseconds, request_id, "rpc");
        }
    }
}

impl Drop for AccessRecord {
    fn drop(&mut self) {
        self.finish(Code::Cancelled);
    }
}

/// The status that headers or trailers carry.
pub(super) fn code_of(headers: &HeaderMap) -> Option<Code> {
    headers.get("grpc-status").map(|value| Code::from_bytes(value.as_bytes()))
}
