//! The phase of the server.

/// The phases of a server, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// The server opens the log and brings the read model up to date.
    Starting,
    /// Calls are answered.
    Serving,
    /// The server is stopping: it was told to, or the log failed.
    Stopping,
}

impl Phase {
    /// The names of all phases.
    pub const NAMES: [&str; 3] =
        [Self::Starting.name(), Self::Serving.name(), Self::Stopping.name()];

    /// The name of the phase in metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Serving => "serving",
            Self::Stopping => "stopping",
        }
    }
}
