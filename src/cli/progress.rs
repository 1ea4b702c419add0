//! Progress of long work: a bar on a terminal, nothing elsewhere.

use std::io::{self, IsTerminal as _};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// A bar for so many events, on stderr.
pub(super) fn bar(events: u64) -> ProgressBar {
    let bar = ProgressBar::new(events);
    if !io::stderr().is_terminal() {
        bar.set_draw_target(ProgressDrawTarget::hidden());
    }
    let template = "{bar:40} {human_pos} of {human_len} events, {per_sec}, {eta} left";
    // A template that cannot be read costs the text beside the bar, no more.
    bar.with_style(
        ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()),
    )
}
