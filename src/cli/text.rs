//! Values as text for a terminal.

use chrono::SecondsFormat;
use prost_types::Timestamp;

use crate::proto;

/// A time as tables have it; nothing where there is none.
pub(super) fn time(at: Option<Timestamp>) -> String {
    let at = at.and_then(proto::date_time);
    at.map(|at| at.to_rfc3339_opts(SecondsFormat::Secs, true)).unwrap_or_default()
}

/// Text that was written by others, without what could play tricks on a terminal.
pub(super) fn printable(text: &str) -> String {
    let escaped = |letter: char| -> Vec<char> {
        if letter.is_control() { letter.escape_default().collect() } else { vec![letter] }
    };
    text.chars().flat_map(escaped).collect()
}
