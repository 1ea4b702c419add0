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

/// Makes a request change nothing else than what was shown: it expects that revision, unless the user
/// named one, or a request ID, under which a retry must be the same request. Returns the flag that a
/// retry needs then.
pub(super) fn expect_shown(
    expected: &mut Option<i64>,
    request_id: Option<&str>,
    shown: i64,
) -> Option<String> {
    if expected.is_some() || request_id.is_some() {
        return None;
    }
    *expected = Some(shown);
    Some(format!("--expected-revision {shown}"))
}

/// Says which flags a retry needs beside its request ID, because the request must be the same. The
/// user did not give them.
pub(super) fn note_retry_flags(status: &Status, flags: &[String]) {
    if is_unanswered(status) && !flags.is_empty() {
        print_note(&format!("a retry also needs {}", flags.join(" ")));
    }
}

/// Whether a change under this request ID may be a retry of one that was recorded, since the user
/// pool is not as the change needs it to be. Only the change itself tells. Any other refusal says
/// nothing about that, and the question must not be skipped because of it.
pub(super) fn may_be_retry(request_id: Option<&str>, refusal: &Status) -> bool {
    let is_of_state = matches!(
        refusal.code(),
        Code::NotFound | Code::FailedPrecondition | Code::AlreadyExists | Code::InvalidArgument
    );
    request_id.is_some() && is_of_state
}

/// Whether the server may have recorded a change, but its answer did not arrive.
fn is_unanswered(status: &Status) -> bool {
    matches!(status.code(), Code::Unavailable | Code::DeadlineExceeded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_is_skipped_only_for_what_may_be_recorded() {
        let is_skipped = |id: Option<&str>, code| may_be_retry(id, &Status::new(code, ""));
        for code in [Code::NotFound, Code::FailedPrecondition] {
            assert!(is_skipped(Some("1"), code), "{code:?}");
            assert!(!is_skipped(None, code), "{code:?}");
        }
        for code in [
            Code::Aborted,
            Code::DataLoss,
            Code::DeadlineExceeded,
            Code::Internal,
            Code::PermissionDenied,
            Code::ResourceExhausted,
            Code::Unauthenticated,
            Code::Unavailable,
        ] {
            assert!(!is_skipped(Some("1"), code), "{code:?}");
        }
    }
}
