//! Metrics of the server around the application.

use std::sync::atomic::Ordering;

use prometheus_client::{
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::Registry,
};

use super::registrar::{Registrar, set};

/// The metrics of the server. Only those of [`Metrics`](super::Metrics) are exported.
#[derive(Debug, Clone, Default)]
pub struct ServerMetrics {
    /// `userpool_phase`
    phase: Family<[(&'static str, &'static str); 1], Gauge>,
    /// `userpool_connections`
    connections: Gauge,
    /// `userpool_data_dir_free_bytes`
    free: Gauge,
    /// `userpool_stderr_lines_dropped_total`
    dropped_lines: Counter,
}

/// Counts an open connection until it is dropped.
#[derive(Debug)]
pub struct OpenConnection(Gauge);

impl ServerMetrics {
    /// Sets the phase of the server, which is one of `phases`.
    pub fn set_phase(&self, phases: &[&'static str], current: &'static str) {
        for phase in phases {
            let value = i64::from(*phase == current);
            self.phase.get_or_create(&[("phase", *phase)]).set(value);
        }
    }

    /// Counts an open connection until the returned guard is dropped.
    #[must_use]
    pub fn connection(&self) -> OpenConnection {
        OpenConnection::open(&self.connections)
    }

    /// Sets the free space in the file system of the data directory.
    pub fn set_free_bytes(&self, bytes: u64) {
        set(&self.free, bytes);
    }

    /// Sets the number of log lines that were dropped. It never decreases.
    pub fn set_dropped_lines(&self, lines: u64) {
        self.dropped_lines.inner().store(lines, Ordering::Relaxed);
    }

    pub(super) fn register(&self, registry: &mut Registry) {
        let help = "1 for the current phase of the server, 0 for the others";
        registry.register("userpool_phase", help, Family::clone(&self.phase));
        let mut registrar = Registrar(registry);
        registrar.gauge("userpool_connections", "Open connections", &self.connections);
        let help = "Free space in the file system of the data directory";
        registrar.bytes("userpool_data_dir_free", help, &self.free);
        let help = "Log lines that were dropped because stderr did not take them";
        registrar.0.register("userpool_stderr_lines_dropped", help, self.dropped_lines.clone());
    }
}

impl OpenConnection {
    pub(super) fn open(connections: &Gauge) -> Self {
        connections.inc();
        Self(connections.clone())
    }
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.0.dec();
    }
}
