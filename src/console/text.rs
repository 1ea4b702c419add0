//! Values as text for a page: foreign text, times, ARNs and shell commands.

use std::fmt::Write as _;

use chrono::{DateTime, Datelike as _, NaiveDate, TimeDelta, Utc};
use maud::{Markup, html};
use prost_types::Timestamp;

use crate::proto;

/// The characters that change the direction or the place of the text around them.
const DIRECTIONS: [char; 12] = [
    '\u{61c}', '\u{200e}', '\u{200f}', '\u{202a}', '\u{202b}', '\u{202c}', '\u{202d}', '\u{202e}',
    '\u{2066}', '\u{2067}', '\u{2068}', '\u{2069}',
];

/// Shows control characters and directions of foreign text as escapes, so that no text can
/// pretend to be another one.
pub(super) fn printable(text: &str) -> String {
    escape(text, &[])
}

/// The same for a text with several lines.
pub(super) fn printable_lines(text: &str) -> String {
    escape(text, &['\n', '\t'])
}

fn escape(text: &str, kept: &[char]) -> String {
    let mut shown = String::with_capacity(text.len());
    for letter in text.chars() {
        if kept.contains(&letter) {
            shown.push(letter);
        } else if letter.is_control() || DIRECTIONS.contains(&letter) {
            shown.extend(letter.escape_default());
        } else {
            shown.push(letter);
        }
    }
    shown
}

/// The text in at most this number of characters.
pub(super) fn shorten(text: &str, max: usize) -> String {
    if text.chars().count() <= max {
        return text.to_owned();
    }
    let mut shown: String = text.chars().take(max.saturating_sub(1)).collect();
    shown.push('…');
    shown
}

/// One name if there is one thing, another if there are more.
pub(super) fn count(number: i64, one: &str, more: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { more })
}

/// A time, with the year unless it is the current one.
pub(super) fn time(at: Option<Timestamp>, now: DateTime<Utc>) -> Markup {
    let Some(at) = at.and_then(proto::to_date_time) else { return unknown() };
    time_element(at, &short(at, now))
}

/// The time of the day.
pub(super) fn time_of_day(at: Option<Timestamp>) -> Markup {
    let Some(at) = at.and_then(proto::to_date_time) else { return unknown() };
    time_element(at, &at.format("%H:%M:%S").to_string())
}

fn unknown() -> Markup {
    html! { span.muted { "unknown" } }
}

fn time_element(at: DateTime<Utc>, text: &str) -> Markup {
    html! { time datetime=(machine(at)) { (text) } }
}

/// The time in the form for programs.
pub(super) fn machine(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}

fn short(at: DateTime<Utc>, now: DateTime<Utc>) -> String {
    let year = if at.year() == now.year() { "" } else { " %Y" };
    at.format(&format!("%-d %b{year} %H:%M:%S")).to_string()
}

/// The day without its time, with the year unless it is the current one.
pub(super) fn short_day(at: Option<Timestamp>, now: DateTime<Utc>) -> String {
    let Some(at) = at.and_then(proto::to_date_time) else { return String::new() };
    at.format(if at.year() == now.year() { "%-d %b" } else { "%-d %b %Y" }).to_string()
}

/// The whole time, for a text without markup.
pub(super) fn full_time(at: Option<Timestamp>) -> String {
    at.and_then(proto::to_date_time).map(full).unwrap_or_default()
}

fn full(at: DateTime<Utc>) -> String {
    at.format("%-d %b %Y %H:%M:%S").to_string()
}

/// The day as a heading.
pub(super) fn day(date: NaiveDate) -> String {
    date.format("%A, %-d %B %Y").to_string()
}

/// The date of a time in UTC.
pub(super) fn date(at: Option<Timestamp>) -> Option<NaiveDate> {
    at.and_then(proto::to_date_time).map(|at| at.date_naive())
}

/// How long ago a time was, beside the time. A script keeps it true.
pub(super) fn age(at: Option<Timestamp>, now: DateTime<Utc>) -> Markup {
    let Some(at) = at.and_then(proto::to_date_time) else { return html! {} };
    html! { span data-age { (age_text(at, now)) } }
}

fn age_text(at: DateTime<Utc>, now: DateTime<Utc>) -> String {
    let age = now.signed_duration_since(at);
    let (number, unit) = if age < TimeDelta::zero() {
        return "in the future".to_owned();
    } else if age < TimeDelta::minutes(1) {
        (age.num_seconds(), "s")
    } else if age < TimeDelta::hours(1) {
        (age.num_minutes(), "min")
    } else if age < TimeDelta::days(1) {
        (age.num_hours(), "h")
    } else {
        return format!("{} ago", count(age.num_days(), "day", "days"));
    };
    format!("{number} {unit} ago")
}

/// An ARN, shortened: what it names, and after it where that is.
pub(super) fn arn(arn: &str) -> Option<Markup> {
    let mut parts = arn.splitn(6, ':');
    let (start, _partition) = (parts.next()?, parts.next()?);
    let (service, region, account) = (parts.next()?, parts.next()?, parts.next()?);
    let name = parts.next().filter(|_| start == "arn")?;
    let name = name.strip_prefix("function:").unwrap_or(name);
    let (before, _) = arn.split_at(arn.len().saturating_sub(name.len()));
    let place: Vec<_> = [service, region, account].into_iter().filter(|p| !p.is_empty()).collect();
    Some(html! {
        // What is not shown is copied as well.
        code title=(printable(arn)) { span.whole { (printable(before)) } (printable(name)) } " "
        span."muted small" { (printable(&place.join(":"))) }
    })
}

/// A word of a shell command, quoted if the shell would read it as something else.
pub(crate) fn shell_word(word: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_@%+=:,./-".contains(&byte);
    if !word.is_empty() && word.bytes().all(is_plain) {
        return word.to_owned();
    }
    if word.chars().any(|letter| letter.is_control() || DIRECTIONS.contains(&letter)) {
        let mut escaped = String::new();
        for letter in word.chars() {
            match letter {
                '\'' | '\\' => escaped.extend(['\\', letter]),
                ' '..='~' => escaped.push(letter),
                _ => {
                    for byte in letter.encode_utf8(&mut [0; 4]).bytes() {
                        // Writing to a string cannot fail.
                        let _ = write!(escaped, "\\x{byte:02x}");
                    }
                }
            }
        }
        return format!("$'{escaped}'");
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::{age_text, printable, printable_lines, shell_word, shorten};
    use chrono::{DateTime, TimeDelta};

    #[test]
    fn no_character_hides_another() {
        assert_eq!(printable("a\u{202e}b\u{7}\nü"), "a\\u{202e}b\\u{7}\\nü");
        assert_eq!(printable_lines("a\n\tb\r"), "a\n\tb\\r");
    }

    #[test]
    fn a_copied_command_has_the_words_that_it_shows() {
        assert_eq!(shell_word("eu-west-1_a"), "eu-west-1_a");
        assert_eq!(shell_word(""), "''");
        assert_eq!(shell_word("a'; rm -rf ~"), r"'a'\''; rm -rf ~'");
        assert_eq!(shell_word("a\u{202e}'\n"), r"$'a\xe2\x80\xae\'\x0a'");
    }

    #[test]
    fn ages_have_one_unit() {
        let now = DateTime::from_timestamp(1_000_000, 0).expect("a time");
        let ago = |seconds: i64| age_text(now - TimeDelta::seconds(seconds), now);
        assert_eq!(ago(3), "3 s ago");
        assert_eq!(ago(3 * 60), "3 min ago");
        assert_eq!(ago(26 * 3600), "1 day ago");
        assert_eq!(ago(-1), "in the future");
        assert_eq!(shorten("abcdef", 4), "abc…");
    }
}
