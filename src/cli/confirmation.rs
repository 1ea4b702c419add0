//! Questions on a terminal before a change that loses something. Every command that asks follows
//! the same rule: without a terminal it refuses, unless `--yes` is given.

use std::io::{self, IsTerminal as _};

use tonic::{Code, Status};

use super::{error::CliError, output::print_note};

/// Asks whether to go on, and says so if not. `loss` is what the command does, as in "this deletes
/// the user pool".
///
/// # Errors
/// There is no terminal to ask on.
pub(super) fn confirm(loss: &str) -> Result<bool, CliError> {
    if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        return Err(CliError::message(format!(
            "this {loss}, and there is no terminal to ask on; to do it without asking, add --yes"
        )));
    }
    print_note("continue? [y/N]");
    let mut answer = String::new();
    io::stdin().read_line(&mut answer)?;
    let is_confirmed = matches!(answer.trim(), "y" | "Y" | "yes");
    if !is_confirmed {
        print_note("nothing was changed");
    }
    Ok(is_confirmed)
}

/// Says which flags a retry needs beside its request ID, because the request must be the same. The
/// user did not give them.
pub(super) fn note_retry_flags(status: &Status, flags: &[String]) {
    if is_unanswered(status) && !flags.is_empty() {
        print_note(&format!("a retry also needs {}", flags.join(" ")));
    }
}

/// Whether a change under this request ID may be a retry of one that was recorded, since the server
/// refuses to say what it would do now. Only the change itself tells.
pub(super) fn may_be_retry(request_id: Option<&str>, refusal: &Status) -> bool {
    request_id.is_some() && !is_unanswered(refusal)
}

/// Whether the server may have recorded a change, but its answer did not arrive.
fn is_unanswered(status: &Status) -> bool {
    matches!(status.code(), Code::Unavailable | Code::DeadlineExceeded)
}
