//! Questions on a terminal before a change.

use std::io::{self, IsTerminal as _};

use super::{error::CliError, output::print_note};

/// Whether a person can read a question and answer it.
pub(super) fn can_ask() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Asks whether to go on, and says so if not.
pub(super) fn confirm() -> Result<bool, CliError> {
    print_note("continue? [y/N]");
    let mut answer = String::new();
    io::stdin().read_line(&mut answer)?;
    let is_confirmed = matches!(answer.trim(), "y" | "Y" | "yes");
    if !is_confirmed {
        print_note("nothing was changed");
    }
    Ok(is_confirmed)
}
