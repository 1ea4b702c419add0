//! The terminal that stdout is.

use std::io::{self, IsTerminal as _};

use rustix::termios::tcgetwinsize;

/// The number of columns of the terminal that stdout is; none for a file or a pipe.
pub(super) fn columns() -> Option<usize> {
    let stdout = io::stdout();
    if !stdout.is_terminal() {
        return None;
    }
    // A terminal without a size says 0.
    let size = tcgetwinsize(stdout).ok()?;
    Some(usize::from(size.ws_col)).filter(|columns| *columns > 0)
}
