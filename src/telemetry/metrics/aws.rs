//! Metrics of the AWS JSON door.

use prometheus_client::{
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::Registry,
};

use super::{registrar::Registrar, server::OpenConnection};

/// The metrics of the AWS JSON door. Only those of [`Metrics`](super::Metrics) are exported.
#[derive(Debug, Clone, Default)]
pub struct AwsMetrics {
    /// `userpool_aws_requests_total`
    requests: Family<[(&'static str, &'static str); 2], Counter>,
    /// `userpool_aws_connections`
    connections: Gauge,
}

impl AwsMetrics {
    /// Creates the counters of these operations and results, because Prometheus can compute
    /// the first increase only if it has scraped the zero.
    pub fn create(&self, operations: &[&'static str], results: &[&'static str]) {
        for operation in operations {
            for result in results {
                let _ = self.requests.get_or_create(&labels(operation, result));
            }
        }
    }

    /// Counts a request by its operation and its result: `ok`, or the type of the error.
    pub fn count(&self, operation: &'static str, result: &'static str) {
        self.requests.get_or_create(&labels(operation, result)).inc();
    }

    /// Counts an open connection until the returned guard is dropped.
    #[must_use]
    pub fn connection(&self) -> OpenConnection {
        OpenConnection::open(&self.connections)
    }

    pub(super) fn register(&self, registry: &mut Registry) {
        let mut registrar = Registrar(registry);
        let help = "Requests of AWS clients, by operation and type of the answer";
        registrar.counters("userpool_aws_requests", help, &self.requests);
        let help = "Open connections of AWS clients";
        registrar.gauge("userpool_aws_connections", help, &self.connections);
    }
}

const fn labels(
    operation: &'static str,
    result: &'static str,
) -> [(&'static str, &'static str); 2] {
    [("operation", operation), ("type", result)]
}
