//! The phase of the server.

/// The phases of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// The server opens the log and brings the read model up to date.
    Starting,
    /// Calls are answered.
    Serving,
    /// Calls are answered, but the read model is far behind a log that servers share.
    Behind,
    /// Calls are answered, but the log that servers share cannot be reached: those that need it
    /// are refused.
    LogUnreachable,
    /// The server is stopping, because the log no longer has what it had.
    Forked,
    /// The server is stopping: it was told to, or the log failed.
    Stopping,
}

impl Phase {
    /// The names of all phases.
    pub const NAMES: [&str; 6] = [
        Self::Starting.name(),
        Self::Serving.name(),
        Self::Behind.name(),
        Self::LogUnreachable.name(),
        Self::Forked.name(),
        Self::Stopping.name(),
    ];

    /// The name of the phase in metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Serving => "serving",
            Self::Behind => "behind",
            Self::LogUnreachable => "log_unreachable",
            Self::Forked => "forked",
            Self::Stopping => "stopping",
        }
    }

    /// Whether clients should call this server. If the log cannot be reached, other servers are
    /// hardly better, and an answer that says so is better than none.
    #[must_use]
    pub const fn is_ready(self) -> bool {
        match self {
            Self::Serving | Self::LogUnreachable => true,
            Self::Starting | Self::Behind | Self::Forked | Self::Stopping => false,
        }
    }

    /// Whether no other phase follows.
    #[must_use]
    pub const fn is_last(self) -> bool {
        matches!(self, Self::Forked | Self::Stopping)
    }
}
