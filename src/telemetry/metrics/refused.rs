//! What was not let in, and why.

use std::sync::Arc;

use prometheus_client::registry::Registry;

use super::{
    Names,
    labelled::{Labelled, Value},
};

/// Why a call or a connection was not let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The server was not there yet.
    Starting,
    /// All connections were taken.
    Connections,
    /// The handshake of TLS failed, or the client's certificate names nobody.
    Handshake,
    /// All places for reads were taken.
    Reads,
    /// All places for changes were taken.
    Writes,
    /// All watches were taken.
    Watches,
    /// All watches of the connection were taken.
    WatchesOfConnection,
    /// All places for reflection and watches of health were taken.
    Tools,
    /// Requests took all the memory that they may.
    RequestBytes,
    /// The writer's queue was full.
    Queue,
    /// The caller did not say who it is, or not so that it can be believed.
    Unauthenticated,
    /// The caller may not do this.
    PermissionDenied,
}

impl Value for Refusal {
    const ALL: &'static [Self] = &[
        Self::Starting,
        Self::Connections,
        Self::Handshake,
        Self::Reads,
        Self::Writes,
        Self::Watches,
        Self::WatchesOfConnection,
        Self::Tools,
        Self::RequestBytes,
        Self::Queue,
        Self::Unauthenticated,
        Self::PermissionDenied,
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
            Self::RequestBytes => "request_bytes",
            Self::Queue => "queue",
            Self::Unauthenticated => "unauthenticated",
            Self::PermissionDenied => "permission_denied",
        }
    }
}

/// `userpool_refused_total`. That of [`Default`] is read by nobody.
#[derive(Debug, Clone)]
pub struct Refused(Arc<Labelled<Refusal>>);

impl Default for Refused {
    fn default() -> Self {
        Self(Arc::new(Labelled::by("reason")))
    }
}

impl Refused {
    /// Counts a call or a connection that was not let in.
    pub fn count(&self, refusal: Refusal) {
        self.0.count(refusal);
    }

    pub(super) fn register(&self, registry: &mut Registry) {
        let help = "Calls and connections that were not let in, by reason";
        Names(registry).counters("userpool_refused", help, &self.0.family);
    }
}
