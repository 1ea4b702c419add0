//! The arguments of every command that makes a change.

use clap::Args;
use uuid::Uuid;

/// The options of a change.
#[derive(Debug, Clone, Args)]
pub(super) struct MutationArgs {
    /// Retry safely: a command with the same UUID prints the answer of the first one and changes
    /// nothing. If omitted, one is generated and printed when no answer arrives.
    #[arg(long, value_name = "UUID", value_parser = request_id)]
    pub(super) request_id: Option<String>,
    /// Check the request and print the answer, but record nothing; its position is 0.
    #[arg(long)]
    pub(super) validate_only: bool,
}

/// The revision that a user pool must have.
#[derive(Debug, Clone, Copy, Args)]
pub(super) struct ExpectedRevision {
    /// Fail unless the user pool is at this revision, which describe prints. If omitted, any
    /// revision is accepted; a command that asks accepts only the one that it showed, unless
    /// --request-id is given.
    #[arg(long, value_name = "N", value_parser = revision)]
    pub(super) expected_revision: Option<i64>,
}

/// Parses any integer; the server checks its range.
fn revision(text: &str) -> Result<i64, String> {
    text.parse().map_err(|_| "must be a revision, such as 3".to_owned())
}

/// Checks a request ID as the server does.
fn request_id(text: &str) -> Result<String, String> {
    match Uuid::try_parse(text) {
        Err(error) => Err(error.to_string()),
        Ok(uuid) if uuid.is_nil() => {
            Err("the nil UUID is not accepted, because it identifies no request".to_owned())
        }
        Ok(_) => Ok(text.to_owned()),
    }
}
