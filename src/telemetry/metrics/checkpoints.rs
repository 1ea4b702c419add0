//! Metrics of the checkpoints that the server publishes, and of the witnesses that cosign them.

use prometheus_client::{
    metrics::{counter::Counter, family::Family},
    registry::Registry,
};

use super::registrar::Registrar;

/// The metrics of checkpoints. Only those of [`Metrics`](super::Metrics) are exported.
#[derive(Debug, Clone)]
pub struct CheckpointMetrics {
    /// `userpool_checkpoint_writes_total`
    writes: Family<[(&'static str, &'static str); 1], Counter>,
    /// `userpool_cosignature_requests_total`
    requests: Family<Labels, Counter>,
}

type Labels = [(&'static str, String); 2];

impl Default for CheckpointMetrics {
    fn default() -> Self {
        let writes: Family<_, Counter> = Family::default();
        for is_written in [true, false] {
            let _ = writes.get_or_create(&write_labels(is_written));
        }
        Self { writes, requests: Family::default() }
    }
}

/// What came of asking a witness.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CosignatureOutcome {
    /// It cosigned the checkpoint.
    Cosigned,
    /// It denies that the log was continued, or does not know the log.
    Refused,
    /// It did not answer, or not with a cosignature, or has an error of its own.
    Failed,
}

impl CosignatureOutcome {
    const ALL: [Self; 3] = [Self::Cosigned, Self::Refused, Self::Failed];

    const fn label(self) -> &'static str {
        match self {
            Self::Cosigned => "cosigned",
            Self::Refused => "refused",
            Self::Failed => "failed",
        }
    }
}

impl CheckpointMetrics {
    /// Counts an attempt to write a checkpoint.
    pub fn count_write(&self, is_written: bool) {
        self.writes.get_or_create(&write_labels(is_written)).inc();
    }

    /// Creates the counters of a witness, because Prometheus can compute the first increase only
    /// if it has scraped the zero.
    pub fn create_witness(&self, witness: &str) {
        for outcome in CosignatureOutcome::ALL {
            let _ = self.requests.get_or_create(&labels(witness, outcome));
        }
    }

    /// Counts what came of asking a witness.
    pub fn count_cosignature(&self, witness: &str, outcome: CosignatureOutcome) {
        self.requests.get_or_create(&labels(witness, outcome)).inc();
    }

    pub(super) fn register(&self, registry: &mut Registry) {
        let help = "Attempts to write a checkpoint, by outcome";
        Registrar(registry).counters("userpool_checkpoint_writes", help, &self.writes);
        let help = "Requests to witnesses to cosign a checkpoint, by witness and outcome";
        Registrar(registry).counters("userpool_cosignature_requests", help, &self.requests);
    }
}

const fn write_labels(is_written: bool) -> [(&'static str, &'static str); 1] {
    [("outcome", if is_written { "written" } else { "failed" })]
}

fn labels(witness: &str, outcome: CosignatureOutcome) -> Labels {
    [("witness", witness.to_owned()), ("outcome", outcome.label().to_owned())]
}
