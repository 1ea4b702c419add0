//! A progress bar for long work, shown only on a terminal.

use std::io::{self, IsTerminal as _};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// A counter on stderr for an unknown number of events.
pub(super) fn new_spinner() -> ProgressBar {
    with_template(ProgressBar::no_length(), "{spinner} {human_pos} events, {per_sec}")
}

/// A progress bar on stderr for this many events.
pub(super) fn new_bar(events: u64) -> ProgressBar {
    let template = "{bar:40} {human_pos} of {human_len} events, {per_sec}, {eta} left";
    with_template(ProgressBar::new(events), template)
}

fn with_template(bar: ProgressBar, template: &str) -> ProgressBar {
    if !io::stderr().is_terminal() {
        bar.set_draw_target(ProgressDrawTarget::hidden());
    }
    // If the template were invalid, the bar would have no text.
    bar.with_style(
        ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()),
    )
}
