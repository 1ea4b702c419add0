//! Metrics of the witnesses that cosign checkpoints.

use prometheus_client::{
    metrics::{counter::Counter, family::Family},
    registry::Registry,
};

use super::registrar::Registrar;

/// The metrics of witnesses. Only those of [`Metrics`](super::Metrics) are exported.
#[derive(Debug, Clone, Default)]
pub struct WitnessMetrics {
    /// `userpool_cosignature_requests_total`
    requests: Family<Labels, Counter>,
}

type Labels = [(&'static str, String); 2];

/// What came of asking a witness.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CosignatureOutcome {
    /// It cosigned the checkpoint.
    Cosigned,
    /// It denies that the log was continued, or does not know the log.
    Refused,
    /// It did not answer, or not with a cosignature.
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

impl WitnessMetrics {
    /// Creates the counters of a witness, because Prometheus can compute the first increase only
    /// if it has scraped the zero.
    pub fn create(&self, witness: &str) {
        for outcome in CosignatureOutcome::ALL {
            let _ = self.requests.get_or_create(&labels(witness, outcome));
        }
    }

    /// Counts what came of asking a witness.
    pub fn count(&self, witness: &str, outcome: CosignatureOutcome) {
        self.requests.get_or_create(&labels(witness, outcome)).inc();
    }

    pub(super) fn register(&self, registry: &mut Registry) {
        let help = "Requests to witnesses to cosign a checkpoint, by witness and outcome";
        Registrar(registry).counters("userpool_cosignature_requests", help, &self.requests);
    }
}

fn labels(witness: &str, outcome: CosignatureOutcome) -> Labels {
    [("witness", witness.to_owned()), ("outcome", outcome.label().to_owned())]
}
