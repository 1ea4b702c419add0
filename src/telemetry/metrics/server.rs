//! What the process around the application measures.

use prometheus_client::{
    metrics::{family::Family, gauge::Gauge},
    registry::Registry,
};

use super::{Names, set};

/// The metrics of the process. Those of [`Default`] are read by nobody.
#[derive(Debug, Clone, Default)]
pub struct ServerMetrics {
    /// `userpool_phase`
    phase: Family<[(&'static str, &'static str); 1], Gauge>,
    /// `userpool_connections`
    connections: Gauge,
    /// `userpool_data_dir_free_bytes`
    free: Gauge,
}

/// An open connection, until dropped.
#[derive(Debug)]
pub struct OpenConnection(Gauge);

impl ServerMetrics {
    /// Of these phases, the server is in this one.
    pub fn phase(&self, phases: &[&'static str], now: &'static str) {
        for phase in phases {
            let is = i64::from(*phase == now);
            self.phase.get_or_create(&[("phase", *phase)]).set(is);
        }
    }

    /// A connection is open as long as what this returns.
    #[must_use]
    pub fn connection(&self) -> OpenConnection {
        self.connections.inc();
        OpenConnection(self.connections.clone())
    }

    /// The file system of the data directory has room for so many bytes more.
    pub fn free(&self, bytes: u64) {
        set(&self.free, bytes);
    }

    pub(super) fn register(&self, registry: &mut Registry) {
        let help = "1 for the phase that the server is in, 0 for the others";
        registry.register("userpool_phase", help, Family::clone(&self.phase));
        let mut names = Names(registry);
        names.gauge("userpool_connections", "Connections that are open", &self.connections);
        let help = "What the file system of the data directory has left";
        names.bytes("userpool_data_dir_free", help, &self.free);
    }
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.0.dec();
    }
}
