//! The arguments of every command that makes a change.

use clap::Args;

/// The options of a change.
#[derive(Debug, Clone, Args)]
pub(super) struct MutationArgs {
    /// Retry safely: a command with the same UUID prints the answer of the first one and changes
    /// nothing. If omitted, one is generated and printed when no answer arrives.
    #[arg(long, value_name = "UUID")]
    pub(super) request_id: Option<String>,
    /// Check the request and print the answer, but record nothing; its position is 0.
    #[arg(long)]
    pub(super) validate_only: bool,
}

/// The revision that a user pool must have.
#[derive(Debug, Clone, Copy, Args)]
pub(super) struct ExpectedRevision {
    /// Fail unless the user pool is at this revision, which describe prints. If omitted, any
    /// revision is accepted.
    #[arg(long, value_name = "N")]
    pub(super) expected_revision: Option<i64>,
}
