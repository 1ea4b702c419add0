//! What every command that changes something may be given.

use clap::Args;

/// How to carry out a change.
#[derive(Debug, Clone, Args)]
pub(super) struct Change {
    /// Makes a retry safe: a UUID; the same command with it again answers as the first did and
    /// changes nothing. Absent: one is made for this run, which is told where no answer comes.
    #[arg(long, value_name = "UUID")]
    pub(super) request_id: Option<String>,
    /// Check and answer as always, but record nothing; the answer's position is 0.
    #[arg(long)]
    pub(super) validate_only: bool,
}

/// Which revision to change.
#[derive(Debug, Clone, Copy, Args)]
pub(super) struct Expected {
    /// Change nothing unless the user pool is at this revision, as describe shows it. Absent: no
    /// check.
    #[arg(long, value_name = "N")]
    pub(super) expected_revision: Option<i64>,
}
