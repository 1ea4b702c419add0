//! Refused calls and connections, by reason.

use std::sync::Arc;

use prometheus_client::registry::Registry;

use super::{
    labeled::{LabelValue, LabeledCounters},
    registrar::Registrar,
};

/// Why a call or a connection was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefusalReason {
    /// The server was starting.
    Starting,
    /// The connection limit was reached.
    Connections,
    /// The TLS handshake failed, or the client's certificate has no usable name.
    Handshake,
    /// The limit of reads was reached.
    Reads,
    /// The limit of writes was reached.
    Writes,
    /// The limit of watches was reached.
    Watches,
    /// The limit of watches on one connection was reached.
    WatchesOfConnection,
    /// The limit of reflection calls and health watches was reached.
    Tools,
    /// The memory for requests was in use.
    Memory,
    /// The writer's queue was full.
    Queue,
    /// The caller's credentials were missing or invalid.
    Unauthenticated,
    /// The caller lacked the role.
    PermissionDenied,
    /// The signature of a request was invalid.
    BadSignature,
    /// A request was signed for another region.
    WrongRegion,
    /// A web page called whose origin is not allowed.
    Origin,
}

impl LabelValue for RefusalReason {
    const ALL: &'static [Self] = &[
        Self::Starting,
        Self::Connections,
        Self::Handshake,
        Self::Reads,
        Self::Writes,
        Self::Watches,
        Self::WatchesOfConnection,
        Self::Tools,
        Self::Memory,
        Self::Queue,
        Self::Unauthenticated,
        Self::PermissionDenied,
        Self::BadSignature,
        Self::WrongRegion,
        Self::Origin,
    ];

    fn label(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Connections => "connections",
            Self::Handshake => "handshake",
            Self::Reads => "reads",
            Self::Writes => "writes",
            Self::Watches => "watches",
            Self::WatchesOfConnection => "watches_of_connection",
            Self::Tools => "tools",
            Self::Memory => "memory",
            Self::Queue => "queue",
            Self::Unauthenticated => "unauthenticated",
            Self::PermissionDenied => "permission_denied",
            Self::BadSignature => "bad_signature",
            Self::WrongRegion => "wrong_region",
            Self::Origin => "origin",
        }
    }
}

/// `userpool_refused_total`. Only that of [`Metrics`](super::Metrics) is exported.
#[derive(Debug, Clone)]
pub struct RefusalCounters(Arc<LabeledCounters<RefusalReason>>);

impl Default for RefusalCounters {
    fn default() -> Self {
        Self(Arc::new(LabeledCounters::new("reason")))
    }
}

impl RefusalCounters {
    /// Counts a refused call or connection.
    pub fn count(&self, refusal: RefusalReason) {
        self.0.increment(refusal);
    }

    pub(super) fn register(&self, registry: &mut Registry) {
        let help = "Refused calls and connections, by reason";
        Registrar(registry).counters("userpool_refused", help, &self.0.family);
    }
}
