//! A progress bar for long work, shown only on a terminal.

use std::io::{self, IsTerminal as _};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// A progress bar on stderr for this many events.
pub(super) fn new_bar(events: u64) -> ProgressBar {
    let bar = ProgressBar::new(events);
    if !io::stderr().is_terminal() {
        bar.set_draw_target(ProgressDrawTarget::hidden());
    }
    let template = "{bar:40} {human_pos} of {human_len} events, {per_sec}, {eta} left";
    // If the template were invalid, the bar would have no text.
    bar.with_style(
        ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()),
    )
}
