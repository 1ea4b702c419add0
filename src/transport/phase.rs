//! How far the server is.

/// The phases of a server, in the order in which it goes through them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// The log is being opened, or the read model brought up to it.
    Starting,
    /// Calls are answered.
    Serving,
    /// The server ends: it was stopped, or the log failed.
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
