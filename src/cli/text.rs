//! Values as text for a terminal.

use chrono::SecondsFormat;
use prost_types::Timestamp;

use crate::proto;

/// Formats a time for a table; empty if the time is absent.
pub(super) fn format_time(at: Option<Timestamp>) -> String {
    let at = at.and_then(proto::to_date_time);
    at.map(|at| at.to_rfc3339_opts(SecondsFormat::Secs, true)).unwrap_or_default()
}

/// Formats a time without its seconds, for a narrow table.
pub(super) fn format_short_time(at: Option<Timestamp>) -> String {
    let at = at.and_then(proto::to_date_time);
    at.map(|at| at.format("%Y-%m-%dT%H:%MZ").to_string()).unwrap_or_default()
}

/// Formats a time without its year and its seconds, for the narrowest table.
pub(super) fn format_day_and_time(at: Option<Timestamp>) -> String {
    let at = at.and_then(proto::to_date_time);
    at.map(|at| at.format("%m-%dT%H:%MZ").to_string()).unwrap_or_default()
}

/// Escapes the control characters of foreign text, which could manipulate a terminal.
pub(super) fn escape(text: &str) -> String {
    let escaped = |letter: char| -> Vec<char> {
        if letter.is_control() { letter.escape_default().collect() } else { vec![letter] }
    };
    text.chars().flat_map(escaped).collect()
}
