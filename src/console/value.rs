//! The values of settings, as pages show them: always as text.

use maud::{Markup, html};
use serde_json::Value;

use super::{
    icons::Icon,
    members::Member,
    text::{arn, printable, printable_lines},
};

/// The longest value that is shown within a line.
const MAX_INLINE: usize = 64;

/// The value at a path in a document.
pub(super) fn at<'a>(document: &'a Value, path: &str) -> Option<&'a Value> {
    path.split('.').try_fold(document, |value, member| value.get(member))
}

/// The value of a member on the page of a user pool.
pub(super) fn show(value: Option<&Value>, member: &Member) -> Markup {
    let off = |text: &str| html! { span.off { (text) } };
    match value {
        None | Some(Value::Null) => off(member.absent),
        Some(Value::Bool(true)) => html! { span.on { (Icon::Yes.show()) " yes" } },
        Some(Value::Bool(false)) => off("no"),
        Some(Value::Number(number)) => html! { (number) " " (member.unit) },
        Some(Value::String(text)) => show_text(text),
        Some(Value::Array(items)) if items.is_empty() => off(member.absent),
        Some(Value::Array(items)) => html! {
            span.chips { @for item in items { span.chip { (one_line(item)) } } }
        },
        Some(object @ Value::Object(_)) => html! { code { (one_line(object)) } },
    }
}

fn show_text(text: &str) -> Markup {
    if let Some(arn) = arn(text) {
        return arn;
    }
    if text.contains('\n') || text.chars().count() > MAX_INLINE {
        return html! { span.text { (printable_lines(text)) } };
    }
    html! { (printable(text)) }
}

/// A value as one line of text.
pub(super) fn one_line(value: &Value) -> String {
    match value {
        Value::Null => "none".to_owned(),
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        Value::String(text) => printable(text),
        Value::Array(items) if items.iter().all(Value::is_string) => {
            items.iter().map(one_line).collect::<Vec<_>>().join(", ")
        }
        // A way to recover an account, and the like: the name is what matters.
        Value::Object(members) if members.len() == 2 && members.contains_key("Priority") => {
            members.get("Name").map(one_line).unwrap_or_default()
        }
        Value::Number(_) | Value::Array(_) | Value::Object(_) => printable(&value.to_string()),
    }
}

/// A value as the lines of a difference.
pub(super) fn lines(value: &Value) -> String {
    match value {
        Value::String(text) => printable_lines(text),
        Value::Object(_) | Value::Array(_) => printable_lines(&format!("{value:#}")),
        Value::Null | Value::Bool(_) | Value::Number(_) => value.to_string(),
    }
}
